//! The files of pacman's packages, which only a verification needs: `mtree` and
//! `files` in a package's folder (libalpm's `be_local.c`), and what is not put
//! there at all (`NoExtract` in pacman.conf(5)).

use std::collections::HashSet;
use std::io::{BufReader, ErrorKind, Read};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use glob::{MatchOptions, Pattern};

use super::mtree::{self, Mtree};
use super::unpack;
use crate::sys::root_dir::RootDir;

/// Bytes of a `files`, and of an `mtree` when unpacked.
const LIMIT: u64 = 64 << 20;

/// Paths of one package that are read: the largest has a tenth of it.
const PATHS_MAX: usize = 1_000_000;

const CONF: &str = "/etc/pacman.conf";
const CONF_BYTES_MAX: u64 = 1 << 20;

/// Configuration files that are read.
const CONFS_MAX: usize = 64;

/// As libalpm asks fnmatch(3): without flags, `*` passes slashes.
const AS_FNMATCH: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: false,
    require_literal_leading_dot: false,
};

/// What `files` says.
#[derive(Debug, Default)]
pub struct Files {
    /// The paths, directories with a `/` at their end.
    pub paths: Vec<Vec<u8>>,
    /// Those that are kept when the package changes.
    pub backup: HashSet<Vec<u8>>,
}

impl Files {
    /// `%FILES%`, a path a line, an empty line, `%BACKUP%`, a path, a tabulator
    /// and a digest a line.
    pub fn parse(bytes: &[u8]) -> Self {
        let mut all = Self::default();
        let mut section: &[u8] = b"";
        for line in bytes.split(|byte| *byte == b'\n') {
            match (line, section) {
                (b"", _) => section = b"",
                (_, b"") => section = line,
                (path, b"%FILES%") if all.paths.len() < PATHS_MAX => {
                    all.paths.push(path.to_vec());
                }
                (line, b"%BACKUP%") if all.backup.len() < PATHS_MAX => {
                    let path = line.split(|byte| *byte == b'\t').next();
                    all.backup.extend(path.map(<[u8]>::to_vec));
                }
                _ => {}
            }
        }
        all
    }

    /// Reads it in the folder of a package.
    ///
    /// # Errors
    /// In words.
    pub fn read(root: &RootDir, folder: &str) -> Result<Self, String> {
        let bytes = root.read(format!("{folder}/files"), LIMIT);
        bytes
            .map(|bytes| Self::parse(&bytes))
            .map_err(|error| error.to_string())
    }
}

/// What may still be read of all `mtree`s.
#[derive(Debug)]
pub struct Room {
    bytes: AtomicU64,
    paths: AtomicUsize,
}

impl Room {
    /// So many unpacked bytes and paths.
    pub fn new(bytes: u64, paths: usize) -> Self {
        Self {
            bytes: AtomicU64::new(bytes),
            paths: AtomicUsize::new(paths),
        }
    }
}

/// Reads the `mtree` in the folder of a package; none when it has none. Packages
/// that were not made by makepkg may lack it.
///
/// # Errors
/// In words.
pub fn read_mtree(root: &RootDir, folder: &str, room: &Room) -> Result<Option<Mtree>, String> {
    let file = match root.open_file(format!("{folder}/mtree")) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let packed = BufReader::new(file.take(LIMIT));
    let bytes = room.bytes.load(Ordering::Relaxed).min(LIMIT);
    let bytes = unpack::whole(packed, bytes).map_err(|error| error.to_string())?;
    let paths = room.paths.load(Ordering::Relaxed).min(PATHS_MAX);
    let mtree = mtree::parse(&bytes, paths);
    // Packages are read side by side: what is over is little.
    let less = |left: u64| Some(left.saturating_sub(bytes.len() as u64));
    let fewer = |left: usize| Some(left.saturating_sub(mtree.entries.len()));
    let order = Ordering::Relaxed;
    room.bytes.fetch_update(order, order, less).ok();
    room.paths.fetch_update(order, order, fewer).ok();
    Ok(Some(mtree))
}

/// The patterns of `NoExtract`, in their order; with `!` what is put there all
/// the same. The last one that fits decides.
#[derive(Debug, Default)]
pub struct NoExtract(Vec<(bool, Pattern)>);

impl NoExtract {
    /// Reads the configuration of a root.
    pub fn of(root: &RootDir) -> Self {
        let mut all = Self::default();
        let mut waiting = vec![CONF.to_owned()];
        let mut read = 0;
        while let Some(path) = waiting.pop().filter(|_| read < CONFS_MAX) {
            read += 1;
            let text = root.read_text(&path, CONF_BYTES_MAX).unwrap_or_default();
            all.add(&text, &mut waiting);
        }
        all
    }

    /// Takes a file of options, and notes the files that it includes. Patterns
    /// in `Include` are not followed.
    pub fn add(&mut self, text: &str, included: &mut Vec<String>) {
        let mut section = "options";
        for line in text.lines().map(str::trim) {
            if let Some(name) = line.strip_prefix('[') {
                section = name.trim_end_matches(']');
            }
            let Some((name, value)) = line.split_once('=') else {
                continue;
            };
            match name.trim() {
                "Include" if section == "options" && included.len() < CONFS_MAX => {
                    included.push(value.trim().to_owned());
                }
                "NoExtract" if section == "options" => {
                    let patterns = value.split_whitespace().filter_map(|word| {
                        let pattern = word.strip_prefix('!').unwrap_or(word);
                        // Two stars mean the same to fnmatch, not here.
                        let pattern = Pattern::new(&single_stars(pattern)).ok()?;
                        Some((!word.starts_with('!'), pattern))
                    });
                    self.0.extend(patterns);
                }
                _ => {}
            }
        }
    }

    /// True when a path, without its leading slash, is not put there.
    pub fn has(&self, path: &str) -> bool {
        let mut patterns = self.0.iter().rev();
        let fits = patterns.find(|(_, pattern)| pattern.matches_with(path, AS_FNMATCH));
        fits.is_some_and(|(is_left_out, _)| *is_left_out)
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn single_stars(pattern: &str) -> String {
    let mut single = String::with_capacity(pattern.len());
    for letter in pattern.chars() {
        if letter != '*' || !single.ends_with('*') {
            single.push(letter);
        }
    }
    single
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_of_files() {
        let all = Files::parse(b"%FILES%\nusr/\nusr/a\n\n%BACKUP%\netc/a.conf\tabc\netc/b\t1\n\n");
        assert_eq!(all.paths, [b"usr/".to_vec(), b"usr/a".to_vec()]);
        assert!(all.backup.contains(&b"etc/a.conf"[..]) && all.backup.len() == 2);
    }

    #[test]
    fn the_last_pattern_decides() {
        let mut all = NoExtract::default();
        let mut included = Vec::new();
        all.add(
            "[options]\nNoExtract = usr/share/help/** !usr/share/help/en*\n\
             Include = /etc/more.conf\n[core]\nInclude = /etc/mirrors\n",
            &mut included,
        );
        assert!(all.has("usr/share/help/de/a") && !all.has("usr/share/help/en/a"));
        assert!(!all.has("usr/bin/a"));
        assert_eq!(included, ["/etc/more.conf"]);
    }
}
