//! What the archives offered when apt last looked: `/var/lib/apt/lists`.

use std::collections::{HashMap, HashSet};
use std::io::BufReader;

use serde::{Deserialize, Serialize};

use crate::facts::packages::{control, unpack};
use crate::sys::root_dir::{Kind, RootDir};

/// The most bytes of a signed description of a release.
const RELEASE_MAX: u64 = 16 << 20;

/// The most bytes of one index, unpacked.
const INDEX_MAX: u64 = 1 << 30;

/// The most bytes of all indexes together.
const ALL_MAX: u64 = 4 << 30;

/// The most versions of one package that are kept.
const VERSIONS_MAX: usize = 100;

const FOLDER: &str = "/var/lib/apt/lists";

/// A release as its archive describes it (the fields of `Release`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Release {
    /// What its files begin with.
    pub prefix: String,
    /// `Debian`, `Ubuntu`, `Docker`, ...
    pub origin: String,
    /// `stable`
    pub suite: String,
    /// `bookworm`
    pub codename: String,
    /// `12.5`
    pub version: String,
    /// When it was made.
    pub date: String,
}

/// An index of binary packages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Index {
    /// The file.
    pub file: String,
    /// The release that it belongs to, by its place in the list of releases.
    pub release: Option<usize>,
    /// Packages in it; none: it was not read.
    pub packages: Option<usize>,
    /// Why it was not read to its end.
    pub fault: Option<String>,
}

/// A version of a package that an index offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The version.
    pub version: String,
    /// The index, by its place.
    pub index: usize,
    /// Bytes of the .deb.
    pub size: u64,
    /// Its digest.
    pub sha256: String,
}

/// What is offered of the packages that are asked for, by name and
/// architecture.
pub type Offers = HashMap<(String, String), Vec<Offer>>;

/// The releases and indexes that are there; none of them is read yet.
pub(super) fn collect(root: &RootDir) -> (Vec<Release>, Vec<Index>) {
    let entries = root.read_dir(FOLDER).unwrap_or_default();
    let names: Vec<String> = entries
        .iter()
        .filter(|entry| entry.kind == Kind::File)
        .filter_map(|entry| entry.name.to_str().map(str::to_owned))
        .collect();
    let releases: Vec<Release> = names
        .iter()
        .filter_map(|name| {
            let prefix = name.strip_suffix("_InRelease");
            let prefix = prefix.or_else(|| name.strip_suffix("_Release"))?;
            let text = root.read(format!("{FOLDER}/{name}"), RELEASE_MAX).ok()?;
            Some(release(prefix, &text))
        })
        .collect();
    let indexes = names.iter().filter(|name| {
        let plain = [".lz4", ".xz", ".gz", ".zst"]
            .iter()
            .find_map(|ending| name.strip_suffix(ending));
        plain.unwrap_or(name).ends_with("_Packages")
    });
    let indexes = indexes
        .map(|name| Index {
            file: format!("{FOLDER}/{name}"),
            release: releases.iter().position(|release| {
                let rest = name.strip_prefix(&release.prefix);
                rest.is_some_and(|rest| rest.starts_with('_'))
            }),
            ..Index::default()
        })
        .collect();
    (releases, indexes)
}

/// The fields stand in the signed text behind its first empty line.
fn release(prefix: &str, text: &[u8]) -> Release {
    let stanza = control::stanzas(text)
        .map(|(_, stanza)| stanza)
        .find(|stanza| control::field(stanza, "Suite").is_some() || codename(stanza).is_some())
        .unwrap_or_default();
    let field = |name: &str| control::text(stanza, name).unwrap_or_default();
    Release {
        prefix: prefix.to_owned(),
        origin: field("Origin"),
        suite: field("Suite"),
        codename: field("Codename"),
        version: field("Version"),
        date: field("Date"),
    }
}

fn codename(stanza: &[u8]) -> Option<&[u8]> {
    control::field(stanza, "Codename")
}

/// Reads every index and keeps what it offers of the packages called `wanted`.
pub(in crate::facts) fn read(
    root: &RootDir,
    indexes: &mut [Index],
    wanted: &HashSet<&[u8]>,
) -> Offers {
    let mut offers = Offers::new();
    let mut budget = ALL_MAX;
    for (at, index) in indexes.iter_mut().enumerate() {
        if budget == 0 {
            index.fault = Some("there are too many of them".into());
            continue;
        }
        let mut count = 0;
        let mut bytes = 0;
        let read = root
            .open_file(&index.file)
            .and_then(|file| unpack::reader(BufReader::with_capacity(1 << 16, file)))
            .and_then(|text| {
                control::each_stanza(text, INDEX_MAX.min(budget), |stanza| {
                    count += 1;
                    bytes += stanza.len() as u64;
                    offer(stanza, at, wanted, &mut offers);
                })
            });
        budget = budget.saturating_sub(bytes);
        index.packages = Some(count);
        index.fault = read.err().map(|error| error.to_string());
    }
    offers
}

fn offer(stanza: &[u8], index: usize, wanted: &HashSet<&[u8]>, offers: &mut Offers) {
    let Some(name) = control::field(stanza, "Package").filter(|name| wanted.contains(name)) else {
        return;
    };
    let text = |name: &str| control::text(stanza, name).unwrap_or_default();
    let key = (
        String::from_utf8_lossy(name).into_owned(),
        text("Architecture"),
    );
    let offers = offers.entry(key).or_default();
    if offers.len() < VERSIONS_MAX {
        offers.push(Offer {
            version: text("Version"),
            index,
            size: text("Size").parse().unwrap_or(0),
            sha256: text("SHA256"),
        });
    }
}
