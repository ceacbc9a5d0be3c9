//! What programs of the patient said in the rehearsals before a commit: kept
//! beside the journal, for people. Nothing is decided by it.

use std::io::{ErrorKind, Write};
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::store::Place;
use crate::sys::exact;
use crate::sys::failpoint::hit;
use crate::sys::root_dir::RootDir;
use crate::sys::write_root::WriteRoot;

/// The most bytes of one program's output that are kept: its end.
pub const OUTPUT_BYTES: usize = 256 << 10;

/// More programs than any plan has; of more the last ones are kept.
const PROGRAMS_MAX: usize = 100;

/// More than [`PROGRAMS_MAX`] of them take in JSON.
const FILE_BYTES: u64 = 64 << 20;

/// A program of the patient that ran in a rehearsal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Ran {
    /// Which rehearsal of this repair it was, from 1: what failed in one is left
    /// out of the next.
    pub rehearsal: usize,
    /// Its words, as they would be typed.
    pub line: String,
    /// When it began, in seconds since 1970 by the clock of the rescue system.
    pub started: u64,
    /// Seconds until its end.
    pub seconds: u64,
    /// How it ended: `code 0`.
    pub ended: String,
    /// True when that was well.
    pub well: bool,
    /// What it said, the beginning left out where that is too long.
    pub output: String,
    /// True when the beginning is left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

impl Ran {
    /// Adds a line of its output.
    pub fn hear(&mut self, line: &str) {
        // Nothing that a terminal would obey.
        let shown = |c: char| if c.is_control() && c != '\t' { '?' } else { c };
        self.output.extend(line.chars().map(shown));
        self.output.push('\n');
        // Not at each line: taking the beginning away moves the rest.
        if self.output.len() > 2 * OUTPUT_BYTES {
            self.shorten();
        }
    }

    /// Leaves the beginning out, whole lines, where it is too long.
    pub fn shorten(&mut self) {
        let Some(over) = self.output.len().checked_sub(OUTPUT_BYTES + 1) else {
            return;
        };
        let mut bytes = self.output.bytes().enumerate().skip(over);
        match bytes.find(|(_, byte)| *byte == b'\n') {
            Some((end, _)) => drop(self.output.drain(..=end)),
            None => self.output.clear(),
        }
        self.cut = true;
    }
}

/// Bytes on the disk, about.
pub(super) fn room_for(programs: &[Ran]) -> u64 {
    let of = |one: &Ran| (one.line.len() + 2 * one.output.len() + 512) as u64;
    programs.iter().rev().take(PROGRAMS_MAX).map(of).sum()
}

/// Notes what they said, before the first change.
pub(super) fn write(write: &WriteRoot<'_>, place: &Place, programs: &[Ran]) -> Result<()> {
    let kept = &programs[programs.len().saturating_sub(PROGRAMS_MAX)..];
    if kept.is_empty() {
        return Ok(());
    }
    let path = place.programs();
    let context = || format!("writing {}", path.display());
    let text = serde_json::to_vec_pretty(kept)?;
    let mut file = write.create(&path).with_context(context)?;
    file.write_all(&text).with_context(context)?;
    hit("commit/programs-written")?;
    file.sync_all().with_context(context)?;
    hit("commit/programs")?;
    Ok(())
}

/// What programs said before the commit of the transaction `id`; nothing where
/// none ran, or where an older Lifeboot kept nothing.
///
/// # Errors
/// It cannot be read.
pub fn programs(root: &RootDir, id: &str) -> Result<Vec<Ran>> {
    let path = Place::new(id).programs();
    let bytes = match read(root, &path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        answer => answer.with_context(|| format!("reading {}", path.display()))?,
    };
    let mut all: Vec<Ran> =
        serde_json::from_slice(&bytes).with_context(|| format!("{} is damaged", path.display()))?;
    all.truncate(PROGRAMS_MAX);
    all.iter_mut().for_each(Ran::shorten);
    Ok(all)
}

fn read(root: &RootDir, path: &Path) -> std::io::Result<Vec<u8>> {
    exact::read(root, path, FILE_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_long_output_the_last_lines_are_kept() {
        let mut ran = Ran::default();
        let line = "x".repeat(99);
        for _ in 0..3 * OUTPUT_BYTES / 100 {
            ran.hear(&line);
        }
        ran.hear("ä the\x1b[2J last one");
        ran.shorten();
        assert!(ran.cut && ran.output.len() <= OUTPUT_BYTES);
        assert!(ran.output.len() > OUTPUT_BYTES - 100);
        assert!(ran.output.starts_with(&line) && ran.output.ends_with("ä the?[2J last one\n"));
        let mut short = Ran::default();
        short.hear("one");
        short.shorten();
        assert_eq!((short.output.as_str(), short.cut), ("one\n", false));
        // No line ends within what is to be kept.
        let mut endless = Ran {
            output: "ä".repeat(OUTPUT_BYTES),
            ..Ran::default()
        };
        endless.shorten();
        assert_eq!((endless.output.as_str(), endless.cut), ("", true));
    }
}
