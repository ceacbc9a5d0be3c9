//! The names in one directory, so that a probe for what is not there costs
//! nothing.

use std::collections::HashMap;
use std::path::Path;

use crate::sys::root_dir::{Kind, RootDir};

/// Longest name that a filesystem takes (`NAME_MAX`).
const NAME_BYTES_MAX: usize = 255;

/// What remembering one name costs besides its text.
const ENTRY_BYTES: usize = 48;

/// A directory that exists.
#[derive(Debug)]
pub(super) struct Names {
    /// Its path without any link.
    real: String,
    /// Each name and whether it is a regular file; `None` when that is not
    /// known: the directory is too large, or cannot be read.
    kinds: Option<HashMap<Box<str>, bool>>,
    /// What it costs to remember it.
    pub(super) bytes: usize,
}

impl Names {
    /// Reads the directory at `path`, which has no link in it, if its names
    /// fit into `room`.
    pub(super) fn read(root: &RootDir, path: &Path, room: usize) -> Self {
        let mut names = Self {
            real: path.to_string_lossy().trim_end_matches('/').to_owned(),
            kinds: None,
            bytes: 0,
        };
        let Ok(directory) = root.directory(path) else {
            return names;
        };
        let mut directory = directory;
        let entries = directory.entries().unwrap_or_default();
        let cost = |name: &std::ffi::OsStr| name.len() + ENTRY_BYTES;
        let bytes: usize = entries.iter().map(|entry| cost(&entry.name)).sum();
        // A name that ignores case answers to more than is listed.
        let plain = entries.iter().find_map(|entry| entry.name.to_str());
        let answers_otherwise = plain.map(flipped).is_some_and(|other| {
            directory.metadata(other.as_ref()).is_ok()
                && !entries.iter().any(|entry| entry.name == *other)
        });
        if bytes > room || answers_otherwise || path.to_str().is_none() || entries.is_empty() {
            return names;
        }
        names.bytes = bytes;
        names.kinds = Some(
            entries
                .into_iter()
                .filter_map(|entry| {
                    let name = entry.name.to_str()?;
                    Some((name.into(), entry.kind == Kind::File))
                })
                .collect(),
        );
        names
    }

    /// Where `name` leads: `None` when only the kernel knows, `Some(None)` to
    /// nothing, else to a regular file at that path without any link.
    pub(super) fn find(&self, name: &str) -> Option<Option<String>> {
        let kinds = self.kinds.as_ref()?;
        if name.len() > NAME_BYTES_MAX || matches!(name, "" | "." | "..") {
            return None;
        }
        match kinds.get(name) {
            None => Some(None),
            Some(true) => Some(Some(format!("{}/{name}", self.real))),
            Some(false) => None,
        }
    }
}

/// The same name in the other case.
fn flipped(name: &str) -> String {
    let flip = |c: char| match c {
        'a'..='z' => c.to_ascii_uppercase(),
        _ => c.to_ascii_lowercase(),
    };
    name.chars().map(flip).collect()
}
