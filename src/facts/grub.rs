//! `/boot/grub/grub.cfg`: which kernel is started when nobody is at the
//! console (GRUB manual, "Simple configuration handling").

use serde::{Deserialize, Serialize};

use super::boot_files;
use crate::sys::root_dir::{Kind, RootDir};

const LIMIT: u64 = 4 << 20;

/// Names before the root inside its filesystem that are tried.
const SUBVOLUME_DEPTH_MAX: usize = 8;

/// One `menuentry`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// What the menu shows.
    pub title: String,
    /// The kernel image, as a path of the patient.
    pub kernel: String,
    /// The kernel's command line.
    pub command_line: String,
    /// Each initramfs, as paths of the patient.
    pub initramfs: Vec<String>,
    /// Of these files, the ones that are not there or not what they should be.
    pub missing: Vec<String>,
    /// How many entries of any kind stand before it.
    pub before: usize,
}

/// GRUB's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grub {
    /// The file.
    pub path: String,
    /// Its entries that start Linux, in order.
    pub entries: Vec<Entry>,
    /// True when it is sure that the first entry is the default one.
    pub first_is_default: bool,
    /// True when entries come from `/boot/loader/entries` as well.
    pub bls: bool,
    /// Why it could not be read.
    pub unreadable: Option<String>,
}

impl Grub {
    /// The entry that is started without a key pressed, where that is known.
    pub fn default_entry(&self) -> Option<&Entry> {
        self.entries
            .first()
            .filter(|entry| self.first_is_default && entry.before == 0 && !self.bls)
    }

    /// Calls kernels that entries name by a link by their own name: pairs of a
    /// link and where it leads.
    pub(super) fn follow(&mut self, links: &[(String, String)]) {
        for entry in &mut self.entries {
            let link = links.iter().find(|(link, _)| *link == entry.kernel);
            let Some((link, target)) = link else { continue };
            for file in &mut entry.missing {
                if file == link {
                    target.clone_into(file);
                }
            }
            target.clone_into(&mut entry.kernel);
        }
    }

    /// The initramfs that an entry gives to this kernel, where it is there.
    /// Microcode may stand before it.
    pub(super) fn initramfs_of(&self, kernel: &str) -> Option<&str> {
        let own = self.entries.iter().filter(|entry| entry.kernel == kernel);
        let mut last = own.filter_map(|entry| {
            let file = entry.initramfs.last()?;
            (!entry.missing.contains(file)).then_some(file.as_str())
        });
        last.next()
    }
}

impl Entry {
    /// The value of a `key=value` word of the command line, the last one.
    pub fn parameter(&self, key: &str) -> Option<&str> {
        self.command_line
            .split_whitespace()
            .rev()
            .find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
    }
}

pub(super) fn collect(root: &RootDir) -> Option<Grub> {
    let path = ["/boot/grub/grub.cfg", "/boot/grub2/grub.cfg"]
        .into_iter()
        .find(|path| root.metadata(path).is_ok())?;
    let text = root.read_text(path, LIMIT);
    let mut grub = parse(text.as_deref().unwrap_or_default());
    grub.path = path.to_owned();
    grub.unreadable = text.err().map(|error| error.to_string());
    for entry in &mut grub.entries {
        entry.kernel = in_patient(root, &entry.kernel);
        for file in &mut entry.initramfs {
            *file = in_patient(root, file);
        }
        // Microcode and device trees may stand beside the initramfs: of those
        // only their absence is told.
        let initramfs = |file: &&String| match file.contains("/initr") {
            true => !boot_files::is_initramfs(root, file),
            false => !root.metadata(file).is_ok_and(|meta| meta.size > 0),
        };
        entry.missing = entry.initramfs.iter().filter(initramfs).cloned().collect();
        if !boot_files::is_kernel(root, &entry.kernel) {
            entry.missing.insert(0, entry.kernel.clone());
        }
    }
    Some(grub)
}

/// GRUB counts from the top of the filesystem that holds /boot; with a /boot
/// of its own the paths begin without it.
fn in_patient(root: &RootDir, path: &str) -> String {
    let inside = format!("/boot{path}");
    if path.starts_with("/boot/")
        || (root.metadata(path).is_ok() && root.metadata(&inside).is_err())
    {
        return path.to_owned();
    }
    if root.metadata(&inside).is_ok() {
        return inside;
    }
    below_subvolume(root, path).unwrap_or(inside)
}

