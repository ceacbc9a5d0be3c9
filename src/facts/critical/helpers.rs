//! What fstab, the kernel and modprobe have executed.
//!
//! Sources: mount(8), systemd-fsck@.service(8), modprobe.d(5).

use super::Role;
use super::collect::{Absence, Gathering};

/// Without it nothing is mounted.
const MOUNT: &str = "/usr/bin/mount";

/// Where helpers of mount and fsck lie.
const HELPERS: [&str; 2] = ["/sbin", "/usr/sbin"];

/// Where modprobe is told what to execute in a module's place.
const MODPROBE: [&str; 3] = ["/etc/modprobe.d", "/usr/lib/modprobe.d", "/lib/modprobe.d"];

const LIMIT: u64 = 1 << 20;

pub(super) fn gather(gathering: &mut Gathering<'_, '_>, kernel: usize, init: usize) {
    mounts(gathering, init);
    modprobe(gathering, kernel);
}

/// The programs that mount and check what fstab names.
fn mounts(gathering: &mut Gathering<'_, '_>, init: usize) {
    let mounts = gathering.sources.mounts;
    if mounts.lines.is_empty() {
        return;
    }
    let step = gathering.step(
        "/etc/fstab",
        "what is mounted",
        Some(init),
        Some("/etc/fstab"),
    );
    for entry in mounts.lines.iter().map(|line| &line.entry) {
        if entry.is_swap() || entry.has("noauto") {
            continue;
        }
        let is_root = entry.target.as_os_str() == "/";
        let role = if entry.has("nofail") {
            Role::Service
        } else {
            Role::Mount
        };
        // The root is mounted by the initramfs and only changed later.
        if !is_root {
            gathering.start(MOUNT, role, step, Absence::Counts);
        }
        let names = [
            format!("mount.{}", entry.fstype),
            format!("fsck.{}", entry.fstype),
        ];
        for name in names {
            for folder in HELPERS {
                gathering.start(&format!("{folder}/{name}"), role, step, Absence::Allowed);
            }
        }
    }
}

/// modprobe, which the kernel calls, and the commands of `install` lines.
fn modprobe(gathering: &mut Gathering<'_, '_>, kernel: usize) {
    let step = gathering.step("kernel", "loads modules by name", Some(kernel), None);
    gathering.start("/sbin/modprobe", Role::Helper, step, Absence::Allowed);
    for folder in MODPROBE {
        for entry in gathering.root().read_dir(folder).unwrap_or_default() {
            let path = format!("{folder}/{}", entry.name.to_string_lossy());
            if !path.ends_with(".conf") {
                continue;
            }
            let text = gathering.root().read_text(&path, LIMIT).unwrap_or_default();
            for line in text.lines() {
                let mut words = line.split_whitespace();
                if words.next() != Some("install") {
                    continue;
                }
                if let Some(program) = words.nth(1).filter(|word| word.starts_with('/')) {
                    let step = gathering.step("modprobe", &path, Some(step), Some(&path));
                    gathering.start(program, Role::Helper, step, Absence::Allowed);
                }
            }
        }
    }
}
