//! What lies on an EFI system partition, read as the firmware reads it: from the
//! partition itself, which may at the same time be a member of a mirror.

use std::io;

use serde::{Deserialize, Serialize};

use self::fat::{Entry, Fat, Place, ReadAt};
use super::Source;
use crate::journal;

mod edit;
mod fat;
mod name;
pub mod program;
mod put;
mod table;

pub use put::{Put, put};

pub use program::{Loader, Program};

/// Files that are listed; the usual number is ten.
const FILES_MAX: usize = 4096;

/// Levels of directories that are entered.
const DEPTH_MAX: usize = 8;

/// Largest program that is read whole; GRUB with all modules has 4 MiB. Of a
/// longer one, such as a unified kernel image, and of kernels, the beginning is.
const PROGRAM_BYTES_MAX: usize = 16 << 20;
const HEAD_BYTES: usize = 64 << 10;

/// Largest configuration that is kept.
const TEXT_BYTES_MAX: usize = 256 << 10;

/// One EFI system partition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Esp {
    /// Its files, in order of their paths.
    pub files: Vec<EspFile>,
    /// Why it, or a part of it, could not be read.
    pub unreadable: Option<String>,
}

/// A file on it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EspFile {
    /// `/EFI/debian/shimx64.efi`, as it is spelled there.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// Its digest, where it was read whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Its text, where it is a configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What program it is, where it is called like one and is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<Program>,
    /// Why its content could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
}

impl Esp {
    /// The file at `path`; FAT and UEFI do not tell capitals from small letters.
    pub fn file(&self, path: &str) -> Option<&EspFile> {
        find(&self.files, path)
    }
}

fn find<'f>(files: &'f [EspFile], path: &str) -> Option<&'f EspFile> {
    let mut files = files.iter();
    files.find(|file| file.path.eq_ignore_ascii_case(path))
}

impl EspFile {
    /// What is known of a file of a package that is to be put there.
    pub fn of(path: &str, bytes: &[u8]) -> Self {
        let mut file = Self {
            path: path.to_owned(),
            bytes: bytes.len() as u64,
            ..Self::default()
        };
        file.look_into(path.strip_suffix(".signed").unwrap_or(path), bytes);
        file
    }

    fn look_into(&mut self, path: &str, bytes: &[u8]) {
        if bytes.len() as u64 == self.bytes {
            self.sha256 = Some(journal::digest(bytes));
        }
        match is_program(path) {
            true => self.program = Program::read(bytes),
            false => self.text = Some(String::from_utf8_lossy(bytes).into_owned()),
        }
    }

    /// True when it is called like a program.
    pub fn is_called_program(&self) -> bool {
        is_program(&self.path)
    }
}

/// All of a file on the partition in `source`, of at most `most` bytes.
///
/// # Errors
/// It is not there, too long, or cannot be read.
pub fn content(source: &Source, path: &str, most: usize) -> Result<Vec<u8>, String> {
    let file = source.open().map_err(|error| error.to_string())?;
    let read_at = |at, length| source.read_at(&file, at, length);
    let mut fat = Fat::open(&read_at, source.bytes)?;
    let mut place = fat.root();
    let mut parts = path.split('/').filter(|part| !part.is_empty()).peekable();
    while let Some(part) = parts.next() {
        let gone = || format!("{path} is not there any more");
        let found = fat.directory(place)?.into_iter();
        let mut found = found.filter(|entry| entry.name.eq_ignore_ascii_case(part));
        let found = found.next().ok_or_else(gone)?;
        match (parts.peek(), found.is_directory) {
            (Some(_), true) => place = Place::Chain(found.cluster),
            (None, false) if usize::try_from(found.bytes).is_ok_and(|bytes| bytes <= most) => {
                return fat.content(&found, most);
            }
            _ => return Err(gone()),
        }
    }
    Err(format!("{path} is no file"))
}

/// Reads the partition in `source`.
pub(super) fn read(source: &Source) -> Esp {
    let mut esp = Esp::default();
    let read = source.open().map_err(|error: io::Error| error.to_string());
    let read = read.and_then(|file| {
        let read_at = |at, length| source.read_at(&file, at, length);
        Walk::over(&read_at, source.bytes, &mut esp.files)
    });
    esp.unreadable = read.err();
    esp.files.sort_by(|a, b| a.path.cmp(&b.path));
    esp
}

struct Walk<'a> {
    fat: Fat<'a>,
    files: &'a mut Vec<EspFile>,
}

impl Walk<'_> {
    fn over(read_at: ReadAt<'_>, bytes: u64, files: &mut Vec<EspFile>) -> Result<(), String> {
        let fat = Fat::open(read_at, bytes)?;
        let mut todo = vec![(String::new(), fat.root(), 0)];
        let mut walk = Walk { fat, files };
        let mut seen = 0;
        let mut failed = Ok(());
        while let Some((path, place, depth)) = todo.pop() {
            let entries = match walk.fat.directory(place) {
                Ok(entries) => entries,
                Err(why) => {
                    let shown = if path.is_empty() { "/" } else { &path };
                    failed = failed.and(Err(format!("{shown}: {why}")));
                    continue;
                }
            };
            for entry in entries {
                seen += 1;
                if seen > FILES_MAX {
                    return failed.and(Err("it has more files than are listed".into()));
                }
                let inside = format!("{path}/{}", entry.name);
                match entry.is_directory {
                    true if depth < DEPTH_MAX => {
                        todo.push((inside, Place::Chain(entry.cluster), depth + 1));
                    }
                    true => {}
                    false => walk.add(inside, &entry),
                }
            }
        }
        failed
    }

    fn add(&mut self, path: String, entry: &Entry) {
        let mut file = EspFile {
            bytes: u64::from(entry.bytes),
            ..EspFile::default()
        };
        let long = file.bytes > PROGRAM_BYTES_MAX as u64;
        let limit = match (is_program(&path), is_text(&path)) {
            (true, _) if long || !path.to_ascii_lowercase().ends_with(".efi") => HEAD_BYTES,
            (true, _) => PROGRAM_BYTES_MAX,
            (false, true) => TEXT_BYTES_MAX,
            (false, false) => 0,
        };
        if limit > 0 {
            match self.fat.content(entry, limit) {
                Ok(bytes) => file.look_into(&path, &bytes),
                Err(why) => file.unreadable = Some(why),
            }
        }
        file.path = path;
        self.files.push(file);
    }
}

/// `BOOTX64.EFI`, `linux` of kernel-install's layout, `vmlinuz-6.1.0`.
fn is_program(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    name.ends_with(".efi") || name == "linux" || name.starts_with("vmlinuz")
}

/// Configurations of GRUB and systemd-boot, and shim's list of entries.
fn is_text(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let ends = [".cfg", ".conf", ".csv"];
    ends.iter().any(|end| name.ends_with(end)) || name == "grubenv" || name == "entries.srel"
}
