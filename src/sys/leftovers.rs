//! What this program opened in the kernel, noted outside of it.
//!
//! Mounts live in a private namespace and loop devices detach by themselves,
//! so both vanish with the process however it ends. Arrays and mappings do not:
//! each is noted in `/run/lifeboot/PID.opened`, and whoever finds the note of a dead
//! process stops what it names.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

const DIR: &str = "/run/lifeboot";

/// What a note is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An md array.
    Array,
    /// A device-mapper mapping.
    Mapping,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Array => "array",
            Self::Mapping => "mapping",
        }
    }
}

fn file_of(pid: u32) -> PathBuf {
    PathBuf::from(format!("{DIR}/{pid}.opened"))
}

/// Notes that something was opened. Best effort: a rescue system without a
/// writable `/run` still has the ordinary clean-up.
pub fn note(kind: Kind, name: &str) {
    let _ = fs::create_dir_all(DIR);
    let file = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(file_of(std::process::id()));
    if let Ok(mut file) = file {
        let _ = writeln!(file, "{} {name}", kind.word());
    }
}

/// Takes a note back, after the thing was closed.
pub fn forget(kind: Kind, name: &str) {
    let path = file_of(std::process::id());
    let Ok(text) = fs::read_to_string(&path) else {
        return;
    };
    let gone = format!("{} {name}", kind.word());
    let rest: Vec<_> = text.lines().filter(|line| *line != gone).collect();
    let _ = if rest.is_empty() {
        fs::remove_file(&path)
    } else {
        fs::write(&path, rest.join("\n") + "\n")
    };
}

/// What a dead process left open, newest first: what stands on another thing
/// was opened after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// The file with its notes.
    pub file: PathBuf,
    /// The notes.
    pub notes: Vec<(Kind, String)>,
}

/// The notes of processes that are dead by now.
pub fn of_the_dead() -> Vec<Left> {
    let Ok(entries) = fs::read_dir(DIR) else {
        return Vec::new();
    };
    entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            path.file_name()
                .and_then(|name| name.to_str()?.strip_suffix(".opened")?.parse::<u32>().ok())
                .is_some_and(|pid| !PathBuf::from(format!("/proc/{pid}")).exists())
        })
        .map(|file| {
            let text = fs::read_to_string(&file).unwrap_or_default();
            Left {
                notes: notes(&text),
                file,
            }
        })
        .collect()
}

fn notes(text: &str) -> Vec<(Kind, String)> {
    let known = [Kind::Array, Kind::Mapping];
    text.lines()
        .rev()
        .filter_map(|line| {
            let (word, name) = line.split_once(' ')?;
            let kind = known.into_iter().find(|kind| kind.word() == word)?;
            Some((kind, name.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_on_top_is_closed_first() {
        let text = "array md_lifeboot0\nmapping dm_lifeboot7_0\nnonsense\nmapping dm_lifeboot7_1\n";
        let expected = [
            (Kind::Mapping, "dm_lifeboot7_1".to_owned()),
            (Kind::Mapping, "dm_lifeboot7_0".to_owned()),
            (Kind::Array, "md_lifeboot0".to_owned()),
        ];
        assert_eq!(notes(text), expected);
    }
}
