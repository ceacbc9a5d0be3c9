//! Files of an EFI system partition: what is put there, and where it comes from.

use serde::Serialize;

use crate::journal;
use crate::survey::Esp;
use crate::survey::esp::EspFile;

/// Where the content of a file comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum EspSource {
    /// From another EFI system partition.
    Esp {
        /// Its disk.
        disk: String,
        /// Its number in the table.
        partition: u32,
        /// The file on it.
        path: String,
    },
    /// A file of the patient.
    Patient(String),
    /// A small text.
    Text(String),
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EspPut {
    /// `/EFI/debian/shimx64.efi`
    pub path: String,
    /// Where it comes from.
    pub from: EspSource,
    /// Its length.
    pub bytes: u64,
    /// Its digest, where that is known.
    pub sha256: Option<String>,
}

/// What one EFI system partition gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EspWork {
    /// Its disk.
    pub disk: String,
    /// Its number in the table.
    pub partition: u32,
    /// Its name.
    pub name: String,
    /// The files, in order.
    pub files: Vec<EspPut>,
}

/// A file to be put, as the planning sees it: with what is known of its content.
pub(super) struct Wanted {
    pub(super) put: EspPut,
    known: EspFile,
}

impl Wanted {
    pub(super) fn of(path: String, from: EspSource, known: &EspFile) -> Self {
        Self {
            put: EspPut {
                path: path.clone(),
                from,
                bytes: known.bytes,
                sha256: known.sha256.clone(),
            },
            known: EspFile {
                path,
                ..known.clone()
            },
        }
    }

    pub(super) fn text(path: String, text: String) -> Self {
        let known = EspFile {
            bytes: text.len() as u64,
            sha256: Some(journal::digest(text.as_bytes())),
            text: Some(text.clone()),
            ..EspFile::default()
        };
        Self::of(path, EspSource::Text(text), &known)
    }

    /// True when the partition has it already, as far as that is known.
    pub(super) fn stands_on(&self, esp: &Esp) -> bool {
        let known = &self.known;
        let same = |old: &EspFile| match (&old.sha256, &known.sha256) {
            (Some(old), Some(new)) => old == new,
            _ => old.bytes == known.bytes && old.unreadable.is_none(),
        };
        esp.file(&self.put.path).is_some_and(same)
    }
}

/// The partition as it would be.
pub(super) fn with(esp: &Esp, wanted: &[Wanted]) -> Esp {
    let replaced = |file: &&EspFile| {
        let mut wanted = wanted.iter();
        !wanted.any(|one| one.put.path.eq_ignore_ascii_case(&file.path))
    };
    let mut files: Vec<EspFile> = esp.files.iter().filter(replaced).cloned().collect();
    files.extend(wanted.iter().map(|one| one.known.clone()));
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Esp {
        files,
        unreadable: esp.unreadable.clone(),
    }
}
