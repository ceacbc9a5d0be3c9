//! The stanzas of dpkg's database as they stand in its files, with the records
//! in `updates` that are not merged yet (dpkg's lib/dpkg/dbmodify.c).

use std::collections::HashMap;
use std::io;
use std::path::Path;

use crate::facts::packages::{LIMIT, control};
use crate::sys::root_dir::RootDir;

/// Every stanza, in the order of `status`.
#[derive(Debug, Clone, Default)]
pub struct Stanzas {
    texts: Vec<Vec<u8>>,
    places: HashMap<Key, usize>,
}

/// Name and architecture.
pub type Key = (String, String);

impl Stanzas {
    /// Reads `status` in `home` and merges what waits in `updates`.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn read(root: &RootDir, home: &Path) -> io::Result<Self> {
        let mut all = Self::default();
        all.merge(&root.read(home.join("status"), LIMIT)?);
        for name in numbered(root, home) {
            all.merge(&root.read(home.join("updates").join(name), LIMIT)?);
        }
        Ok(all)
    }

    fn merge(&mut self, bytes: &[u8]) {
        for (_, stanza) in control::stanzas(bytes) {
            self.put(stanza);
        }
    }

    /// Puts a stanza in the place of the one of the same package, or last.
    pub fn put(&mut self, stanza: &[u8]) {
        let mut text = stanza.trim_ascii_end().to_vec();
        text.push(b'\n');
        let last = self.texts.len();
        match self.places.entry(key(stanza)).or_insert(last) {
            place if *place == last => self.texts.push(text),
            place => self.texts[*place] = text,
        }
    }

    /// Puts a stanza in the place of the one of `old`, whose architecture may
    /// have been another one.
    pub fn replace(&mut self, old: &Key, stanza: &[u8]) {
        if let Some(place) = self.places.remove(old) {
            self.places.insert(key(stanza), place);
        }
        self.put(stanza);
    }

    /// The stanza of a package.
    pub fn get(&self, key: &Key) -> Option<&[u8]> {
        let place = self.places.get(key)?;
        self.texts.get(*place).map(Vec::as_slice)
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &[u8]> {
        self.texts.iter().map(Vec::as_slice)
    }

    /// The content of `status`.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for text in &self.texts {
            bytes.extend_from_slice(text);
            bytes.push(b'\n');
        }
        bytes
    }
}

/// The package that a stanza is about.
pub fn key(stanza: &[u8]) -> Key {
    let text = |name: &str| control::text(stanza, name).unwrap_or_default();
    (text("Package"), text("Architecture"))
}

/// The names of the records in `updates`, the oldest first.
pub fn numbered(root: &RootDir, home: &Path) -> Vec<String> {
    let entries = root.read_dir(home.join("updates")).unwrap_or_default();
    let names = entries.iter().filter_map(|entry| entry.name.to_str());
    let numbered = names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    numbered.map(str::to_owned).collect()
}
