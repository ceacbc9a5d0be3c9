//! Conditions of a unit that the root's own files decide.
//!
//! Source: systemd.unit(5), "Conditions and Asserts".

use super::text::{self, Setting, values};
use crate::sys::root_dir::{Kind, Meta, RootDir};

/// Filesystems of the running system: what is in them is not known here.
const RUNNING: [&str; 4] = ["/run", "/proc", "/sys", "/dev"];

/// Whether a boot of this root starts a unit that it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Yes.
    Yes,
    /// The running system decides.
    Perhaps,
    /// It is passed over at every boot.
    No,
}

/// What the conditions of a unit say.
pub(super) fn wanted(settings: &[Setting], root: &RootDir) -> Wanted {
    if !holds(settings, root) {
        return Wanted::No;
    }
    let conditions = text::with_prefix(settings, "Unit", "Condition");
    let mut others = conditions.filter(|(key, value)| {
        let decided = TESTS.iter().any(|(name, _)| name == key);
        !decided || is_unclear(value.trim_start_matches(['!', '|']))
    });
    match others.next() {
        Some(_) => Wanted::Perhaps,
        None => Wanted::Yes,
    }
}

fn is_unclear(path: &str) -> bool {
    let running = RUNNING.iter().any(|dir| path.starts_with(dir));
    running || !path.starts_with('/') || path.contains(['%', '*', '?'])
}

/// False when the root's own files say that it is passed over.
fn holds(settings: &[Setting], root: &RootDir) -> bool {
    TESTS.iter().all(|(key, test)| {
        let values = values(settings, "Unit", key);
        // `|` marks conditions of which one is enough.
        values
            .into_iter()
            .filter(|value| !value.starts_with('|'))
            .all(|value| {
                let (path, expected) = match value.strip_prefix('!') {
                    Some(path) => (path.trim_start(), false),
                    None => (value, true),
                };
                is_unclear(path) || test(root, path) == expected
            })
    })
}

type Test = fn(&RootDir, &str) -> bool;

const TESTS: [(&str, Test); 5] = [
    ("ConditionPathExists", |root, path| {
        root.metadata(path).is_ok()
    }),
    ("ConditionPathIsDirectory", |root, path| {
        is(root, path, |meta| meta.kind == Kind::Directory)
    }),
    ("ConditionFileNotEmpty", |root, path| {
        is(root, path, |meta| meta.kind == Kind::File && meta.size > 0)
    }),
    ("ConditionFileIsExecutable", |root, path| {
        is(root, path, |meta| {
            meta.kind == Kind::File && meta.is_executable()
        })
    }),
    ("ConditionDirectoryNotEmpty", |root, path| {
        root.read_dir(path).is_ok_and(|entries| !entries.is_empty())
    }),
];

fn is(root: &RootDir, path: &str, test: impl Fn(&Meta) -> bool) -> bool {
    root.metadata(path).is_ok_and(|meta| test(&meta))
}
