//! What an initramfs has for the layers between the disks and the root,
//! arrays apart: logical volumes, encryption, btrfs on several devices.

use serde::{Deserialize, Serialize};

use super::super::mounts::{self, CryptLine, Device};
use super::image::{TEXT_BYTES_MAX, place};
use crate::sys::root_dir::RootDir;

/// Most lines of a crypttab that are looked at; each is searched on the disks.
const LINES_MAX: usize = 64;

/// Where udev's rules lie.
pub(super) const RULE_FOLDERS: [&str; 3] = [
    "/etc/udev/rules.d",
    "/usr/lib/udev/rules.d",
    "/lib/udev/rules.d",
];

/// Rules of LVM's own that activate what is complete: of today, of Debian 11
/// and before, and as LVM itself calls it.
const LVM_RULES: [&str; 3] = ["69-lvm.rules", "69-lvm-metad.rules", "69-dm-lvm.rules"];

/// What it has, by layer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Layers {
    /// LVM's program.
    pub lvm: Option<String>,
    /// The rule of udev that activates a volume group.
    pub lvm_rule: Option<String>,
    /// True when the rule waits until all of the group is there.
    pub lvm_rule_waits: bool,
    /// A script that activates the volume that `root=` names (initramfs-tools,
    /// up to Debian 11).
    pub lvm_script: Option<String>,
    /// dracut's program that activates volumes, where a rule starts it.
    pub lvm_scan: Option<String>,
    /// True when that is tried at last with a part missing.
    pub lvm_scan_degraded: bool,
    /// `activation_mode` of its lvm.conf, where that is set.
    pub lvm_activation: Option<String>,
    /// What unlocks LUKS.
    pub cryptsetup: Option<String>,
    /// The script that starts it: of initramfs-tools, or mkinitcpio's hook.
    pub crypt_script: Option<String>,
    /// systemd's generator, which reads crypttab.
    pub crypt_generator: Option<String>,
    /// Where its crypttab lies.
    pub crypttab_path: Option<String>,
    /// The lines of it.
    pub crypttab: Vec<CryptLine>,
    /// Key files of these lines that are not in it.
    pub keys_absent: Vec<String>,
    /// What makes the kernel know each device of a btrfs.
    pub btrfs_scan: Option<String>,
    /// What starts an array at last with members missing.
    pub md_last_resort: Option<String>,
}

pub(super) fn collect(root: &RootDir, meaning: &dyn Fn(&str) -> Device) -> Layers {
    let mut layers = Layers {
        lvm: place(root, "lvm"),
        lvm_script: first(
            root,
            &["/scripts/local-top/lvm2", "/scripts/local-block/lvm2"],
        ),
        cryptsetup: place(root, "cryptsetup").or_else(|| place(root, "systemd-cryptsetup")),
        crypt_script: crypt_script(root),
        crypt_generator: first(
            root,
            &[
                "/usr/lib/systemd/system-generators/systemd-cryptsetup-generator",
                "/lib/systemd/system-generators/systemd-cryptsetup-generator",
            ],
        ),
        btrfs_scan: btrfs_scan(root),
        md_last_resort: md_last_resort(root),
        ..Layers::default()
    };
    if let Some((path, text)) = rule(root, &LVM_RULES, activates) {
        layers.lvm_rule_waits = text.contains("LVM_VG_NAME_COMPLETE") || text.contains("pvscan");
        layers.lvm_rule = Some(path);
    }
    if let Some(scan) = place(root, "lvm_scan")
        && let Some((_, text)) = rule(root, &["64-lvm.rules"], |line| line.contains("lvm_scan"))
    {
        layers.lvm_scan = Some(scan);
        layers.lvm_scan_degraded = text.contains("--activationmode degraded");
    }
    layers.lvm_activation = activation_mode(root);
    crypttab(&mut layers, root, meaning);
    layers
}

