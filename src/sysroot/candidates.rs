//! Which filesystems look like the root of a system, with the reasons.

use serde::{Deserialize, Serialize};

use crate::date::date;
use crate::sys::root_dir::{Kind, RootDir};

/// A filesystem that looks like a root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Candidate {
    /// The filesystem's name, as `--root-device` takes it.
    pub name: String,
    /// Its UUID.
    pub uuid: Option<String>,
    /// The distribution, as far as it says.
    pub system: String,
    /// What makes it look like a root.
    pub signs: Vec<String>,
    /// When it was installed, as far as it shows, in seconds since 1970.
    #[serde(default)]
    pub installed: Option<i64>,
    /// When it last ran or was upgraded, as far as it shows.
    #[serde(default)]
    pub last_used: Option<i64>,
    /// The volumes that it stands on.
    #[serde(default)]
    pub below: Vec<String>,
}

impl Candidate {
    /// Distribution, last use and installation in a line.
    pub fn description(&self) -> String {
        let mut text = self.system.clone();
        let dates = [("last used", self.last_used), ("installed", self.installed)];
        for (what, time) in dates {
            if let Some(time) = time.and_then(|time| u64::try_from(time).ok()) {
                text.push_str(&format!(", {what} {}", date(time)));
            }
        }
        text
    }
}

/// Files that a running system writes to.
const TRACES: [&str; 8] = [
    "var/log/wtmp",
    "var/log/lastlog",
    "var/log/journal",
    "var/log/syslog",
    "var/log/messages",
    "var/log/dpkg.log",
    "var/lib/dpkg/status",
    "var/lib/systemd/random-seed",
];

/// Machine directories in the journal that are looked into.
const MOST_JOURNALS: usize = 16;

/// When the system last ran or was upgraded: the newest of what it writes to.
pub(super) fn last_used(root: &RootDir) -> Option<i64> {
    let time = |path: &str| root.metadata(path).map(|meta| meta.mtime).ok();
    let journals = root.read_dir("var/log/journal").unwrap_or_default();
    let journals = journals.iter().take(MOST_JOURNALS).filter_map(|machine| {
        let machine = machine.name.to_str()?;
        time(&format!("var/log/journal/{machine}/system.journal"))
    });
    TRACES
        .iter()
        .filter_map(|path| time(path))
        .chain(journals)
        // Trees made to be the same each time have the time zero.
        .filter(|time| *time > 0)
        .max()
}

/// When it was installed: files that nobody touches again.
pub(super) fn installed(root: &RootDir) -> Option<i64> {
    let traces = [
        "var/log/installer",
        "etc/machine-id",
        "etc/hostname",
        "lost+found",
    ];
    let times = traces.iter().map(|path| root.metadata(path));
    times.filter_map(|meta| Some(meta.ok()?.mtime)).min()
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
