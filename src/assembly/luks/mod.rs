//! Encrypted containers: unlocked with a key that the operator gives, and
//! opened by dm-crypt. No key is kept, printed or written anywhere.

use std::fmt::Write as _;
use std::io::{self, Read};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use zeroize::Zeroizing;

use super::device::Device;
use super::volume::Volume;
use super::without_dm;
use crate::kmod;
use crate::survey::luks::{self, Luks, Slot};
use crate::sys::dm::{Mapping, Target};
use crate::sys::loopdev::Access;

mod derive;

/// Modules of the ciphers, modes and hashes that LUKS volumes use.
const CIPHERS: [&str; 16] = [
    "ecb",
    "xts",
    "cbc",
    "ctr",
    "essiv",
    "aes_generic",
    "cryptd",
    "crypto_simd",
    "aesni_intel",
    "aes_arm64",
    "sha256_generic",
    "sha256_ssse3",
    "sha512_generic",
    "serpent_generic",
    "twofish_generic",
    "camellia_generic",
];

/// A passphrase, or the content of a key file.
pub type Key = Zeroizing<Vec<u8>>;

/// Who knows the keys.
pub trait Keys {
    /// A key for the container on `volume` with this UUID; `wrong` keys were
    /// tried before. None: there is no further one.
    fn key(&mut self, volume: &str, uuid: &str, wrong: usize) -> Option<Key>;

    /// The key that opened the container, for later.
    fn opened(&mut self, uuid: &str, key: &Key);

    /// Why there was none.
    fn why_none(&self, wrong: usize) -> String;
}

/// Keys that nobody gives.
#[derive(Debug, Default)]
pub struct NoKeys;

impl Keys for NoKeys {
    fn key(&mut self, _: &str, _: &str, _: usize) -> Option<Key> {
        None
    }

    fn opened(&mut self, _: &str, _: &Key) {}

    fn why_none(&self, _: usize) -> String {
        "no key was given: name one with --key-file FILE, or run it on a terminal".into()
    }
}

/// What keeps a container open; dropping it closes it.
#[derive(Debug)]
pub struct Handle {
    // The order matters: the mapping goes before the device below it.
    mapping: Mapping,
    _device: Device,
}

impl Handle {
    /// Closes the container.
    ///
    /// # Errors
    /// The kernel's.
    pub fn close(self) -> io::Result<()> {
        self.mapping.close()
    }
}

