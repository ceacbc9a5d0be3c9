//! A script, followed from its top.

use std::borrow::Cow;
use std::collections::HashMap;

use super::expand::{RealPath, Scope, joined, name_length};
use super::split::{Piece, commands, split_at, words};
use crate::facts::library_path::LibraryPath;

/// Shells whose scripts are read.
const SHELLS: [&str; 6] = ["sh", "bash", "dash", "ash", "ksh", "zsh"];

/// Most bytes of a script; one that only prepares a start has few.
pub(in crate::facts) const SCRIPT_BYTES_MAX: u64 = 64 * 1024;

/// Programs of one script.
const RUNS_MAX: usize = 256;

/// Scripts that are read into one.
const SOURCES_MAX: usize = 8;

/// A longer search path is none.
const PATH_BYTES_MAX: usize = 16 * 1024;

const VARIABLE: &str = "LD_LIBRARY_PATH";

/// What surrounds a script.
pub(in crate::facts) struct Context<'f> {
    /// The path it is started by; `None` for the argument of `sh -c`.
    pub(in crate::facts) path: Option<&'f str>,
    /// The search path that whoever starts it gives it.
    pub(in crate::facts) library_path: Option<&'f LibraryPath>,
    /// Where a path leads, without any link.
    pub(in crate::facts) real_path: RealPath<'f>,
    /// The text of another script.
    pub(in crate::facts) read: &'f dyn Fn(&str) -> Option<String>,
}

/// A program that a script runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::facts) struct Run {
    /// Its path, or a bare name.
    pub(in crate::facts) program: String,
    /// What follows it; `None` for what is not clear.
    pub(in crate::facts) arguments: Vec<Option<String>>,
    /// The `LD_LIBRARY_PATH` it is given.
    pub(in crate::facts) library_path: Option<LibraryPath>,
    /// It runs whatever else is the case.
    pub(in crate::facts) is_certain: bool,
}

/// True for the path of a shell.
pub(in crate::facts) fn is_shell(program: &str) -> bool {
    program
        .rsplit('/')
        .next()
        .is_some_and(|name| SHELLS.contains(&name))
}

/// The text, if it is a script for a shell.
pub(in crate::facts) fn shell_script(text: &str) -> Option<&str> {
    let line = text.strip_prefix("#!")?.lines().next()?;
    let mut names = line.split_whitespace();
    let first = names.next()?;
    let is_by_env = first.ends_with("/env") && names.next().is_some_and(is_shell);
    (is_shell(first) || is_by_env).then_some(text)
}

/// The programs that a script runs, in their order.
pub(in crate::facts) fn runs(text: &str, context: &Context<'_>) -> Vec<Run> {
    read(text, context).runs
}

/// What a variable holds at the end of a script, if that is clear.
pub(in crate::facts) fn variable(text: &str, context: &Context<'_>, name: &str) -> Option<String> {
    read(text, context).scope.variables.remove(name).flatten()
}

fn read<'f>(text: &str, context: &'f Context<'f>) -> Reader<'f> {
    let mut reader = Reader {
        context,
        scope: Scope {
            zero: context.path.map(str::to_owned),
            directory: None,
            variables: HashMap::new(),
            real_path: context.real_path,
        },
        library_path: context.library_path.cloned(),
        is_exported: context.library_path.is_some(),
        depth: 0,
        sources: 0,
        runs: Vec::new(),
    };
    reader.note_library_path();
    reader.follow(text);
    reader
}

struct Reader<'f> {
    context: &'f Context<'f>,
    scope: Scope<'f>,
    library_path: Option<LibraryPath>,
    is_exported: bool,
    /// `if`, loops and functions around what is read.
    depth: usize,
    sources: usize,
    runs: Vec<Run>,
}

