//! apt's configuration (apt.conf(5), `ReadConfigFile` in
//! apt-pkg/contrib/configuration.cc): `Name "value";` and `Name { ... };`.

use std::collections::HashMap;

use crate::sys::root_dir::{Kind, RootDir};

/// The most bytes of one file.
const FILE_MAX: u64 = 1 << 20;

/// How deep groups stand in each other at most.
const DEPTH_MAX: usize = 32;

/// Values by their full names in small letters, as `dir::cache::archives`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conf(HashMap<String, String>);

impl Conf {
    /// Reads all of it: `apt.conf.d` first, so that `apt.conf` has the last
    /// word.
    pub fn of(root: &RootDir) -> Self {
        let mut conf = Self::default();
        for file in files(root, "/etc/apt/apt.conf", &["", ".conf"]) {
            if let Ok(text) = root.read_text(&file, FILE_MAX) {
                conf.add(&text);
            }
        }
        conf
    }

    /// The value of a name in small letters, if it has one.
    pub fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.get(name)?;
        (!value.is_empty()).then_some(value)
    }

    /// `Dir::Cache::archives`: a relative one lies in `Dir::Cache`, and that in
    /// `Dir` (`Configuration::FindFile`).
    pub fn archives(&self) -> String {
        let mut path = String::new();
        let parts = [
            ("dir::cache::archives", "archives"),
            ("dir::cache", "var/cache/apt"),
            ("dir", "/"),
        ];
        for (name, usual) in parts {
            let value = self.0.get(name).map_or(usual, String::as_str);
            path = match (value.trim_end_matches('/'), path.as_str()) {
                (value, "") => value.to_owned(),
                (value, path) => format!("{value}/{path}"),
            };
            if value.starts_with('/') {
                break;
            }
        }
        match path.strip_prefix('/') {
            Some(_) => path,
            None => format!("/{path}"),
        }
    }

    fn add(&mut self, text: &str) {
        let mut groups: Vec<String> = Vec::new();
        let mut words: Vec<Word> = Vec::new();
        let full = |groups: &[String], name: &str| {
            let parts = groups.iter().map(String::as_str);
            let parts = parts.chain([name]).filter(|part| !part.is_empty());
            parts.collect::<Vec<_>>().join("::").to_lowercase()
        };
        for word in words_of(text) {
            match word {
                Word::Opens if groups.len() < DEPTH_MAX => {
                    let name = words.iter().find_map(Word::name).unwrap_or_default();
                    groups.push(name.to_owned());
                    words.clear();
                }
                Word::Opens => return,
                Word::Closes => {
                    groups.pop();
                    words.clear();
                }
                Word::Ends => {
                    match words.as_slice() {
                        [Word::Clear, Word::Name(name)] => {
                            let name = full(&groups, name);
                            let inside = format!("{name}::");
                            self.0
                                .retain(|key, _| *key != name && !key.starts_with(&inside));
                        }
                        // `Name:: "value"` adds to a list.
                        [Word::Name(name), Word::Value(value) | Word::Name(value)]
                            if !name.ends_with("::") =>
                        {
                            self.0.insert(full(&groups, name), value.clone());
                        }
                        _ => {}
                    }
                    words.clear();
                }
                word => words.push(word),
            }
        }
    }
}

/// The file of a name and those of its `.d` that apt reads.
pub(super) fn files(root: &RootDir, name: &str, endings: &[&str]) -> Vec<String> {
    let folder = format!("{name}.d");
    let mut files = Vec::new();
    for entry in root.read_dir(&folder).unwrap_or_default() {
        let entry_name = entry.name.to_string_lossy();
        let dot = entry_name.rfind('.').map_or("", |dot| &entry_name[dot..]);
        if entry.kind != Kind::Directory && endings.contains(&dot) {
            files.push(format!("{folder}/{entry_name}"));
        }
    }
    files.push(name.to_owned());
    files
}

#[derive(Debug, PartialEq, Eq)]
enum Word {
    Name(String),
    Value(String),
    Opens,
    Closes,
    Ends,
    Clear,
}

impl Word {
    fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            _ => None,
        }
    }
}

/// The text in words, comments left out.
fn words_of(mut text: &str) -> Vec<Word> {
    let mut words = Vec::new();
    loop {
        text = text.trim_start();
        let Some(first) = text.chars().next() else {
            return words;
        };
        let after = |end: &str| text.split_once(end).map_or("", |(_, rest)| rest);
        match first {
            '/' if text.starts_with("//") => text = after("\n"),
            '/' if text.starts_with("/*") => text = after("*/"),
            '#' if text.starts_with("#clear") => {
                words.push(Word::Clear);
                text = &text["#clear".len()..];
            }
            '#' => text = after("\n"),
            '"' => {
                let (value, rest) = text[1..].split_once('"').unwrap_or((&text[1..], ""));
                words.push(Word::Value(value.to_owned()));
                text = rest;
            }
            '{' | '}' | ';' => {
                words.push(match first {
                    '{' => Word::Opens,
                    '}' => Word::Closes,
                    _ => Word::Ends,
                });
                text = &text[1..];
            }
            _ => {
                let ends = |c: char| c.is_whitespace() || "\"{};".contains(c);
                let end = text.find(ends).unwrap_or(text.len());
                words.push(Word::Name(text[..end].to_owned()));
                text = &text[end..];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archives(text: &str) -> String {
        let mut conf = Conf::default();
        conf.add(text);
        conf.archives()
    }

    #[test]
    fn where_archives_lie() {
        for (text, expected) in [
            ("", "/var/cache/apt/archives"),
            ("Dir::Cache \"/srv/apt\";", "/srv/apt/archives"),
            ("dir::cache::Archives \"debs/\";", "/var/cache/apt/debs"),
            ("Dir { Cache { Archives \"/big/debs\"; }; };", "/big/debs"),
            ("Dir { Cache \"srv/c\"; /* x */ };", "/srv/c/archives"),
            (
                "// Dir::Cache \"/no\";\n# Dir::Cache \"/no\";\n",
                "/var/cache/apt/archives",
            ),
            (
                "Dir::Cache \"/x\"; #clear Dir::Cache;",
                "/var/cache/apt/archives",
            ),
            ("Dir::Cache::pkgcache \"\";", "/var/cache/apt/archives"),
            (
                "Dir \"/r\"; Dir::Cache:: \"/no\"; }}",
                "/r/var/cache/apt/archives",
            ),
        ] {
            assert_eq!(archives(text), expected, "{text}");
        }
    }

    #[test]
    fn the_default_release() {
        let mut conf = Conf::default();
        conf.add("// APT::Default-Release \"no\";\nAPT::Default-Release \"stable\";\n");
        assert_eq!(conf.get("apt::default-release"), Some("stable"));
        conf.add("APT { Default-Release \"\"; }");
        assert_eq!(conf.get("apt::default-release"), None);
        // Groups without an end, and deep ones.
        conf.add(&"a { ".repeat(1000));
    }
}
