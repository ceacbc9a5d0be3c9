//! `--redact`: what tells whose machine it is is left out of a report: names of
//! hosts, domains and people, addresses, serial numbers, UUIDs and keys. The
//! same thing has the same word in its place throughout a report.
//!
//! Names come from the facts; what has a form of its own is found by that.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Report;
use crate::facts::private::Private;

mod forms;
mod words;

/// Shorter names are too likely a part of something else.
const SHORTEST: usize = 2;

/// Stands before each word that was put in, so that nothing is found in those: a
/// host may be called `mail` (a letter of Unicode that has no meaning).
const MARK: char = '\u{E000}';

/// What is left out, and what stands in its place.
#[derive(Debug, Default)]
pub struct Redaction {
    /// Names, the longest first, each with its kind.
    names: Vec<(String, Kind)>,
    /// Versions of packages, which may look like addresses.
    versions: BTreeSet<String>,
    /// What was given to whom.
    given: RefCell<Given>,
}

#[derive(Debug, Default)]
struct Given {
    words: BTreeMap<(Kind, String), String>,
    counts: BTreeMap<Kind, usize>,
}

/// What kind of thing a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Host,
    User,
    Address,
    Mac,
    Uuid,
    Serial,
    Key,
    Mail,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::User => "user",
            Self::Address => "ip",
            Self::Mac => "mac",
            Self::Uuid => "uuid",
            Self::Serial => "serial",
            Self::Key => "key",
            Self::Mail => "mail",
        }
    }
}

impl Redaction {
    /// For this report.
    pub fn of(report: &Report) -> Self {
        let mut names = BTreeMap::new();
        if let Some(tree) = &report.facts.tree {
            let Private { users, hosts } = &tree.private;
            let own = tree.os.hostname.iter();
            for host in hosts.iter().chain(own) {
                add(&mut names, host, Kind::Host);
                // The machine alone, as prompts and logs tell it.
                if let Some((short, _)) = host.split_once('.') {
                    add(&mut names, short, Kind::Host);
                }
            }
            for user in users {
                add(&mut names, user, Kind::User);
            }
            let accounts = tree.reach.ssh.iter().flat_map(|ssh| &ssh.accounts);
            for account in accounts.filter(|account| account.uid >= 1000) {
                add(&mut names, &account.name, Kind::User);
            }
        }
        let mut redaction = Self::default();
        // A report that cannot be walked has no form that could be printed.
        let value = serde_json::to_value(report).unwrap_or_default();
        redaction.learn("", &value, &mut names);
        redaction.names = names.into_iter().collect();
        redaction
            .names
            .sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        redaction
    }

    /// Learns from the fields that say what they hold.
    fn learn(&mut self, key: &str, value: &Value, names: &mut BTreeMap<String, Kind>) {
        match value {
            Value::Object(fields) => {
                for (key, value) in fields {
                    self.learn(key, value, names);
                }
            }
            Value::Array(items) => {
                for item in items {
                    self.learn(key, item, names);
                }
            }
            Value::String(text) => self.learn_text(key, text, names),
            _ => {}
        }
    }

    fn learn_text(&mut self, key: &str, text: &str, names: &mut BTreeMap<String, Kind>) {
        if key.contains("version") {
            self.versions.insert(text.to_owned());
        }
        if key == "serial" {
            add(names, text.trim(), Kind::Serial);
        }
        if key.ends_with("uuid") || key == "table_id" {
            let id = text.rsplit(' ').next().unwrap_or_default();
            if id.len() >= 8 {
                add(names, id, Kind::Uuid);
            }
        }
        // `host:name` of an array that another machine may have made.
        if let Some((host, _)) = text.split_once(':').filter(|_| key == "name")
            && host
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.')
            && text.chars().filter(|c| *c == ':').count() == 1
            && !host.is_empty()
        {
            add(names, host, Kind::Host);
        }
        for id in forms::ids(text) {
            add(names, id, Kind::Uuid);
        }
        for name in forms::homes(text) {
            add(names, name, Kind::User);
        }
        if let Some(id) = forms::machine_id(text) {
            add(names, id, Kind::Uuid);
        }
    }

    /// The text without what is left out.
    pub fn apply(&self, text: &str) -> String {
        let marked = |kind, found: &str| format!("{MARK}{}", self.word(kind, found));
        let text = text.replace(MARK, "?");
        let text = forms::replace(&text, &self.versions, &marked);
        words::replace(&text, &self.names, &marked).replace(MARK, "")
    }

    /// The same in every text of a JSON document. Names of fields, and numbers,
    /// stay.
    pub fn apply_to(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.apply(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.apply_to(item)),
            Value::Object(fields) => {
                for (key, value) in fields {
                    // Words of Lifeboot's own, and numbers of versions.
                    if !matches!(
                        key.as_str(),
                        "id" | "schema" | "kind" | "stage" | "severity"
                    ) {
                        self.apply_to(value);
                    }
                }
            }
            _ => {}
        }
    }

    /// What stands in its place: the same each time.
    fn word(&self, kind: Kind, found: &str) -> String {
        let mut given = self.given.borrow_mut();
        let key = (kind, found.to_ascii_lowercase());
        if let Some(word) = given.words.get(&key) {
            return word.clone();
        }
        let count = given.counts.entry(kind).or_default();
        *count += 1;
        let word = format!("{}-{count}", kind.word());
        given.words.insert(key, word.clone());
        word
    }
}

fn add(names: &mut BTreeMap<String, Kind>, name: &str, kind: Kind) {
    if name.len() >= SHORTEST && !words::is_common(name) && !words::is_number(name) {
        names.entry(name.to_owned()).or_insert(kind);
    }
}

#[cfg(test)]
#[path = "../redact_tests.rs"]
#[allow(clippy::unwrap_used)]
mod tests;