/// `activation_mode = "complete"` in lvm.conf(5).
fn activation_mode(root: &RootDir) -> Option<String> {
    let text = root.read_text("/etc/lvm/lvm.conf", TEXT_BYTES_MAX).ok()?;
    let mut lines = text.lines().map(str::trim);
    lines.find_map(|line| {
        let value = line.strip_prefix("activation_mode")?.trim_start();
        let value = value.strip_prefix('=')?.split('#').next()?;
        Some(value.trim().trim_matches('"').to_owned())
    })
}

/// The first of these that has any content.
fn first(root: &RootDir, paths: &[&str]) -> Option<String> {
    let mut there = paths
        .iter()
        .filter(|path| root.metadata(path).is_ok_and(|meta| meta.size > 0));
    there.next().map(|path| (*path).to_owned())
}

/// The first of these rules that has a line which `does` it, and its text.
pub(super) fn rule(
    root: &RootDir,
    names: &[&str],
    does: impl Fn(&str) -> bool,
) -> Option<(String, String)> {
    let paths = RULE_FOLDERS
        .iter()
        .flat_map(|folder| names.iter().map(move |name| format!("{folder}/{name}")));
    let texts = paths.filter_map(|path| {
        let text = root.read_text(&path, TEXT_BYTES_MAX).ok()?;
        Some((path, text))
    });
    let active = |text: &str| {
        let mut lines = text.lines().map(str::trim_start);
        lines.any(|line| !line.starts_with('#') && does(line))
    };
    texts.into_iter().find(|(_, text)| active(text))
}

/// `vgchange -aay` when all is there, or `pvscan --cache --activate ay`. Where
/// systemd runs, the older rule leaves it to a service.
fn activates(line: &str) -> bool {
    let starts = line.contains("RUN+=");
    let by_group = line.contains("vgchange -aay") || line.contains("vgchange -ay");
    let by_volume = line.contains("pvscan") && line.contains(" ay ");
    starts && (by_group || by_volume)
}

/// initramfs-tools needs its functions as well; without them the script ends.
fn crypt_script(root: &RootDir) -> Option<String> {
    let script = first(root, &["/scripts/local-top/cryptroot", "/hooks/encrypt"])?;
    let functions = ["/usr/lib/cryptsetup/functions", "/lib/cryptsetup/functions"];
    let old = root.metadata("/conf/conf.d/cryptroot").is_ok();
    let whole = script.starts_with("/hooks") || old || first(root, &functions).is_some();
    whole.then_some(script)
}

/// A rule that asks the kernel whether each device is ready, which makes it
/// known (udev's builtin `btrfs`), or a script that scans for them.
fn btrfs_scan(root: &RootDir) -> Option<String> {
    let asks = |line: &str| line.contains("btrfs ready") || line.contains("btrfs device scan");
    let by_rule = rule(root, &["64-btrfs.rules", "80-btrfs.rules"], asks).map(|(path, _)| path);
    by_rule.or_else(|| {
        place(root, "btrfs")?;
        first(root, &["/scripts/local-premount/btrfs", "/hooks/btrfs"])
    })
}

/// What starts an array with members missing when nothing more appears: the
/// script of initramfs-tools (`mdadm --run` after two thirds of ROOTDELAY),
/// dracut's mdraid_start, mdadm's own timer under systemd.
fn md_last_resort(root: &RootDir) -> Option<String> {
    // Ubuntu, up to 14.04.
    let old = "/conf/conf.d/mdadm";
    let text = root.read_text(old, TEXT_BYTES_MAX).unwrap_or_default();
    if text.contains("BOOT_DEGRADED=true") || text.contains("BOOT_DEGRADED=yes") {
        return Some(old.to_owned());
    }
    let script = "/scripts/local-block/mdadm";
    let text = root.read_text(script, TEXT_BYTES_MAX).unwrap_or_default();
    let mut lines = text.lines().map(str::trim_start);
    if lines.any(|line| line.starts_with("mdadm") && line.contains("--run")) {
        return Some(script.to_owned());
    }
    let starts = |line: &str| line.contains("mdraid_start");
    let names = ["65-md-incremental-imsm.rules", "65-md-incremental.rules"];
    if rule(root, &names, starts).is_some() {
        return place(root, "mdraid_start");
    }
    let wants = |line: &str| line.contains("mdadm-last-resort@");
    let names = ["64-md-raid-assembly.rules", "64-md-raid.rules"];
    rule(root, &names, wants)?;
    first(
        root,
        &[
            "/usr/lib/systemd/system/mdadm-last-resort@.timer",
            "/lib/systemd/system/mdadm-last-resort@.timer",
        ],
    )
}

