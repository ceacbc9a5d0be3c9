//! One initramfs, examined as a root of its own.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use serde::{Deserialize, Serialize};

use super::super::elf::{Closure, Loader};
use super::super::mdadm_conf::{self, MdadmConf};
use super::super::mounts::Device;
use super::archive::{self, Fault, FaultKind, Packing, Segment, Taken};
use super::drivers::{self, Driver, Need};
use super::layers::{self, Layers};
use crate::kmod::index::Index;
use crate::sys::root_dir::{Kind, RootDir};

/// Most bytes of a kernel's configuration; real ones have 300 KiB.
const CONFIG_BYTES_MAX: u64 = 4 << 20;

/// Most bytes of a file of settings in it.
pub(super) const TEXT_BYTES_MAX: u64 = 256 * 1024;

/// What the initramfs was made by: it decides what starts and in which order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Builder {
    /// Debian's initramfs-tools.
    InitramfsTools,
    /// dracut.
    Dracut,
    /// Arch's mkinitcpio.
    Mkinitcpio,
    /// Something else.
    #[default]
    Other,
}

impl Builder {
    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Self::InitramfsTools => "initramfs-tools",
            Self::Dracut => "dracut",
            Self::Mkinitcpio => "mkinitcpio",
            Self::Other => "an unknown tool",
        }
    }

    fn of(root: &RootDir) -> Self {
        let has = |path: &str| root.metadata(path).is_ok();
        if has("/scripts/functions") && has("/conf/arch.conf") {
            Self::InitramfsTools
        } else if has("/usr/lib/dracut") || has("/lib/dracut") || has("/usr/lib/initrd-release") {
            Self::Dracut
        } else if has("/init_functions") || has("/buildconfig") || has("/hooks") {
            Self::Mkinitcpio
        } else {
            Self::Other
        }
    }

    /// Without these the root is not reached.
    fn required(self) -> &'static [&'static str] {
        match self {
            Self::InitramfsTools => &["sh", "mount", "run-init"],
            Self::Dracut => &["mount"],
            Self::Mkinitcpio | Self::Other => &[],
        }
    }

    /// How to make it anew.
    pub fn command(self, release: &str) -> String {
        match self {
            Self::Dracut => format!("dracut --force --kver {release}"),
            Self::Mkinitcpio => "mkinitcpio -P".into(),
            Self::InitramfsTools | Self::Other => format!("update-initramfs -u -k {release}"),
        }
    }
}

/// Programs that matter where they are there; the kind of the image tells which
/// of them the boot cannot do without.
const PROGRAMS: [&str; 16] = [
    "sh",
    "mount",
    "run-init",
    "switch_root",
    "kmod",
    "modprobe",
    "udevadm",
    "udevd",
    "systemd-udevd",
    "mdadm",
    "blkid",
    "lvm",
    "cryptsetup",
    "busybox",
    "fsck",
    "dmsetup",
];

/// Where they lie.
const PLACES: [&str; 6] = [
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
    "/usr/lib/systemd",
    "/lib/systemd",
];

/// udev's rules that may assemble arrays as their members appear.
const RULES: [&str; 4] = [
    "64-md-raid-assembly.rules",
    "64-md-raid.rules",
    "65-md-incremental.rules",
    "65-md-incremental-imsm.rules",
];

/// What is known of one initramfs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Image {
    /// The kernel that it is loaded with.
    pub release: String,
    /// The file.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Its parts, in order.
    pub segments: Vec<Segment>,
    /// How many entries they have.
    pub entries: usize,
    /// What is wrong with it as an archive.
    pub fault: Option<Fault>,
    /// Files that were too much to be kept in memory.
    pub left_out: Vec<String>,
    /// What made it.
    pub builder: Builder,
    /// What the kernel starts in it.
    pub init: Closure,
    /// Programs of it that do not start.
    pub broken: Vec<Closure>,
    /// Programs that its kind cannot do without, and that are not there.
    pub absent: Vec<String>,
    /// The releases for which it has modules.
    pub releases: Vec<String>,
    /// Where mdadm is in it.
    pub mdadm: Option<String>,
    /// True when it starts udev.
    pub udev: bool,
    /// The rule of udev that assembles arrays.
    pub assembly_rule: Option<String>,
    /// True when a script of it assembles the arrays that mdadm.conf names.
    pub assembles_by_conf: bool,
    /// mdadm.conf in it.
    pub mdadm_conf: MdadmConf,
    /// Words that it adds to the kernel's command line (dracut).
    pub command_line: String,
    /// The device that it waits for to resume from (initramfs-tools).
    pub resume: Option<String>,
    /// The drivers that the boot needs.
    pub drivers: Vec<Driver>,
    /// What it has for the layers below the root, arrays apart; none in facts
    /// of an earlier version, or where it could not be unpacked.
    #[serde(default)]
    pub layers: Option<Layers>,
}

