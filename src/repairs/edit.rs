//! Lines of small files of the patient that become others, while every other
//! byte of the file stays what it is.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::Risk;
use crate::facts::Facts;
use crate::facts::text_file::TextFile;
use crate::finding::Finding;
use crate::journal::Action;

/// What stands before a line that was kept.
const WAS: &str = "# lifeboot: was ";

/// What stands above a line that is new.
const ADDED: &str = "# lifeboot: added";

/// Configuration that people write is smaller, and its lines are shorter.
const FILE_MAX: usize = 256 << 10;
const LINE_MAX: usize = 1000;

/// Lines of one file that a plan changes at most.
pub(super) const OF_ONE_FILE: usize = 50;

/// One line of a file that becomes another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Edit {
    /// The file.
    pub path: String,
    /// The line, from 1; 0 for one that is added at the end.
    pub line: usize,
    /// What it says.
    pub old: String,
    /// What it shall say; none when it only becomes a comment.
    pub new: Option<String>,
    /// False where the format has no comments to keep the old line in.
    #[serde(skip)]
    is_kept: bool,
    /// The whole file.
    #[serde(skip)]
    file: Arc<TextFile>,
}

/// A kind of repair that changes lines: one file beside this one.
#[derive(Debug)]
pub(super) struct EditKind {
    /// Its name, for people and scripts.
    pub(super) name: &'static str,
    /// The findings that it removes, by id.
    pub(super) removes: &'static [&'static str],
    /// Works out what to change about one finding.
    pub(super) plan: fn(&Facts, &Finding) -> Option<Edits>,
}

/// What a kind of repair would change about one finding.
#[derive(Debug)]
pub(super) struct Edits {
    pub(super) title: String,
    pub(super) risk: Risk,
    pub(super) lines: Vec<Edit>,
}

impl Edit {
    /// Line `number` becomes what `new` makes of it; the old one is kept as a
    /// comment above. None where the line is not a line by itself.
    pub(super) fn line(
        file: &TextFile,
        number: usize,
        new: impl FnOnce(&str) -> Option<String>,
    ) -> Option<Self> {
        let old = alone(file, number)?;
        let new = new(old)?;
        (new != old && is_line(&new)).then(|| Self {
            path: file.path.clone(),
            line: number,
            old: old.to_owned(),
            new: Some(new),
            is_kept: true,
            file: Arc::new(file.clone()),
        })
    }

    /// Line `number` becomes a comment.
    pub(super) fn comment(file: &TextFile, number: usize) -> Option<Self> {
        Some(Self {
            path: file.path.clone(),
            line: number,
            old: alone(file, number)?.to_owned(),
            new: None,
            is_kept: true,
            file: Arc::new(file.clone()),
        })
    }

    /// A line is added at the end.
    pub(super) fn added(file: &TextFile, new: String) -> Option<Self> {
        let goes_on = file.text.lines().last().is_some_and(|l| l.ends_with('\\'));
        (can_change(file) && !goes_on && is_line(&new)).then(|| Self {
            path: file.path.clone(),
            line: 0,
            old: String::new(),
            new: Some(new),
            is_kept: true,
            file: Arc::new(file.clone()),
        })
    }

    /// The same in a file that knows no comments.
    pub(super) fn unkept(self) -> Self {
        Self {
            is_kept: false,
            ..self
        }
    }

    /// True when `other` wants something else of the same line.
    pub(super) fn contradicts(&self, other: &Self) -> bool {
        let same = self.path == other.path && self.line == other.line && self.line != 0;
        same && (self.new != other.new || self.file != other.file)
    }
}

/// For plans and progress.
impl fmt::Display for Edit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path, line, old, ..
        } = self;
        match &self.new {
            Some(new) if *line == 0 => write!(f, "add to {path}: {}", shown(new)),
            Some(new) => write!(
                f,
                "{path} line {line}: {} becomes {}",
                shown(old),
                shown(new)
            ),
            None => write!(f, "{path} line {line}: {} becomes a comment", shown(old)),
        }
    }
}

/// A line of the patient's, which may hold anything.
fn shown(line: &str) -> String {
    line.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .escape_debug()
        .to_string()
}

/// A file that another can be put in the place of.
fn can_change(file: &TextFile) -> bool {
    file.is_plain && file.text.len() <= FILE_MAX
}

fn is_line(text: &str) -> bool {
    text.len() <= LINE_MAX && !text.contains(['\n', '\r', '\0'])
}

/// What line `number` says, where it is whole: it neither goes on in the next
/// line nor belongs to the one before.
fn alone(file: &TextFile, number: usize) -> Option<&str> {
    let index = number.checked_sub(1)?;
    let goes_on = |line: &str| line.trim_end().ends_with('\\');
    let before = index
        .checked_sub(1)
        .and_then(|at| file.text.lines().nth(at));
    let line = file.text.lines().nth(index)?;
    let fits = can_change(file) && is_line(line) && !goes_on(line);
    (fits && !before.is_some_and(goes_on)).then_some(line)
}

/// The changes of files that these lines come down to: each file is put once,
/// with all of its lines changed, and the old one is kept for an undo.
pub(super) fn actions(edits: &[&Edit]) -> Vec<Action> {
    let mut files: Vec<(&str, Vec<&Edit>)> = Vec::new();
    for &edit in edits {
        match files.iter_mut().find(|(path, _)| *path == edit.path) {
            Some((_, of_file)) => of_file.push(edit),
            None => files.push((edit.path.as_str(), vec![edit])),
        }
    }
    let mut actions = Vec::new();
    for (path, edits) in files {
        let Some(file) = edits.first().map(|edit| &edit.file) else {
            continue;
        };
        actions.push(Action::Quarantine { path: path.into() });
        actions.push(Action::PutFile {
            path: path.into(),
            text: changed(&file.text, &edits),
            mode: file.mode,
            uid: file.uid,
            gid: file.gid,
            xattrs: file.xattrs.clone(),
        });
    }
    actions
}

/// `text` with the lines changed.
fn changed(text: &str, edits: &[&Edit]) -> String {
    let numbered = edits.iter().filter(|edit| edit.line != 0);
    let numbered: BTreeMap<usize, &&Edit> = numbered.map(|edit| (edit.line, edit)).collect();
    let mut out = String::with_capacity(text.len() + 200);
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let Some(edit) = numbered.get(&(index + 1)) else {
            out.push_str(line);
            continue;
        };
        let body = line.strip_suffix('\n').unwrap_or(line);
        let body = body.strip_suffix('\r').unwrap_or(body);
        let ending = &line[body.len()..];
        if edit.is_kept || edit.new.is_none() {
            out += WAS;
            out += body;
        }
        if let Some(new) = &edit.new {
            if edit.is_kept {
                out += if ending.is_empty() { "\n" } else { ending };
            }
            out += new;
        }
        out += ending;
    }
    let mut added: Vec<&String> = Vec::new();
    for edit in edits.iter().filter(|edit| edit.line == 0) {
        let Some(new) = edit.new.as_ref().filter(|new| !added.contains(new)) else {
            continue;
        };
        if !out.is_empty() && !out.ends_with('\n') {
            out.push('\n');
        }
        if edit.is_kept {
            out += ADDED;
            out.push('\n');
        }
        out += new;
        out.push('\n');
        added.push(new);
    }
    out
}

#[cfg(test)]
#[path = "edit_tests.rs"]
mod tests;