fn crypttab(layers: &mut Layers, root: &RootDir, meaning: &dyn Fn(&str) -> Device) {
    // Of Debian 10 and later, of all others, of Debian 9.
    for path in [
        "/cryptroot/crypttab",
        "/etc/crypttab",
        "/conf/conf.d/cryptroot",
    ] {
        let Ok(text) = root.read_text(path, TEXT_BYTES_MAX) else {
            continue;
        };
        let text = match path.starts_with("/conf") {
            true => text.lines().map(as_crypttab).collect::<Vec<_>>().join("\n"),
            false => text,
        };
        let text = text.lines().take(LINES_MAX).collect::<Vec<_>>().join("\n");
        layers.crypttab = mounts::crypt_lines(&text, meaning);
        layers.crypttab_path = Some(path.to_owned());
        break;
    }
    let is_file = |line: &&CryptLine| {
        line.key.starts_with('/')
            && !line.options.iter().any(|o| o.starts_with("keyscript="))
            // Asked for on another device, or a socket.
            && !line.key.starts_with("/dev/")
            && !line.key.starts_with("/run/")
            && !line.key.contains(':')
    };
    let lines = layers.crypttab.iter().filter(is_file);
    let absent = lines.filter(|line| root.metadata(&line.key).is_err());
    layers.keys_absent = absent.map(|line| line.key.clone()).collect();
}

/// `target=x,source=UUID=...,key=none,...` as a line of crypttab.
fn as_crypttab(line: &str) -> String {
    let words: Vec<&str> = line.split(',').collect();
    let value = |key: &str| {
        let mut words = words.iter();
        words.find_map(|word| word.trim().strip_prefix(key))
    };
    format!(
        "{} {} {}",
        value("target=").unwrap_or("cryptroot"),
        value("source=").unwrap_or("none"),
        value("key=").unwrap_or("none")
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;

    /// The layers of a tree with these files.
    fn of(files: &[(&str, &str)]) -> Layers {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let root = RootDir::open(folder.path()).unwrap();
        collect(&root, &|_| Device::Absent)
    }

    #[test]
    fn a_rule_counts_by_what_it_does() {
        let name = "usr/lib/udev/rules.d/69-lvm.rules";
        let run = "ENV{LVM_VG_NAME_COMPLETE}==\"?*\", RUN+=\"/sbin/lvm vgchange -aay x\"\n";
        let layers = of(&[(name, run)]);
        assert!(layers.lvm_rule.is_some() && layers.lvm_rule_waits);
        assert!(of(&[(name, &format!("# {run}"))]).lvm_rule.is_none());
        // Left to a service.
        let wants = "ENV{SYSTEMD_WANTS}+=\"lvm2-pvscan@8:1.service\"\n";
        assert!(of(&[(name, wants)]).lvm_rule.is_none());
    }

    #[test]
    fn a_crypttab_of_debian_9_is_read_as_well() {
        let layers = of(&[
            (
                "conf/conf.d/cryptroot",
                "target=sda2_crypt,source=UUID=1,key=/k,rootdev\n",
            ),
            ("scripts/local-top/cryptroot", "x"),
        ]);
        let line = &layers.crypttab[0];
        assert_eq!(
            (line.name.as_str(), line.spec.as_str()),
            ("sda2_crypt", "UUID=1")
        );
        assert_eq!(layers.keys_absent, ["/k"]);
        assert!(layers.crypt_script.is_some());
        // Of the newer one, the functions are needed.
        assert!(
            of(&[("scripts/local-top/cryptroot", "x")])
                .crypt_script
                .is_none()
        );
    }
}