impl Image {
    /// True when what is known of it is all that there is.
    pub fn is_examined(&self) -> bool {
        self.fault.is_none() && self.left_out.is_empty()
    }

    /// The value of a `key=value` word that it adds to the command line.
    pub fn parameters<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        let words = self.command_line.split_whitespace();
        words.filter_map(move |word| word.strip_prefix(key)?.strip_prefix('='))
    }
}

/// Unpacks the image at `path` and looks at it. `index` is that of the modules
/// of its kernel, from the patient's root.
pub(super) fn examine(
    patient: &RootDir,
    release: &str,
    path: &str,
    index: Option<&Index>,
    needs: &[Need],
    meaning: &dyn Fn(&str) -> Device,
) -> Image {
    let mut image = Image {
        release: release.to_owned(),
        path: path.to_owned(),
        ..Image::default()
    };
    let opened = patient.open_file(path).and_then(|file| {
        let all = file.metadata()?.len();
        let bytes = without_bootconfig(&file, all)?;
        Ok((file.take(bytes), bytes))
    });
    let (file, bytes) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            image.fault = Some(unreadable(error.to_string()));
            return image;
        }
    };
    let Taken {
        content,
        segments,
        fault,
    } = archive::unpack(file, bytes);
    image.bytes = bytes;
    image.segments = segments;
    image.entries = content.entries;
    image.left_out = content.left_out;
    image.fault = fault.or_else(|| not_in_kernel(patient, &image));
    match RootDir::in_memory(content.tree, path) {
        Ok(root) => {
            look(&mut image, &root, index, needs);
            image.layers = Some(layers::collect(&root, meaning));
        }
        Err(error) => image.fault = Some(unreadable(error.to_string())),
    }
    image
}

/// The length of an image without the settings that may follow it: their size,
/// a checksum and this mark end the file, and the kernel takes them off first
/// (Documentation/admin-guide/bootconfig.rst).
fn without_bootconfig(file: &File, bytes: u64) -> io::Result<u64> {
    const MARK: &[u8] = b"#BOOTCONFIG\n";
    let mut tail = [0; 20];
    let Some(at) = bytes.checked_sub(tail.len() as u64) else {
        return Ok(bytes);
    };
    file.read_exact_at(&mut tail, at)?;
    let size = u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]);
    Ok(match tail.ends_with(MARK) {
        true => at.saturating_sub(u64::from(size)),
        false => bytes,
    })
}

/// A packing that the kernel was built without (`CONFIG_RD_ZSTD`), by the
/// configuration that distributions put beside it.
fn not_in_kernel(patient: &RootDir, image: &Image) -> Option<Fault> {
    let path = format!("/boot/config-{}", image.release);
    let config = patient.read_text(path, CONFIG_BYTES_MAX).ok()?;
    let has = |option: &str| config.lines().any(|line| line == format!("{option}=y"));
    // Of a file that is something else, nothing is believed.
    if !has("CONFIG_BLK_DEV_INITRD") {
        return None;
    }
    let packed = image.segments.iter().filter(|s| s.packing != Packing::None);
    packed
        .map(|segment| {
            (
                segment.at,
                format!("CONFIG_RD_{}", segment.packing.word().to_uppercase()),
            )
        })
        .find(|(_, option)| !has(option))
        .map(|(at, option)| Fault {
            kind: FaultKind::Refused,
            at,
            of: image.bytes,
            why: format!("this kernel was built without {option}"),
        })
}

fn unreadable(why: String) -> Fault {
    Fault {
        kind: FaultKind::Unreadable,
        at: 0,
        of: 0,
        why,
    }
}

