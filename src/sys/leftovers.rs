//! What this program opened in the kernel, noted outside of it.
//!
//! Mounts live in a private namespace and loop devices detach by themselves,
//! so both vanish with the process however it ends. Arrays do not: each is
//! noted in `/run/lifeboot/PID.opened`, and whoever finds the note of a dead
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
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Array => "array",
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

/// The notes of processes that are dead by now: what they left open.
pub fn of_the_dead() -> Vec<(PathBuf, Vec<String>)> {
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
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let names = text.lines().filter_map(|line| line.strip_prefix("array "));
            let names = names.map(str::to_owned).collect();
            (path, names)
        })
        .collect()
}