/// A subvolume of btrfs or a dataset of ZFS that is the root stands before the
/// path: `/@rootfs/boot/vmlinuz`, `/ROOT/pve-1@/boot/vmlinuz`.
fn below_subvolume(root: &RootDir, path: &str) -> Option<String> {
    let slashes = path.match_indices('/').skip(1).take(SUBVOLUME_DEPTH_MAX);
    let mut rests = slashes.filter_map(|(at, _)| path.get(at..));
    rests.find_map(|rest| {
        let places = [rest.to_owned(), format!("/boot{rest}")];
        let mut there = places.into_iter().filter(|place| {
            root.metadata(place)
                .is_ok_and(|meta| meta.kind == Kind::File)
        });
        there.next()
    })
}

fn parse(text: &str) -> Grub {
    let mut grub = Grub {
        path: String::new(),
        entries: Vec::new(),
        first_is_default: true,
        bls: false,
        unreadable: None,
    };
    let mut title = String::new();
    let mut seen = 0_usize;
    for line in text.lines().map(str::trim) {
        let mut words = line.split_whitespace();
        match words.next() {
            Some("menuentry") => {
                title = quoted(line);
                seen += 1;
            }
            Some("submenu") => seen += 1,
            Some("blscfg") => grub.bls = true,
            Some("linux" | "linux16" | "linuxefi") => {
                let kernel = words.next().unwrap_or_default();
                grub.entries.push(Entry {
                    title: title.clone(),
                    kernel: without_device(kernel),
                    command_line: words.collect::<Vec<_>>().join(" "),
                    initramfs: Vec::new(),
                    missing: Vec::new(),
                    before: seen.saturating_sub(1),
                });
            }
            Some("initrd" | "initrd16" | "initrdefi") => {
                if let Some(entry) = grub.entries.last_mut() {
                    entry.initramfs.extend(words.map(without_device));
                }
            }
            // The generated file asks for a one-shot entry first, then sets
            // the configured one; only a plain 0 is certain from the file.
            Some("set") if line.starts_with("set default=") => {
                let value = line.trim_start_matches("set default=").trim_matches('"');
                if value != "0" && value != "${next_entry}" {
                    grub.first_is_default = false;
                }
            }
            _ => {}
        }
    }
    grub
}

/// The text between the first pair of quotes.
fn quoted(line: &str) -> String {
    let quote = line.find(['\'', '"']).map(|at| &line[at..]);
    let Some(rest) = quote else {
        return String::new();
    };
    let mark = &rest[..1];
    rest[1..].split(mark).next().unwrap_or_default().to_owned()
}

/// `(hd0,gpt2)/vmlinuz` and `($root)/vmlinuz` give `/vmlinuz`.
fn without_device(path: &str) -> String {
    match path.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
        Some((_, path)) => path.to_owned(),
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn entries_and_default() {
        let grub = parse(
            "if [ \"${next_entry}\" ] ; then\n   set default=\"${next_entry}\"\nelse\n   \
             set default=\"0\"\nfi\n\
             menuentry 'Debian GNU/Linux' --class debian {\n\
             \tlinux\t/boot/vmlinuz-6.1 root=UUID=x ro quiet init=/a init=/b\n\
             \tinitrd\t/boot/initrd.img-6.1\n}\n\
             submenu 'Advanced' {\n menuentry \"old\" {\n linux ($root)/vmlinuz-5 ro\n }\n}\n",
        );
        assert!(grub.first_is_default);
        assert_eq!(grub.entries.len(), 2);
        let first = grub.default_entry().unwrap();
        assert_eq!(first.title, "Debian GNU/Linux");
        assert_eq!(first.initramfs, ["/boot/initrd.img-6.1"]);
        assert_eq!(first.parameter("init"), Some("/b"));
        assert_eq!(grub.entries[1].kernel, "/vmlinuz-5");
        assert!(grub.entries[1].initramfs.is_empty());
    }

    #[test]
    fn a_subvolume_may_stand_before_the_path() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("boot")).unwrap();
        std::fs::write(folder.path().join("boot/vmlinuz-6"), "x").unwrap();
        let root = RootDir::open(folder.path()).unwrap();
        for path in [
            "/@rootfs/boot/vmlinuz-6",
            "/ROOT/pve-1@/boot/vmlinuz-6",
            "/@boot/vmlinuz-6",
            "/vmlinuz-6",
        ] {
            assert_eq!(in_patient(&root, path), "/boot/vmlinuz-6");
        }
        assert_eq!(in_patient(&root, "/@/boot/no"), "/boot/@/boot/no");
    }

    #[test]
    fn a_saved_default_is_not_guessed() {
        let grub = parse("set default=\"${saved_entry}\"\nlinux /vmlinuz\n");
        assert!(grub.default_entry().is_none());
        assert!(parse("menuentry '\nlinux\ninitrd\n").entries.len() == 1);
    }
}
