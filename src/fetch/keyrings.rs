//! The keys that may vouch for an archive: those that the patient's apt would
//! take, and those of the distributions that the rescue system has.

use super::openpgp::{self, Key};
use crate::sys::root_dir::RootDir;

/// The most bytes of one keyring.
const KEYRING_MAX: u64 = 16 << 20;

/// The most files of one folder.
const FILES_MAX: usize = 200;

/// Keyrings of distributions lie here; those of others may as well, and they
/// are not asked about Debian.
const SHARED: &str = "/usr/share/keyrings";
const OF_DISTRIBUTIONS: [&str; 2] = ["debian-archive-", "ubuntu-archive-"];

/// The keys for a source with this `signed-by` (sources.list(5), apt-key(8)).
pub fn collect(patient: &RootDir, rescue: Option<&RootDir>, signed_by: &str) -> Vec<Key> {
    let mut keys = Vec::new();
    if signed_by.contains("-----BEGIN PGP") {
        keys.extend(openpgp::keyring(inline(signed_by).as_bytes()));
    }
    let named = signed_by.split([',', ' ', '\n', '\t']);
    let named: Vec<&str> = named.filter(|word| word.starts_with('/')).collect();
    for file in &named {
        keys.extend(read(patient, file));
    }
    if named.is_empty() && keys.is_empty() {
        keys.extend(read(patient, "/etc/apt/trusted.gpg"));
        keys.extend(folder(patient, "/etc/apt/trusted.gpg.d", |name| {
            name.ends_with(".gpg") || name.ends_with(".asc")
        }));
    }
    let is_shared = |name: &str| OF_DISTRIBUTIONS.iter().any(|start| name.starts_with(start));
    for place in [Some(patient), rescue].into_iter().flatten() {
        keys.extend(folder(place, SHARED, is_shared));
    }
    keys
}

/// A key in a stanza: each line is indented, and a dot stands for an empty one.
fn inline(text: &str) -> String {
    let line = |line: &str| match line.trim() {
        "." => "\n".to_owned(),
        line => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

fn read(place: &RootDir, file: &str) -> Vec<Key> {
    let bytes = place.read(file, KEYRING_MAX).unwrap_or_default();
    openpgp::keyring(&bytes)
}

fn folder(place: &RootDir, path: &str, is_meant: impl Fn(&str) -> bool) -> Vec<Key> {
    let entries = place.read_dir(path).unwrap_or_default();
    let names = entries.iter().filter_map(|entry| entry.name.to_str());
    let files = names.filter(|name| is_meant(name)).take(FILES_MAX);
    files
        .flat_map(|name| read(place, &format!("{path}/{name}")))
        .collect()
}
