//! All of a tree in a form that can be compared: undo must restore all of it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use walkdir::WalkDir;

/// How many differences an error message lists.
const SHOWN: usize = 25;

/// Arguments for one call of `sha256sum` stay far below the kernel's limit.
const FILES_PER_CALL: usize = 500;

/// What every path of a tree is: mode, owner, size, times, links, extended
/// attributes and content.
#[derive(Debug, PartialEq, Eq)]
pub struct Manifest {
    paths: BTreeMap<PathBuf, String>,
}

impl Manifest {
    /// Reads the whole tree under `root`, staying on its filesystem.
    pub fn of(root: &Path) -> Result<Self> {
        let mut paths = BTreeMap::new();
        let mut contents = Vec::new();
        for entry in WalkDir::new(root).same_file_system(true) {
            let entry = entry.with_context(|| format!("walking {}", root.display()))?;
            let meta = entry.metadata()?;
            if meta.is_file() && meta.len() > 0 {
                contents.push(entry.path().to_owned());
            }
            let path = entry.path().strip_prefix(root)?.to_owned();
            paths.insert(path, describe(entry.path(), &meta)?);
        }
        for files in contents.chunks(FILES_PER_CALL) {
            for (file, digest) in files.iter().zip(digests(files)?) {
                if let Some(text) = paths.get_mut(file.strip_prefix(root)?) {
                    let _ = write!(text, " sha256={digest}");
                }
            }
        }
        Ok(Self { paths })
    }

    /// How many paths it holds.
    pub fn len(&self) -> usize {
        self.paths.len()
    }

    /// Fails with the list of differences unless `other` is the same.
    pub fn expect_same(&self, other: &Self) -> Result<()> {
        let mut differences = Vec::new();
        for (path, before) in &self.paths {
            match other.paths.get(path) {
                None => differences.push(format!("gone: /{}", path.display())),
                Some(after) if after != before => differences.push(format!(
                    "changed: /{}\n    before {before}\n    after  {after}",
                    path.display()
                )),
                Some(_) => {}
            }
        }
        let new = other
            .paths
            .keys()
            .filter(|path| !self.paths.contains_key(*path));
        differences.extend(new.map(|path| format!("new: /{}", path.display())));
        if differences.is_empty() {
            return Ok(());
        }
        let count = differences.len();
        differences.truncate(SHOWN);
        bail!(
            "the trees differ in {count} paths:\n  {}",
            differences.join("\n  ")
        )
    }
}

fn describe(path: &Path, meta: &fs::Metadata) -> Result<String> {
    // The size of a folder is an affair of its filesystem.
    let size = if meta.is_dir() { 0 } else { meta.len() };
    let mut text = format!(
        "mode={:o} owner={}:{} size={size} device={} mtime={}.{:09}",
        meta.mode(),
        meta.uid(),
        meta.gid(),
        meta.rdev(),
        meta.mtime(),
        meta.mtime_nsec()
    );
    if meta.is_symlink() {
        let _ = write!(text, " target={:?}", fs::read_link(path)?);
    }
    let names = xattr::list(path)
        .with_context(|| format!("listing the attributes of {}", path.display()))?;
    let mut names: Vec<_> = names.collect();
    names.sort();
    for name in names {
        let value = xattr::get(path, &name)?.unwrap_or_default();
        let _ = write!(text, " {name:?}={:?}", OsStr::from_bytes(&value));
    }
    Ok(text)
}

fn digests(files: &[PathBuf]) -> Result<Vec<String>> {
    let text = super::run::output(
        "hashing a tree",
        Command::new("sha256sum").args(["--zero", "--"]).args(files),
    )?;
    let digests: Vec<String> = text
        .split_terminator('\0')
        .map(|line| line.chars().take(64).collect())
        .collect();
    ensure!(
        digests.len() == files.len(),
        "sha256sum gave {} lines for {} files",
        digests.len(),
        files.len()
    );
    Ok(digests)
}
