//! What a word of a script stands for, as far as the script itself says.

use std::collections::HashMap;

use super::split::{commands, inside, words};

/// Expansions in each other.
const DEPTH_MAX: usize = 8;

/// A longer value is no path.
const VALUE_BYTES_MAX: usize = 16 * 1024;

/// Asks the root: where a path leads, without any link.
pub(super) type RealPath<'f> = &'f dyn Fn(&str) -> Option<String>;

/// What is known at one place of a script.
pub(super) struct Scope<'f> {
    /// `$0`; `None` where it is not known.
    pub(super) zero: Option<String>,
    /// The working directory, once it was changed to a known one.
    pub(super) directory: Option<String>,
    /// What variables hold; `None` for a value that is not clear.
    pub(super) variables: HashMap<String, Option<String>>,
    pub(super) real_path: RealPath<'f>,
}

impl Scope<'_> {
    /// The value of a word; `None` when it depends on more than the script.
    pub(super) fn expand(&self, word: &str) -> Option<String> {
        self.word(word, 0)
    }

    fn word(&self, word: &str, depth: usize) -> Option<String> {
        if depth > DEPTH_MAX {
            return None;
        }
        let mut out = String::new();
        let mut in_quotes = false;
        let mut rest = word;
        while let Some(c) = rest.chars().next() {
            let after = &rest[c.len_utf8()..];
            rest = match c {
                '"' => {
                    in_quotes = !in_quotes;
                    after
                }
                '\'' if !in_quotes => {
                    let end = after.find('\'')?;
                    out.push_str(&after[..end]);
                    &after[end + 1..]
                }
                '\\' => {
                    let next = after.chars().next()?;
                    if in_quotes && !"$`\"\\".contains(next) {
                        out.push('\\');
                    }
                    out.push(next);
                    &after[next.len_utf8()..]
                }
                '`' => {
                    let end = inside(after, b'`')?;
                    out.push_str(&self.substitute(&after[..end], depth + 1)?);
                    &after[end + 1..]
                }
                '$' => self.dollar(after, &mut out, depth + 1)?,
                // Names of files that only the running system has.
                '*' | '?' | '[' if !in_quotes => return None,
                '~' if !in_quotes && out.is_empty() => return None,
                c => {
                    out.push(c);
                    after
                }
            };
            if out.len() > VALUE_BYTES_MAX {
                return None;
            }
        }
        (!in_quotes).then_some(out)
    }

    /// What follows a `$`; gives back the rest.
    fn dollar<'t>(&self, text: &'t str, out: &mut String, depth: usize) -> Option<&'t str> {
        if let Some(text) = text.strip_prefix('(') {
            let end = inside(text, b')')?;
            out.push_str(&self.substitute(&text[..end], depth)?);
            return Some(&text[end + 1..]);
        }
        if let Some(text) = text.strip_prefix('{') {
            let end = inside(text, b'}')?;
            out.push_str(&self.parameter(&text[..end], depth)?);
            return Some(&text[end + 1..]);
        }
        let length = name_length(text);
        let (name, rest) = match length {
            0 => text.split_at(text.chars().next()?.len_utf8()),
            length => text.split_at(length),
        };
        out.push_str(&self.value(name)?);
        Some(rest)
    }

    /// The inside of `${...}`.
    fn parameter(&self, text: &str, depth: usize) -> Option<String> {
        let length = match name_length(text) {
            0 => usize::from(text.starts_with('0')),
            length => length,
        };
        let (name, operator) = text.split_at(length);
        let operator = operator.strip_prefix("[0]").unwrap_or(operator);
        let is_set = self.is_set(name);
        let value = || self.value(name);
        if operator.is_empty() {
            return value();
        }
        if let Some(word) = strip_any(operator, &[":-", ":=", "-", "="]) {
            return if is_set {
                value()
            } else {
                self.word(word, depth)
            };
        }
        if let Some(word) = strip_any(operator, &[":+", "+"]) {
            // Where it is set at all, a clear value must say so.
            let is_full = is_set && !value()?.is_empty();
            return if is_full {
                self.word(word, depth)
            } else {
                Some(String::new())
            };
        }
        match operator {
            "%/*" => Some(parent(&value()?).to_owned()),
            "##*/" => Some(value()?.rsplit('/').next()?.to_owned()),
            _ => None,
        }
    }

    fn is_set(&self, name: &str) -> bool {
        matches!(name, "0" | "BASH_SOURCE" | "PWD") || self.variables.contains_key(name)
    }

    fn value(&self, name: &str) -> Option<String> {
        match name {
            "0" | "BASH_SOURCE" => self.zero.clone(),
            "PWD" => self.directory.clone(),
            // A boot sets it for nobody.
            "LD_LIBRARY_PATH" => self
                .variables
                .get(name)
                .cloned()
                .unwrap_or(Some(String::new())),
            name => self.variables.get(name).cloned().flatten(),
        }
    }

    /// The few commands that scripts find their own place with.
    fn substitute(&self, text: &str, depth: usize) -> Option<String> {
        if depth > DEPTH_MAX {
            return None;
        }
        let mut directory = self.directory.clone();
        let mut printed = None;
        for piece in commands(text) {
            if printed.is_some() {
                return None;
            }
            let all = words(piece.text).into_iter().filter(|word| *word != "--");
            let quiet = all.take_while(|word| !word.contains('>'));
            let mut values = Vec::new();
            for word in quiet {
                values.push(self.word(word, depth + 1)?);
            }
            let values: Vec<&str> = values.iter().map(String::as_str).collect();
            match values.as_slice() {
                ["cd", to] | ["cd", "-P", to] => {
                    directory = Some(joined(directory.as_deref(), to)?)
                }
                ["pwd"] | ["pwd", "-P" | "-L"] => printed = Some(directory.clone()?),
                ["dirname", path] => printed = Some(parent(path).to_owned()),
                ["basename", path] => printed = Some(path.rsplit('/').next()?.to_owned()),
                ["echo", word] => printed = Some((*word).to_owned()),
                ["readlink", "-f" | "-e" | "-m", path] | ["realpath", path] => {
                    let path = joined(directory.as_deref(), path)?;
                    printed = Some((self.real_path)(&path)?);
                }
                _ => return None,
            }
        }
        printed
    }
}

