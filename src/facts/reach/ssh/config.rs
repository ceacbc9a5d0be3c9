//! sshd_config(5), read as sshd reads it.
//!
//! Source: OpenSSH, servconf.c (`process_server_config_line_depth`), misc.c
//! (`strdelim`, `argv_split`).

use super::super::glob::Budget;
use super::program::Program;
use super::rules;
use crate::sys::root_dir::RootDir;

use serde::{Deserialize, Serialize};

/// Most bytes of one file.
const LIMIT: u64 = 1 << 20;

/// `SERVCONF_MAX_DEPTH`.
const DEPTH_MAX: usize = 16;

/// Refused lines that are told; sshd itself stops at one of them.
const REFUSED_MAX: usize = 20;

/// Where some distributions keep what the administrator did not change.
const VENDOR: &str = "/usr";

/// Files and bytes in all: one that includes itself twice would never end.
const FILES_MAX: usize = 1000;
const BYTES_MAX: usize = 8 << 20;

/// A line that makes sshd refuse its configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Refused {
    /// The file.
    pub path: String,
    /// The line, from 1; 0 for the file itself.
    pub line: usize,
    /// What it says.
    pub text: String,
    /// What sshd says to that.
    pub why: String,
    /// True when it does not know the option at all.
    #[serde(default)]
    pub is_unknown: bool,
}

/// One line that sshd understands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Directive {
    pub(super) path: String,
    pub(super) line: usize,
    /// In small letters.
    pub(super) keyword: String,
    pub(super) arguments: Vec<String>,
    /// Inside a Match block.
    pub(super) matched: bool,
}

/// The whole configuration.
#[derive(Debug, Default)]
pub(super) struct Config {
    pub(super) directives: Vec<Directive>,
    pub(super) refused: Vec<Refused>,
    /// A file that is there and could not be read, and why.
    pub(super) unreadable: Option<String>,
    files: usize,
    bytes: usize,
    patterns: Budget,
}

impl Config {
    /// Reads `path` and what it includes.
    pub(super) fn read(root: &RootDir, path: &str, program: &Program) -> Self {
        let mut config = Self::default();
        config.file(root, path, program, false, 0);
        config
    }

    fn file(
        &mut self,
        root: &RootDir,
        path: &str,
        program: &Program,
        mut matched: bool,
        depth: usize,
    ) {
        self.files += 1;
        if self.is_too_much() {
            return;
        }
        let text = match root.read_text(path, LIMIT) {
            Ok(text) => text,
            // An included file that is missing is passed over.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && depth > 0 => return,
            // SUSE's sshd reads the distribution's own file then.
            Err(error)
                if error.kind() == std::io::ErrorKind::NotFound
                    && !path.starts_with(VENDOR)
                    && root.metadata(format!("{VENDOR}{path}")).is_ok() =>
            {
                self.file(root, &format!("{VENDOR}{path}"), program, matched, depth);
                return;
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                self.refuse(path, 0, "", "there is no such file");
                return;
            }
            Err(error) => {
                self.unreadable = Some(format!("{path}: {error}"));
                return;
            }
        };
        self.bytes = self.bytes.saturating_add(text.len());
        for (index, raw) in text.lines().enumerate() {
            if self.is_too_much() || self.refused.len() >= REFUSED_MAX {
                return;
            }
            let line = index + 1;
            let Some(words) = words(raw, program.is_recent) else {
                self.refuse(path, line, raw, "a quote is not closed");
                continue;
            };
            let Some((keyword, arguments)) = words.split_first() else {
                continue;
            };
            let directive = Directive {
                path: path.to_owned(),
                line,
                keyword: keyword.to_ascii_lowercase(),
                arguments: arguments.to_vec(),
                matched,
            };
            if let Err(why) = rules::judge(&directive, keyword, program) {
                self.refuse(path, line, raw, &why);
                continue;
            }
            match directive.keyword.as_str() {
                "match" => matched = !is_all(&directive.arguments),
                "include" => self.include(root, &directive, program, depth),
                _ => self.directives.push(directive),
            }
        }
    }

    fn is_too_much(&mut self) -> bool {
        let too_much = self.files > FILES_MAX || self.bytes > BYTES_MAX;
        if too_much {
            self.unreadable = Some("it includes more than a thousand files or 8 MiB".into());
        }
        too_much
    }

