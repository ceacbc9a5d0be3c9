//! Which filesystems look like the root of a system, with the reasons.

use serde::{Deserialize, Serialize};

use crate::sys::root_dir::{Kind, RootDir};

/// A filesystem that looks like a root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The filesystem's name, as `--root-device` takes it.
    pub name: String,
    /// Its UUID.
    pub uuid: Option<String>,
    /// The distribution, as far as it says.
    pub system: String,
    /// What makes it look like a root.
    pub signs: Vec<String>,
}

/// Things that lie in the root of a system. A broken system lacks some, so
/// a few of them are enough.
const SIGNS: [(&str, Kind); 9] = [
    ("var/lib/dpkg", Kind::Directory),
    ("etc/fstab", Kind::File),
    ("etc/passwd", Kind::File),
    ("etc/hostname", Kind::File),
    ("var/lib", Kind::Directory),
    ("usr/share", Kind::Directory),
    ("usr/lib", Kind::Directory),
    ("root", Kind::Directory),
    ("etc/init.d", Kind::Directory),
];

/// How many of [`SIGNS`] make a root.
const ENOUGH: usize = 3;

/// The signs of a root that `root` shows; fewer than three are none.
pub(super) fn signs(root: &RootDir) -> Vec<String> {
    let found: Vec<_> = SIGNS
        .iter()
        .filter(|(path, kind)| root.metadata(path).is_ok_and(|meta| meta.kind == *kind))
        .map(|(path, _)| format!("/{path}"))
        .collect();
    if found.len() < ENOUGH {
        return Vec::new();
    }
    found
}

/// The distribution's own name for itself, or what there is instead.
pub(super) fn system_name(root: &RootDir) -> String {
    const LIMIT: u64 = 64 * 1024;
    let text = ["etc/os-release", "usr/lib/os-release"]
        .iter()
        .find_map(|path| root.read_text(path, LIMIT).ok())
        .unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))
        .map(|name| name.trim_matches('"').to_owned())
        .or_else(|| {
            let version = root.read_text("etc/debian_version", LIMIT).ok()?;
            Some(format!("Debian {}", version.trim()))
        })
        .unwrap_or_else(|| "a system that does not say its name".into())
}