/// `path` as it is from `directory`, with `.` and `..` taken out as `cd` does.
pub(super) fn joined(directory: Option<&str>, path: &str) -> Option<String> {
    let whole = match path.strip_prefix('/') {
        Some(_) => path.to_owned(),
        None => format!("{}/{path}", directory?),
    };
    let mut names: Vec<&str> = Vec::new();
    for name in whole.split('/') {
        match name {
            "" | "." => {}
            ".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    Some(format!("/{}", names.join("/")))
}

fn parent(path: &str) -> &str {
    match path.rsplit_once('/') {
        Some(("", _)) => "/",
        Some((parent, _)) => parent,
        None => ".",
    }
}

fn strip_any<'t>(text: &'t str, prefixes: &[&str]) -> Option<&'t str> {
    prefixes.iter().find_map(|prefix| text.strip_prefix(prefix))
}

/// The length of the variable's name that `text` begins with.
pub(super) fn name_length(text: &str) -> usize {
    let is_start = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    if is_start {
        end.unwrap_or(text.len())
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_script_says_is_filled_in() {
        let real = |path: &str| (path == "/usr/bin/x").then(|| "/opt/x/bin/x".to_owned());
        let mut scope = Scope {
            zero: Some("/usr/bin/x".to_owned()),
            directory: None,
            variables: HashMap::new(),
            real_path: &real,
        };
        scope
            .variables
            .insert("D".to_owned(), Some("/d".to_owned()));
        scope.variables.insert("U".to_owned(), None);
        let cases = [
            ("/a/\"b c\"'$d'\\ e", Some("/a/b c$d e")),
            ("$D/e${D}x", Some("/d/e/dx")),
            ("${0%/*}/../lib", Some("/usr/bin/../lib")),
            ("$(dirname \"$0\")", Some("/usr/bin")),
            ("`dirname $0`/lib", Some("/usr/bin/lib")),
            (
                "$(dirname -- \"$(readlink -f \"$0\")\")",
                Some("/opt/x/bin"),
            ),
            (
                "$(cd \"$(dirname \"$0\")/..\" >/dev/null 2>&1 && pwd -P)",
                Some("/usr"),
            ),
            ("\"${BASH_SOURCE[0]}\"", Some("/usr/bin/x")),
            ("/l${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}", Some("/l")),
            ("${NONE:-/usr/sbin/sshd}", Some("/usr/sbin/sshd")),
            ("${D:-/no}", Some("/d")),
            ("${D##*/}", Some("d")),
            ("$HOME/lib", None),
            ("${U:-/x}", None),
            ("$(uname -m)", None),
            ("$1", None),
            ("/lib/*", None),
            ("~/lib", None),
            ("$(cd /x)", None),
            ("${", None),
            ("$", None),
        ];
        for (word, expected) in cases {
            assert_eq!(scope.expand(word).as_deref(), expected, "{word}");
        }
        assert_eq!(scope.expand(&"${A:-".repeat(50_000)), None);
    }
}