/// Why a container stays closed.
#[derive(Debug)]
pub enum Closed {
    /// There was no right key.
    Locked(String),
    /// It cannot be opened with any.
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for Closed {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

/// The name of the volume inside the container with this UUID.
pub fn volume_name(uuid: &str) -> String {
    format!("luks {uuid}")
}

/// Opens the container on `volume`.
///
/// # Errors
/// Why it stays closed.
pub fn open(
    volume: &Volume,
    keys: &mut dyn Keys,
    access: Access,
) -> Result<(Handle, PathBuf), Closed> {
    let file = volume.source.open().context("reading its header")?;
    let luks = luks::read(&file, &volume.source).context("reading its header")?;
    if let Some(why) = without_dm(&["dm_crypt"]) {
        return Err(anyhow::anyhow!("{why}").into());
    }
    // The kernel asks for its ciphers by a helper that a rescue may lack. What
    // is built in, or of another machine, is not there to be loaded.
    let _ = kmod::ensure(&CIPHERS);
    let mut wrong = 0;
    while let Some(key) = keys.key(&volume.name, &luks.uuid, wrong) {
        if let Some(master) = master_key(volume, &luks, &key)? {
            keys.opened(&luks.uuid, &key);
            return Ok(mapped(volume, &luks, &master, access)?);
        }
        wrong += 1;
    }
    Err(Closed::Locked(keys.why_none(wrong)))
}

/// The key of the data, where a slot yields it to this passphrase.
fn master_key(volume: &Volume, luks: &Luks, key: &Key) -> Result<Option<Key>> {
    let mut failed = None;
    for slot in &luks.slots {
        match try_slot(volume, luks, slot, key) {
            Ok(None) => {}
            Ok(found) => return Ok(found),
            // Another slot may need less memory, or a hash that is known.
            Err(error) => failed = Some(error.context(format!("key slot {}", slot.number))),
        }
    }
    match failed {
        Some(error) => Err(error),
        None => Ok(None),
    }
}

fn try_slot(volume: &Volume, luks: &Luks, slot: &Slot, key: &Key) -> Result<Option<Key>> {
    let own = derive::slot_key(&slot.kdf, key, slot.cipher_key_bytes)?;
    let split = decrypted(volume, slot, &own)?;
    let master = derive::merge(&slot.hash, &split, slot.key_bytes, slot.stripes)?;
    let digests = luks.digests.iter();
    for digest in digests.filter(|digest| digest.slots.contains(&slot.number)) {
        if derive::is_right(digest, &master)? {
            return Ok(Some(master));
        }
    }
    Ok(None)
}

/// The content of a key slot, decrypted by the kernel: it knows every cipher
/// that the data can have.
fn decrypted(volume: &Volume, slot: &Slot, key: &Key) -> Result<Key> {
    let length = u64::from(slot.key_bytes) * u64::from(slot.stripes);
    let room = length.next_multiple_of(512);
    let area = volume.source.part(slot.offset, room);
    if area.bytes < room {
        bail!("it lies outside of the volume");
    }
    let device = Device::open(&area, 512, Access::ReadOnly)?;
    let (major, minor) = device.number();
    let table = crypt_table(
        room / 512,
        &slot.cipher,
        key,
        0,
        &format!("{major}:{minor} 0"),
    );
    let mapping = Mapping::create(&[table], Access::ReadOnly)
        .with_context(|| format!("the kernel does not take the cipher {}", slot.cipher))?;
    let mut content = Zeroizing::new(vec![0; usize::try_from(length)?]);
    let mut file = std::fs::File::open(mapping.node())?;
    file.read_exact(&mut content)?;
    drop(file);
    mapping.close()?;
    Ok(content)
}

fn mapped(volume: &Volume, luks: &Luks, key: &Key, access: Access) -> Result<(Handle, PathBuf)> {
    let segment = &luks.segment;
    let device = Device::open(&volume.source, volume.sector_bytes, access)?;
    let room = volume.source.bytes.saturating_sub(segment.offset);
    let bytes = segment.bytes.unwrap_or(room).min(room);
    let sectors = bytes / u64::from(segment.sector_bytes) * u64::from(segment.sector_bytes) / 512;
    if sectors == 0 {
        bail!("its data lies behind the end of the volume");
    }
    let (major, minor) = device.number();
    let mut place = format!("{major}:{minor} {}", segment.offset / 512);
    if segment.sector_bytes != 512 {
        let _ = write!(place, " 1 sector_size:{}", segment.sector_bytes);
    }
    let table = crypt_table(sectors, &segment.cipher, key, segment.iv, &place);
    let mapping = Mapping::create(&[table], access)
        .with_context(|| format!("the kernel does not take the cipher {}", segment.cipher))?;
    let node = mapping.node().to_owned();
    let handle = Handle {
        mapping,
        _device: device,
    };
    Ok((handle, node))
}

fn crypt_table(sectors: u64, cipher: &str, key: &Key, iv: u64, place: &str) -> Target {
    // One allocation: growing would leave copies of the key behind.
    let room = cipher.len() + 2 * key.len() + place.len() + 32;
    let mut parameters = Zeroizing::new(String::with_capacity(room));
    let _ = write!(parameters, "{cipher} ");
    for byte in key.iter() {
        let _ = write!(parameters, "{byte:02x}");
    }
    let _ = write!(parameters, " {iv} {place}");
    Target {
        sectors,
        kind: "crypt",
        parameters,
    }
}
