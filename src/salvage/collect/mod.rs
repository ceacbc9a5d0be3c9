//! The walk over the patient: notes every path, and takes along what has to be
//! saved. Nothing is written but to the shelf.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::accounts::Accounts;
use super::defaults::Defaults;
use super::record::{End, Header, Kind, Tree, Unread};
use super::rules::{self, Area, FILE_MAX, Rules};
use super::shelf::{Shelf, Shelved};
use super::walk::{Walk, is_asked};
use crate::sys::root_dir::RootDir;

mod content;
mod paths;

use paths::{Collector, Known};

/// What the operator wants.
#[derive(Debug, Clone)]
pub struct Options {
    /// Take secrets along.
    pub secrets: bool,
    /// Take /root and the dot files of users along.
    pub home: bool,
    /// Only these directories; none: all.
    pub only: Vec<PathBuf>,
    /// Not these directories.
    pub without: Vec<PathBuf>,
    /// Hash content of data up to so many bytes; none: of any size.
    pub hash_limit: Option<u64>,
    /// The most bytes that are taken from /opt and /usr/local.
    pub added_limit: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            secrets: false,
            home: false,
            only: Vec::new(),
            without: Vec::new(),
            hash_limit: Some(1 << 20),
            added_limit: 1 << 30,
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Summary {
    /// The first record.
    pub header: Header,
    /// The last record.
    pub end: End,
    /// Packages.
    pub packages: usize,
    /// Data to be copied, the largest first.
    pub trees: Vec<Tree>,
    /// Secrets that were left out.
    #[serde(serialize_with = "crate::journal::encoded::all")]
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub secrets: Vec<PathBuf>,
    /// Files that were too large, or came when the limit was reached.
    #[serde(serialize_with = "crate::journal::encoded::all")]
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub too_large: Vec<PathBuf>,
    /// What could not be read.
    pub unread: Vec<Unread>,
    /// Files that the target had already, the same.
    pub already: u64,
    /// What the target could not take as it is.
    pub lost: Vec<(String, String)>,
}

/// Told from time to time: bytes that are read, and all of them.
pub type Told<'t> = &'t mut dyn FnMut(u64, u64);

/// Saves what has to be saved of `root` on `shelf`.
///
/// # Errors
/// The target's; what cannot be read of the patient is in the summary.
pub fn collect(
    root: &RootDir,
    options: &Options,
    mut shelf: Box<dyn Shelf>,
    told: Told<'_>,
) -> Result<Summary> {
    let rules = Rules::default();
    let defaults = Defaults::of(root);
    let accounts = Accounts::of(root);
    let total = measure(root, options)?;
    let known = Known {
        options,
        rules: &rules,
        defaults: &defaults,
        accounts: &accounts,
    };
    let mut collector = Collector::new(known);
    let target = "writing the salvage";
    collector.begin(root, shelf.as_mut()).context(target)?;
    let mut walk = Walk::new(root, &options.without).context("reading the patient's root")?;
    while let Some(step) = walk.step() {
        if is_asked(&step.path, &options.only) {
            let entered = collector.path(&step, walk.directory(), shelf.as_mut());
            if entered.context(target)? {
                walk.enter(&step);
            }
        }
        for (path, error) in walk.faults() {
            collector
                .unread(path, &error, shelf.as_mut())
                .context(target)?;
        }
        told(collector.read.min(total), total);
    }
    collector.end(shelf.as_mut()).context(target)?;
    let Shelved { already, lost } = shelf.finish().context(target)?;
    Ok(Summary {
        already,
        lost,
        ..collector.summary
    })
}

/// Bytes that will be read, as the sizes of files tell.
fn measure(root: &RootDir, options: &Options) -> Result<u64> {
    let mut walk = Walk::new(root, &options.without).context("reading the patient's root")?;
    let mut total = 0_u64;
    while let Some(step) = walk.step() {
        if !is_asked(&step.path, &options.only) {
            continue;
        }
        match Kind::of(step.details.format) {
            Some(Kind::Directory) => walk.enter(&step),
            Some(Kind::File) => {
                let area = rules::area(&step.path, true);
                let size = step.details.meta.size;
                total = total.saturating_add(if reads(area, size, options) { size } else { 0 });
            }
            _ => {}
        }
    }
    Ok(total)
}

fn reads(area: Area, size: u64, options: &Options) -> bool {
    match area {
        Area::Never | Area::System | Area::OwnFiles => false,
        Area::Configuration | Area::Added | Area::Definition => size <= FILE_MAX,
        Area::Data => options.hash_limit.is_none_or(|limit| size <= limit),
    }
}
