//! Triggers: noted so that dpkg of the patient sees to them (deb-triggers(5);
//! the files are told in dpkg's doc/spec/triggers.md and lib/dpkg/trigdeferred.l).
//!
//! Each is noted in `triggers/Unincorp` as one that nobody waits for. dpkg reads
//! that file when it starts the next time.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;

use super::files::Placed;
use super::info::Members;
use super::{FILE_MAX, rewrite};
use crate::sys::write_root::WriteRoot;

/// Names of triggers that were set off.
#[derive(Debug, Default)]
pub(super) struct Activated(BTreeSet<String>);

impl Activated {
    /// What the unpacking of a package sets off, by name and by its files; and
    /// what it is interested in from now on.
    pub(super) fn by_package(
        &mut self,
        write: &WriteRoot<'_>,
        home: &Path,
        members: &Members,
        stem: &str,
        placed: &Placed,
    ) -> Result<()> {
        let text = String::from_utf8_lossy(members.get("triggers")).into_owned();
        for line in text.lines() {
            let mut words = line.split_whitespace();
            let (Some(word), Some(name)) = (words.next(), words.next()) else {
                continue;
            };
            if !is_name(name) {
                continue;
            }
            match word.split_once('-').map_or(word, |(word, _)| word) {
                "activate" => drop(self.0.insert(name.to_owned())),
                "interest" => interested(write, home, name, stem, word.ends_with("-noawait"))?,
                _ => {}
            }
        }
        let file = read(write, &home.join("triggers/File"));
        let interests = file.lines().filter_map(|line| line.split_once(' '));
        let interests: Vec<&str> = interests.map(|(path, _)| path).collect();
        for path in placed.listed.iter().chain(&placed.removed) {
            let path = format!("/{}", String::from_utf8_lossy(path));
            let met = interests.iter().filter(|interest| {
                let rest = path.strip_prefix(**interest);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            });
            self.0.extend(met.map(|interest| (*interest).to_owned()));
        }
        Ok(())
    }
}

/// Names are of printable ASCII (deb-triggers(5)); one with a slash elsewhere
/// would be a path of its own.
fn is_name(name: &str) -> bool {
    let plain = name.bytes().all(|byte| byte.is_ascii_graphic());
    plain && (name.starts_with('/') || !name.contains('/')) && !name.starts_with('.')
}

/// Notes that a package is interested: for a path in `File`, else in a file of
/// that name.
fn interested(
    write: &WriteRoot<'_>,
    home: &Path,
    name: &str,
    stem: &str,
    is_noawait: bool,
) -> Result<()> {
    let package = match is_noawait {
        true => format!("{stem}/noawait"),
        false => stem.to_owned(),
    };
    let (path, line) = match name.starts_with('/') {
        true => (home.join("triggers/File"), format!("{name} {package}")),
        false => (home.join("triggers").join(name), package),
    };
    let before = read(write, &path);
    if before.lines().any(|known| known == line) {
        return Ok(());
    }
    rewrite(write, &path, 0o644, format!("{before}{line}\n").as_bytes())
}

fn read(write: &WriteRoot<'_>, path: &Path) -> String {
    let text = write.root().read_text(path, FILE_MAX);
    text.unwrap_or_default()
}

/// Notes what was set off.
pub(super) fn write(write: &WriteRoot<'_>, home: &Path, activated: &Activated) -> Result<()> {
    let path = home.join("triggers/Unincorp");
    let before = read(write, &path);
    let known: BTreeSet<&str> = before
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    let new = activated
        .0
        .iter()
        .filter(|name| !known.contains(name.as_str()));
    let lines: String = new.map(|name| format!("{name} -\n")).collect();
    if lines.is_empty() {
        return Ok(());
    }
    rewrite(write, &path, 0o644, format!("{before}{lines}").as_bytes())
}
