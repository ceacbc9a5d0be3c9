//! Packages into a folder of the rescue system: each whole and with the right
//! digest, or not there at all.

use std::io::{self, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::http::{Client, Fault};
use super::index::Offer;
use super::url::Url;
use crate::facts::sha256_sum;
use crate::facts::toolbox::Fetched;
use crate::facts::toolbox::fetched::{NOTE, noted};
use crate::sys::root_dir::RootDir;
use crate::sys::whole_file::WholeFile;

/// True when the file is there as the index has it.
pub fn is_there(folder: &Path, name: &str, offer: &Offer) -> bool {
    let is_same = || -> io::Result<bool> {
        let folder = RootDir::open(folder)?;
        let file = folder.open_file(format!("/{name}"))?;
        Ok(file.metadata()?.len() == offer.size && sha256_sum::of(file)? == offer.sha256)
    };
    is_same().unwrap_or(false)
}

/// Bytes that fit into the folder.
///
/// # Errors
/// The kernel's.
pub fn room(folder: &Path) -> io::Result<u64> {
    Ok(RootDir::open(folder)?.room("/")?.bytes_free)
}

/// Fetches a package; `told` hears of each piece.
///
/// # Errors
/// It cannot be had or written, or is another one.
pub fn fetch(
    client: &Client,
    url: &Url,
    offer: &Offer,
    into: (&Path, &str),
    told: &mut dyn FnMut(u64),
) -> Result<(), Fault> {
    let (folder, name) = into;
    let written =
        |error: io::Error| Fault::Failed(format!("writing {}/{name}: {error}", folder.display()));
    let mut file = WholeFile::begin(folder, name).map_err(written)?;
    let mut digest = Sha256::new();
    let read = client.get(url, offer.size, &mut |piece| {
        digest.update(piece);
        told(piece.len() as u64);
        file.write_all(piece)
    })?;
    if read != offer.size {
        let why = format!("{url}: it has {read} bytes, the index says {}", offer.size);
        return Err(Fault::Failed(why));
    }
    if hex::encode(digest.finalize()) != offer.sha256 {
        let why = format!("{url}: its digest is not the one in the index; it was thrown away");
        return Err(Fault::Failed(why));
    }
    file.finish().map_err(written)
}

/// Notes where a package comes from; what is noted of others stays.
///
/// # Errors
/// The kernel's.
pub fn note(folder: &Path, one: &Fetched) -> io::Result<()> {
    let mut all = noted(&RootDir::open(folder)?);
    all.retain(|other| other.file != one.file);
    all.push(one.clone());
    let mut file = WholeFile::begin(folder, NOTE)?;
    file.write_all(&serde_json::to_vec_pretty(&all)?)?;
    file.finish()
}