impl Reader<'_> {
    fn follow(&mut self, text: &str) {
        for piece in commands(text) {
            if self.runs.len() >= RUNS_MAX {
                return;
            }
            self.command(piece);
        }
    }

    fn command(&mut self, piece: Piece<'_>) {
        let mut words = words(piece.text);
        let was_inside = self.depth > 0;
        let is_head = self.take_keywords(&mut words);
        let is_certain = !piece.is_joined && !was_inside && self.depth == 0;
        if is_head {
            return;
        }
        let count = words
            .iter()
            .take_while(|word| assignment(word).is_some())
            .count();
        let (assigned, command) = words.split_at(count);
        let Some((&name, arguments)) = command.split_first() else {
            assigned
                .iter()
                .for_each(|word| self.assign(word, is_certain));
            return;
        };
        match name {
            "export" | "declare" | "typeset" | "readonly" => {
                for word in arguments {
                    self.assign(word, is_certain);
                    let is_it = assignment(word).map_or(*word, |(name, _)| name) == VARIABLE;
                    self.is_exported |= is_it && name != "readonly";
                }
            }
            "unset" if arguments.contains(&VARIABLE) && is_certain => {
                self.library_path = None;
                self.is_exported = false;
                self.note_library_path();
            }
            "cd" => {
                let to = arguments.iter().find(|word| !word.starts_with('-'));
                let to = to.and_then(|word| self.scope.expand(word));
                let from = self.scope.directory.take();
                self.scope.directory = to.and_then(|to| joined(from.as_deref(), &to));
            }
            "." | "source" => self.source(arguments),
            _ => self.run(assigned, command, is_certain),
        }
    }

    /// Takes the words of compound commands away, and counts them; true when
    /// no command of its own is left.
    fn take_keywords(&mut self, words: &mut Vec<&str>) -> bool {
        loop {
            match words.first().copied() {
                Some("if" | "while" | "until" | "{") => self.depth += 1,
                Some("for" | "case" | "select") => {
                    self.depth += 1;
                    return true;
                }
                Some("fi" | "done" | "esac" | "}") => {
                    self.depth = self.depth.saturating_sub(1);
                    return true;
                }
                Some("then" | "else" | "elif" | "do" | "!" | "time") => {}
                Some("function") => {
                    self.depth += usize::from(words.contains(&"{"));
                    return true;
                }
                None => return true,
                Some(_) => return false,
            }
            words.remove(0);
        }
    }

    fn assign(&mut self, word: &str, is_certain: bool) {
        let Some((name, value)) = assignment(word) else {
            return;
        };
        if name == VARIABLE {
            let before = self.library_path.take();
            self.library_path = Some(self.given(&value, before, is_certain));
            self.note_library_path();
            return;
        }
        let expanded = self.scope.expand(&value);
        if self.scope.variables.len() < RUNS_MAX {
            // Of two branches nobody knows which was taken, unless both say so.
            let known = self.scope.variables.get(name);
            let is_open = !is_certain && known.is_some_and(|known| *known != expanded);
            let value = expanded.filter(|_| !is_open);
            self.scope.variables.insert(name.to_owned(), value);
        }
    }

    /// The search path after an assignment.
    fn given(&self, word: &str, before: Option<LibraryPath>, is_certain: bool) -> LibraryPath {
        let (value, is_clear) = match self.scope.expand(word) {
            Some(value) => (value, is_certain),
            // What of it is clear may be enough.
            None => {
                let places = places(word);
                let clear = places.filter_map(|place| self.scope.expand(place));
                (clear.collect::<Vec<_>>().join(":"), false)
            }
        };
        let given = match before {
            // What a branch says stands beside what was there.
            Some(before) if !is_clear => LibraryPath {
                is_clear: before.is_clear && before.value == value,
                value: format!("{value}:{}", before.value),
            },
            _ => LibraryPath { value, is_clear },
        };
        if given.value.len() > PATH_BYTES_MAX {
            return LibraryPath {
                value: String::new(),
                is_clear: false,
            };
        }
        given
    }

    /// `$LD_LIBRARY_PATH` is what the path is so far.
    fn note_library_path(&mut self) {
        let variables = &mut self.scope.variables;
        match &self.library_path {
            Some(path) => variables.insert(VARIABLE.to_owned(), Some(path.value.clone())),
            None => variables.remove(VARIABLE),
        };
    }

    /// A script that is read into this one may set the search path.
    fn source(&mut self, arguments: &[&str]) {
        if self.sources >= SOURCES_MAX {
            return;
        }
        let path = arguments.first().and_then(|word| self.scope.expand(word));
        let path = path.and_then(|path| joined(self.scope.directory.as_deref(), &path));
        let text = path.and_then(|path| (self.context.read)(&path));
        self.sources += 1;
        if let Some(text) = text.filter(|text| text.contains(VARIABLE)) {
            self.follow(&text);
        }
    }

    fn run(&mut self, assigned: &[&str], command: &[&str], is_certain: bool) {
        let mut own = None;
        let mut words = command;
        for word in assigned {
            own = self.own_path(word).or(own);
        }
        // Words that have another program started.
        while let Some((&first, rest)) = words.split_first() {
            let name = self.scope.expand(first);
            let last = name.as_deref().and_then(|name| name.rsplit('/').next());
            match last {
                Some("exec" | "command" | "nohup" | "setsid") => words = rest,
                Some("env") => {
                    let count = rest
                        .iter()
                        .take_while(|word| assignment(word).is_some())
                        .count();
                    let (assigned, rest) = rest.split_at(count);
                    for word in assigned {
                        own = self.own_path(word).or(own);
                    }
                    words = rest;
                }
                _ => break,
            }
        }
        let Some((first, rest)) = words.split_first() else {
            return;
        };
        let Some(program) = self.scope.expand(first).and_then(|name| self.place(name)) else {
            return;
        };
        let exported = self.library_path.clone().filter(|_| self.is_exported);
        let library_path = own.or(exported).map(|path| self.absolute(path));
        self.runs.push(Run {
            program,
            arguments: rest.iter().map(|word| self.scope.expand(word)).collect(),
            library_path: library_path.filter(|path| !path.is_empty()),
            is_certain,
        });
    }

    /// The search path that stands before one command.
    fn own_path(&self, word: &str) -> Option<LibraryPath> {
        let (name, value) = assignment(word)?;
        (name == VARIABLE).then(|| self.given(&value, None, true))
    }

    /// A name with a slash in it is a path from the working directory.
    fn place(&self, name: String) -> Option<String> {
        match name.contains('/') {
            true => joined(self.scope.directory.as_deref(), &name),
            false => Some(name).filter(|name| !name.is_empty() && !name.starts_with('-')),
        }
    }

    /// Directories from the working directory, where that is known.
    fn absolute(&self, path: LibraryPath) -> LibraryPath {
        let Some(directory) = self.scope.directory.as_deref() else {
            return path;
        };
        let places = path
            .value
            .split([':', ';'])
            .filter(|place| !place.is_empty());
        let places = places.map(|place| match place.starts_with(['/', '$']) {
            true => place.to_owned(),
            false => joined(Some(directory), place).unwrap_or_default(),
        });
        LibraryPath {
            value: places.collect::<Vec<_>>().join(":"),
            is_clear: path.is_clear,
        }
    }
}

/// The parts of a search path, which may stand in quotes as a whole.
fn places(word: &str) -> impl Iterator<Item = &str> {
    let inner = word
        .strip_prefix('"')
        .and_then(|word| word.strip_suffix('"'));
    let word = inner.filter(|inner| !inner.contains('"')).unwrap_or(word);
    split_at(word, b':').into_iter()
}

/// `NAME=VALUE`, and `NAME+=VALUE` as `NAME=${NAME}VALUE`.
fn assignment(word: &str) -> Option<(&str, Cow<'_, str>)> {
    let (name, rest) = word.split_at(name_length(word));
    let value = match rest.strip_prefix("+=") {
        Some(more) => Cow::Owned(format!("${{{name}}}{more}")),
        None => Cow::Borrowed(rest.strip_prefix('=')?),
    };
    (!name.is_empty()).then_some((name, value))
}

#[cfg(test)]
#[path = "script_tests.rs"]
mod tests;
