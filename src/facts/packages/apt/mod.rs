//! What apt knows beside dpkg: sources, indexes, pins, marks, cached packages.

use std::collections::HashSet;
use std::io::BufReader;

use serde::{Deserialize, Serialize};

use super::dpkg::Dpkg;
use super::history::Run;
use super::{Depth, control, standing, unpack};
use crate::sys::root_dir::RootDir;

pub mod archives;
pub mod conf;
pub mod lists;
pub mod preferences;
pub mod sources;

pub use archives::{Archive, Cache};
pub use conf::Conf;
pub use lists::{Index, Offer, Offers, Release};
pub use preferences::Pin;
pub use sources::Source;

/// The most bytes of `extended_states`.
const STATES_MAX: u64 = 64 << 20;

/// What apt knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Apt {
    /// Where packages come from.
    pub sources: Vec<Source>,
    /// Files of sources that could not be read, and why.
    pub unreadable: Vec<String>,
    /// What it is told to prefer.
    pub pins: Vec<Pin>,
    /// `APT::Default-Release`
    pub default_release: Option<String>,
    /// The releases that it last saw.
    pub releases: Vec<Release>,
    /// Their indexes.
    pub indexes: Vec<Index>,
    /// Packages that it has downloaded.
    pub cache: Cache,
    /// Packages that were installed because others need them; none: it keeps
    /// no record.
    pub automatic: Option<usize>,
}

/// Reads all of it. The indexes and the cached packages are only looked into
/// when something stands between two states: they are big.
pub(super) fn collect(root: &RootDir, dpkg: &Dpkg, runs: &[Run], depth: Depth) -> (Apt, Offers) {
    let (sources, unreadable) = sources::collect(root);
    let conf = Conf::of(root);
    let pins = preferences::collect(root);
    let (releases, indexes) = lists::collect(root);
    let mut apt = Apt {
        sources,
        unreadable,
        pins,
        default_release: conf.get("apt::default-release").map(str::to_owned),
        releases,
        indexes,
        cache: archives::collect(root, conf.archives()),
        automatic: automatic(root),
    };
    let mut offers = Offers::new();
    if dpkg.is_interrupted() || standing::is_between(root, dpkg, &apt, runs) {
        let on_disk = dpkg.packages.iter().filter(|p| p.on_disk());
        let planned = runs.iter().flat_map(|run| &run.items);
        let wanted: HashSet<&[u8]> = on_disk
            .map(|package| package.name.as_bytes())
            .chain(planned.map(|item| item.name.as_bytes()))
            .collect();
        offers = lists::read(root, &mut apt.indexes, &wanted);
        archives::open_all(root, &mut apt.cache, &offers);
        if depth == Depth::Digests {
            archives::compare_digests(root, &mut apt.cache);
        }
    }
    (apt, offers)
}

fn automatic(root: &RootDir) -> Option<usize> {
    automatic_names(root).map(|names| names.len())
}

/// Name and architecture of packages with `Auto-Installed: 1` in
/// `extended_states` (apt-mark(8)); none: apt keeps no record.
pub fn automatic_names(root: &RootDir) -> Option<Vec<(String, String)>> {
    let file = root.open_file("/var/lib/apt/extended_states").ok()?;
    let bytes = unpack::whole(BufReader::new(file), STATES_MAX).ok()?;
    let marked = control::stanzas(&bytes).filter(|(_, stanza)| {
        control::field(stanza, "Auto-Installed").is_some_and(|value| value == b"1")
    });
    let text = |stanza: &[u8], field: &str| control::text(stanza, field).unwrap_or_default();
    let names = marked.map(|(_, stanza)| (text(stanza, "Package"), text(stanza, "Architecture")));
    Some(names.collect())
}
