//! What the kernel command line tells Lifeboot.
//!
//! Words are split as the kernel splits them (`next_arg()` in `lib/cmdline.c`):
//! double quotes keep blanks together, there is no escape character.

use std::fs;
use std::path::PathBuf;

/// What to do when everything has run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Then {
    /// Ask on the console.
    #[default]
    Menu,
    /// A shell, then the menu.
    Shell,
    /// Switch the machine off.
    PowerOff,
    /// Start it again.
    Reboot,
}

/// All `lifeboot.` options.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `lifeboot.cmd=`: arguments for `lifeboot`, in order.
    pub commands: Vec<String>,
    /// `lifeboot.out=`: where standard output of the commands goes.
    pub out: Option<PathBuf>,
    /// `lifeboot.then=`.
    pub then: Then,
    /// `lifeboot.modules=`: more modules to load, in order.
    pub modules: Vec<String>,
    /// What was not understood, in sentences.
    pub complaints: Vec<String>,
}

impl Options {
    /// Reads `/proc/cmdline`.
    pub fn of_running_kernel() -> Self {
        match fs::read("/proc/cmdline") {
            Ok(bytes) => Self::parse(&String::from_utf8_lossy(&bytes)),
            Err(error) => Self {
                complaints: vec![format!("reading /proc/cmdline: {error}")],
                ..Self::default()
            },
        }
    }

    /// Parses a whole command line; words of others are skipped.
    pub fn parse(line: &str) -> Self {
        let mut options = Self::default();
        for (name, value) in words(line) {
            if let Some(name) = name.strip_prefix("lifeboot.") {
                options.set(name, &value);
            }
        }
        options
    }

    fn set(&mut self, name: &str, value: &str) {
        match (name, value) {
            ("cmd", value) => self.commands.push(value.to_owned()),
            ("out", value) if value.starts_with('/') => self.out = Some(PathBuf::from(value)),
            ("then", "menu") => self.then = Then::Menu,
            ("then", "shell") => self.then = Then::Shell,
            ("then", "poweroff") => self.then = Then::PowerOff,
            ("then", "reboot") => self.then = Then::Reboot,
            ("modules", value) => self.modules.extend(
                value
                    .split(',')
                    .map(str::trim)
                    .filter(|name| !name.is_empty())
                    .map(str::to_owned),
            ),
            (name, value) => self
                .complaints
                .push(format!("not understood: lifeboot.{name}={value}")),
        }
    }
}

/// Names and values; a word without `=` has an empty value.
fn words(line: &str) -> Vec<(String, String)> {
    let mut quoted = false;
    line.trim()
        .split(move |letter: char| {
            quoted ^= letter == '"';
            letter.is_ascii_whitespace() && !quoted
        })
        .filter(|word| !word.is_empty())
        .map(|word| {
            // `"name=value with blanks"` and `name="value with blanks"`.
            let word = word.strip_prefix('"').map_or(word, without_last_quote);
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            let value = value.strip_prefix('"').map_or(value, without_last_quote);
            (name.to_owned(), value.to_owned())
        })
        .collect()
}

fn without_last_quote(text: &str) -> &str {
    text.strip_suffix('"').unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scripted_run_is_understood() {
        let options = Options::parse(
            "console=ttyS0 quiet lifeboot.cmd=\"diagnose --json\" lifeboot.out=/dev/ttyS1 \
             \"lifeboot.cmd=repair --root '/a b'\" lifeboot.then=poweroff lifeboot.cmd= \
             lifeboot.modules=a,,b-c\n",
        );
        assert_eq!(
            options,
            Options {
                commands: vec![
                    "diagnose --json".to_owned(),
                    "repair --root '/a b'".to_owned(),
                    String::new(),
                ],
                out: Some(PathBuf::from("/dev/ttyS1")),
                then: Then::PowerOff,
                modules: vec!["a".to_owned(), "b-c".to_owned()],
                complaints: Vec::new(),
            }
        );
    }

    #[test]
    fn nothing_said_means_guided_and_menu() {
        for line in ["", "\n", "ro quiet root=/dev/sda1", "xlifeboot.cmd=a", "\""] {
            assert_eq!(Options::parse(line), Options::default(), "{line}");
        }
    }

    #[test]
    fn what_is_not_understood_is_said() {
        let options = Options::parse("lifeboot.then=fly lifeboot.out=ttyS1 lifeboot.x lifeboot.=");
        assert_eq!(
            options.complaints,
            [
                "not understood: lifeboot.then=fly",
                "not understood: lifeboot.out=ttyS1",
                "not understood: lifeboot.x=",
                "not understood: lifeboot.=",
            ]
        );
        assert_eq!(options.then, Then::Menu);
    }

    #[test]
    fn an_open_quote_reaches_to_the_end() {
        assert_eq!(words("a=\"b c d"), [("a".to_owned(), "b c d".to_owned())]);
        assert_eq!(
            words("a=b\"c d\"e f"),
            [
                ("a".to_owned(), "b\"c d\"e".to_owned()),
                ("f".to_owned(), String::new())
            ]
        );
    }
}
