//! What an archive offers: its Release file, who signed that, and the index of
//! packages that it vouches for.

use std::io::Cursor;

use super::archives::Archive;
use super::http::{Client, Fault};
use super::openpgp::{self, Key, Trust};
use super::release::{Listed, Release, is_digest};
use crate::facts::packages::{control, unpack};
use crate::facts::toolbox::Relations;
use crate::journal;

/// The most bytes of a Release file, and of its signature.
const RELEASE_MAX: u64 = 16 << 20;
const SIGNATURE_MAX: u64 = 1 << 20;

/// The most bytes of one index, packed (those of Debian have some 10 MB) and
/// unpacked.
const PACKED_MAX: u64 = 64 << 20;
const INDEX_MAX: u64 = 512 << 20;

/// The most bytes that are kept of all indexes.
const KEPT_MAX: usize = 256 << 20;

/// The kinds of index that are read here, the smallest first.
const ENDINGS: [&str; 4] = [".xz", ".gz", ".bz2", ""];

/// A package that can be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// What it is and asks for.
    pub relations: Relations,
    /// Its file, below the archive.
    pub path: String,
    /// Bytes of it.
    pub size: u64,
    /// Its SHA-256.
    pub sha256: String,
}

/// A suite, as its Release file describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// The fields.
    pub release: Release,
    /// Who vouches for them.
    pub trust: Trust,
}

/// Fetches the Release file of a suite.
///
/// # Errors
/// It cannot be had, or is of another suite.
pub fn describe(
    client: &Client,
    archive: &Archive,
    keys: &[Key],
    now: u64,
) -> Result<Described, Fault> {
    let place = archive.place();
    let (text, trust) = match client.whole(&place.join("InRelease"), RELEASE_MAX) {
        Ok(bytes) => match openpgp::opened(&bytes) {
            Some(signed) => {
                let trust = openpgp::trust_text(&signed, keys, now);
                (signed.text, trust)
            }
            None => {
                let why = format!("{}: it is no signed text", place.join("InRelease"));
                return Err(Fault::Failed(why));
            }
        },
        Err(Fault::NotFound(_)) => {
            let text = client.whole(&place.join("Release"), RELEASE_MAX)?;
            let trust = match client.whole(&place.join("Release.gpg"), SIGNATURE_MAX) {
                Ok(signature) => openpgp::trust(&text, &signature, keys, now),
                Err(Fault::NotFound(_)) => Trust::Unknown("it has no signature".into()),
                Err(fault) => return Err(fault),
            };
            (text, trust)
        }
        Err(fault) => return Err(fault),
    };
    let release = Release::read(&text);
    if !archive.is_flat() && !release.is(&archive.suite) {
        let (suite, codename) = (&release.suite, &release.codename);
        let why = format!("{place}: its Release file is of {suite} ({codename})");
        return Err(Fault::Failed(why));
    }
    Ok(Described { release, trust })
}

/// Fetches the indexes of a suite: its packages of the architecture. `kept` bytes
/// of others are kept already.
///
/// # Errors
/// An index cannot be had, or is not the one that the Release file tells of.
pub fn read(
    client: &Client,
    archive: &Archive,
    release: &Release,
    architecture: &str,
    mut kept: usize,
) -> Result<Vec<Offer>, Fault> {
    let mut offers = Vec::new();
    for name in archive.indexes(architecture) {
        let is_of_all = name.contains("/binary-all/");
        if is_of_all && release.all_in_each {
            continue;
        }
        let listed = ENDINGS.iter().find_map(|ending| {
            let file = format!("{name}{ending}");
            let listed = release.files.get(&file)?;
            Some((file, listed))
        });
        // A component that the suite does not have is none of its own.
        let Some((file, listed)) = listed else {
            continue;
        };
        let bytes = fetch(client, archive, release, &file, listed)?;
        let failed = |why: String| Fault::Failed(format!("{}: {file}: {why}", archive.label()));
        let mut is_too_much = false;
        let unpacked = unpack::reader(Cursor::new(&bytes));
        let read = unpacked.and_then(|text| {
            control::each_stanza(text, INDEX_MAX, |stanza| {
                if let Some(offer) = Offer::of(stanza, architecture) {
                    kept += offer.bytes();
                    is_too_much |= kept > KEPT_MAX;
                    if !is_too_much {
                        offers.push(offer);
                    }
                }
            })
        });
        read.map_err(|error| failed(error.to_string()))?;
        if is_too_much {
            return Err(failed("there are too many packages".into()));
        }
    }
    Ok(offers)
}