    fn include(&mut self, root: &RootDir, line: &Directive, program: &Program, depth: usize) {
        if depth + 1 >= DEPTH_MAX {
            let text = format!("Include {}", line.arguments.join(" "));
            self.refuse(
                &line.path,
                line.line,
                &text,
                "too many files in one another",
            );
            return;
        }
        for pattern in &line.arguments {
            let pattern = if pattern.starts_with('/') {
                pattern.clone()
            } else {
                format!("/etc/ssh/{pattern}")
            };
            let paths = self.patterns.expand(root, &pattern);
            if self.patterns.is_spent {
                let text = format!("{}: Include {pattern} means too many files", line.path);
                self.unreadable = Some(text);
                return;
            }
            for path in paths {
                self.file(root, &path, program, line.matched, depth + 1);
            }
        }
    }

    fn refuse(&mut self, path: &str, line: usize, text: &str, why: &str) {
        // sshd stops at the first or the last of them; a few tell enough.
        if self.refused.len() < REFUSED_MAX {
            self.refused.push(Refused {
                path: path.to_owned(),
                line,
                text: text.trim().chars().take(200).collect(),
                why: why.to_owned(),
                is_unknown: why.starts_with(rules::UNKNOWN),
            });
        }
    }

    /// The first line outside of Match blocks with one of these keywords: the
    /// one that counts.
    pub(super) fn first(&self, keywords: &[&str]) -> Option<&Directive> {
        let mut all = self.directives.iter().filter(|line| !line.matched);
        all.find(|line| keywords.contains(&line.keyword.as_str()))
    }

    /// The first argument of that line, in small letters.
    pub(super) fn value(&self, keywords: &[&str]) -> Option<String> {
        let value = self.first(keywords)?.arguments.first()?;
        Some(value.to_ascii_lowercase())
    }

    /// All arguments of all such lines outside of Match blocks.
    pub(super) fn all(&self, keyword: &str) -> Vec<&str> {
        let lines = self.directives.iter();
        let lines = lines.filter(|line| !line.matched && line.keyword == keyword);
        lines
            .flat_map(|line| &line.arguments)
            .map(String::as_str)
            .collect()
    }

    /// True when a Match block says something about one of these.
    pub(super) fn depends(&self, keywords: &[&str]) -> bool {
        let mut lines = self.directives.iter().filter(|line| line.matched);
        lines.any(|line| keywords.contains(&line.keyword.as_str()))
    }
}

/// `Match all` ends the block before and fits everybody.
fn is_all(arguments: &[String]) -> bool {
    arguments.len() == 1
        && arguments
            .iter()
            .any(|word| word.eq_ignore_ascii_case("all"))
}

/// Keyword and arguments of a line; `None` when a quote stays open.
pub(super) fn words(raw: &str, is_recent: bool) -> Option<Vec<String>> {
    const BLANK: [char; 5] = [' ', '\t', '\r', '\x0c', '\n'];
    let line = raw.trim_matches(BLANK);
    if line.is_empty() || line.starts_with('#') {
        return Some(Vec::new());
    }
    let end = line.find(|c: char| BLANK.contains(&c) || c == '=');
    let (keyword, rest) = line.split_at(end.unwrap_or(line.len()));
    let rest = rest.trim_start_matches(BLANK);
    let rest = rest.strip_prefix('=').unwrap_or(rest);
    let mut words = vec![keyword.trim_matches('"').to_owned()];
    words.extend(arguments(rest, is_recent)?);
    Some(words)
}

fn arguments(text: &str, is_recent: bool) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut chars = text.chars().peekable();
    loop {
        while chars.next_if(|c| c.is_ascii_whitespace()).is_some() {}
        let Some(&first) = chars.peek() else {
            return Some(words);
        };
        if first == '#' {
            return Some(words);
        }
        let mut word = String::new();
        let mut quote = None;
        while let Some(&c) = chars.peek() {
            match quote {
                None if c.is_ascii_whitespace() => break,
                None if c == '"' || (c == '\'' && is_recent) => quote = Some(c),
                Some(open) if c == open => quote = None,
                _ => word.push(c),
            }
            chars.next();
        }
        if quote.is_some() {
            return None;
        }
        words.push(word);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn lines_are_split_as_sshd_does() {
        let cases: [(&str, &[&str]); 7] = [
            ("Port 22", &["Port", "22"]),
            ("Port = 22\r", &["Port", "22"]),
            ("PermitRootLogin=no", &["PermitRootLogin", "no"]),
            ("  AllowUsers a \"b c\" # d", &["AllowUsers", "a", "b c"]),
            ("# Port 22", &[]),
            ("\t", &[]),
            ("Port", &["Port"]),
        ];
        for (line, expected) in cases {
            assert_eq!(words(line, true).unwrap(), expected, "{line:?}");
        }
        assert_eq!(words("UsePAM \"yes", true), None);
        // Bullseye's takes a comment there as well, for one word at least.
        assert_eq!(words("X a # b", false).unwrap(), ["X", "a"]);
    }
}