fn look(image: &mut Image, root: &RootDir, index: Option<&Index>, needs: &[Need]) {
    image.builder = Builder::of(root);
    let loader = Loader::open(root);
    image.init = loader.closure("/init");
    programs(image, root, &loader);
    image.releases = releases(root);
    image.udev = ["udevd", "systemd-udevd", "udevadm"]
        .iter()
        .any(|name| place(root, name).is_some());
    image.mdadm = place(root, "mdadm");
    image.assembly_rule = assembly_rule(root);
    image.assembles_by_conf = ["/scripts/local-block/mdadm", "/scripts/local-top/mdadm"]
        .iter()
        .any(|path| root.metadata(path).is_ok_and(|meta| meta.size > 0));
    image.mdadm_conf = mdadm_conf::collect(root);
    image.command_line = command_line(root);
    image.resume = resume(root);
    let inside = match image.releases.contains(&image.release) {
        true => drivers::modules(root, &image.release),
        false => HashSet::new(),
    };
    // The patient's own index may be lost; the image has a part of it.
    let own = match index {
        None => drivers::index(root, &image.release, false),
        Some(_) => None,
    };
    let index = index.or(own.as_ref());
    let judge = |need: &Need| drivers::judge(need.clone(), index, &inside);
    image.drivers = needs.iter().map(judge).collect();
}

/// Where a program lies in it.
pub(super) fn place(root: &RootDir, name: &str) -> Option<String> {
    PLACES
        .iter()
        .map(|place| format!("{place}/{name}"))
        .find(|path| root.metadata(path).is_ok())
}

fn programs(image: &mut Image, root: &RootDir, loader: &Loader<'_>) {
    for name in PROGRAMS {
        match place(root, name) {
            Some(path) => {
                let closure = loader.closure(&path);
                if !closure.starts() {
                    image.broken.push(closure);
                }
            }
            None if image.builder.required().contains(&name) => {
                image.absent.push(name.to_owned());
            }
            None => {}
        }
    }
}

fn releases(root: &RootDir) -> Vec<String> {
    let entries = root.read_dir("/lib/modules").unwrap_or_default();
    entries
        .into_iter()
        .filter(|entry| entry.kind == Kind::Directory)
        .map(|entry| entry.name.to_string_lossy().into_owned())
        .take(16)
        .collect()
}

fn assembly_rule(root: &RootDir) -> Option<String> {
    // Some releases had a rule of that name which leaves assembly to others.
    let assembles = |line: &str| {
        line.contains("mdadm") && (line.contains("--incremental") || line.contains(" -I "))
    };
    layers::rule(root, &RULES, assembles).map(|(path, _)| path)
}

/// `/etc/cmdline` and `/etc/cmdline.d/*.conf` (dracut.cmdline(7)).
fn command_line(root: &RootDir) -> String {
    let mut all = root
        .read_text("/etc/cmdline", TEXT_BYTES_MAX)
        .unwrap_or_default();
    for entry in root.read_dir("/etc/cmdline.d").unwrap_or_default() {
        let name = entry.name.to_string_lossy();
        if name.ends_with(".conf") {
            let path = format!("/etc/cmdline.d/{name}");
            all.push(' ');
            all.push_str(&root.read_text(path, TEXT_BYTES_MAX).unwrap_or_default());
        }
    }
    all.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `RESUME=` in `/conf/conf.d` (initramfs-tools, hooks/resume).
fn resume(root: &RootDir) -> Option<String> {
    let mut found = None;
    for entry in root.read_dir("/conf/conf.d").unwrap_or_default() {
        let path = format!("/conf/conf.d/{}", entry.name.to_string_lossy());
        let text = root.read_text(path, TEXT_BYTES_MAX).unwrap_or_default();
        for line in text.lines() {
            if let Some(value) = line.trim().strip_prefix("RESUME=") {
                found = Some(value.trim_matches(['"', '\'']).to_owned());
            }
        }
    }
    found.filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;

    #[test]
    fn settings_for_the_kernel_behind_an_image_are_no_part_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("image");
        let length = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            let file = File::open(&path).unwrap();
            without_bootconfig(&file, bytes.len() as u64).unwrap()
        };
        assert_eq!(length(b"short"), 5);
        assert_eq!(length(&[7; 100]), 100);
        let mut with = vec![7; 100];
        with.extend(b"key = 1\n");
        with.extend(8_u32.to_le_bytes());
        with.extend([0; 4]);
        with.extend(b"#BOOTCONFIG\n");
        assert_eq!(length(&with), 100);
        with[108] = 0xFF;
        with[111] = 0xFF;
        assert_eq!(length(&with), 0);
    }
}