/// One index, with the digest that the Release file tells.
fn fetch(
    client: &Client,
    archive: &Archive,
    release: &Release,
    file: &str,
    listed: &Listed,
) -> Result<Vec<u8>, Fault> {
    let place = archive.place();
    if listed.size > PACKED_MAX {
        let why = format!("{place}/{file}: {} bytes are too many", listed.size);
        return Err(Fault::Failed(why));
    }
    let plain = place.join(file);
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    let by_hash = place.join(&format!("{folder}/by-hash/SHA256/{}", listed.sha256));
    let bytes = match release.by_hash && !archive.is_flat() {
        true => match client.whole(&by_hash, listed.size) {
            Err(Fault::NotFound(_)) => client.whole(&plain, listed.size),
            other => other,
        },
        false => client.whole(&plain, listed.size),
    }?;
    if journal::digest(&bytes) != listed.sha256 {
        let why = format!("{plain}: its digest is not the one in the Release file");
        return Err(Fault::Failed(why));
    }
    Ok(bytes)
}

impl Offer {
    /// A stanza of the index; none when it is of another architecture, or not
    /// usable.
    fn of(stanza: &[u8], architecture: &str) -> Option<Self> {
        let own = control::field(stanza, "Architecture")?;
        if own != b"all" && own != architecture.as_bytes() {
            return None;
        }
        let text = |name: &str| control::text(stanza, name);
        let path = text("Filename")?;
        let is_inside = path.split('/').all(|part| part != "..") && !path.starts_with('/');
        let sha256 = text("SHA256").filter(|digest| is_digest(digest))?;
        let offer = Self {
            relations: Relations::of(stanza),
            size: text("Size")?.parse().ok()?,
            sha256: sha256.to_ascii_lowercase(),
            path,
        };
        (is_inside && offer.file_name().is_some()).then_some(offer)
    }

    /// The name that apt would give to its file; none when it cannot be one.
    pub fn file_name(&self) -> Option<String> {
        let Relations {
            name,
            version,
            architecture,
            ..
        } = &self.relations;
        let of = |text: &str, also: &str| {
            let fits = |c: char| c.is_ascii_alphanumeric() || also.contains(c);
            let first = text.chars().next();
            first.is_some_and(|c| c.is_ascii_alphanumeric()) && text.chars().all(fits)
        };
        let fits = of(name, "+-.") && of(version, "+-.~:") && of(architecture, "-");
        let name = format!("{name}_{}_{architecture}.deb", version.replace(':', "%3a"));
        (fits && name.len() < 250).then_some(name)
    }

    /// About what it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        let one = &self.relations;
        let fields = [
            &one.name,
            &one.version,
            &one.depends,
            &one.pre_depends,
            &one.provides,
            &one.breaks,
            &one.conflicts,
            &self.path,
        ];
        size_of::<Self>() + fields.iter().map(|text| text.len()).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_and_paths_that_lead_elsewhere_are_no_offers() {
        let digest = "0".repeat(64);
        let offer = |name: &str, version: &str, path: &str| {
            let text = format!(
                "Package: {name}\nVersion: {version}\nArchitecture: amd64\nFilename: {path}\n\
                 Size: 3\nSHA256: {digest}\n"
            );
            Offer::of(text.as_bytes(), "amd64")
        };
        let good = offer("passwd", "1:4.13", "pool/p/passwd.deb").unwrap();
        assert_eq!(good.file_name().unwrap(), "passwd_1%3a4.13_amd64.deb");
        assert_eq!(offer("../x", "1", "pool/x.deb"), None);
        assert_eq!(offer("x", "1/../2", "pool/x.deb"), None);
        assert_eq!(offer("x", "1", "pool/../../x.deb"), None);
        assert_eq!(offer("x", "1", "/x.deb"), None);
        assert_eq!(offer(".x", "1", "x.deb"), None);
        assert_eq!(offer(&"x".repeat(300), "1", "x.deb"), None);
    }
}
