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

/// Closes what processes that are dead by now have left open; names of what
/// could not be closed, with the reason.
pub fn clean() -> Vec<String> {
    let mut stuck = Vec::new();
    let Ok(entries) = fs::read_dir(DIR) else {
        return stuck;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        let dead = path
            .file_name()
            .and_then(|name| name.to_str()?.strip_suffix(".opened")?.parse::<u32>().ok())
            .is_some_and(|pid| !PathBuf::from(format!("/proc/{pid}")).exists());
        if !dead {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap_or_default();
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("array md_lifeboot")
                && let Err(error) = super::md::stop(&format!("md_lifeboot{name}"))
            {
                stuck.push(format!("array md_lifeboot{name}: {error}"));
            }
        }
        let _ = fs::remove_file(&path);
    }
    stuck
}
