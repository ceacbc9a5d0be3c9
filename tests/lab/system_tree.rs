//! What lies on the root filesystem of every layout: enough to count as a
//! system, and enough content to prove that striped data was read in order.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// How many packages the package database knows.
pub const PACKAGES: usize = 300;

/// Bytes of text in each package's description: the database then spans some
/// hundred KiB, thus several chunks of every striped layout.
const DESCRIPTION_BYTES: usize = 2048;

/// `/srv/data`: random bytes over many chunks of any size.
const DATA_BYTES: usize = 8 << 20;

/// Changes when the tree changes, for the cache.
pub const RECIPE: &str = include_str!("system_tree.rs");

/// The version of package number `number`: nothing but the right bytes in
/// the right order gives all of them.
pub fn version(number: usize) -> String {
    format!("1.{}", &hex(&hash(&format!("version {number}")))[..12])
}

/// Makes the tree at `root`, which must not exist. The layout's script adds
/// os-release, hostname and fstab.
pub fn write(root: &Path) -> Result<()> {
    for path in [
        "boot",
        "dev",
        "etc",
        "proc",
        "root",
        "run",
        "srv",
        "sys",
        "tmp",
        "usr/bin",
        "usr/lib",
        "usr/sbin",
        "usr/share",
        "var/lib/dpkg/info",
        "var/lib/dpkg/updates",
        "var/log",
    ] {
        let path = root.join(path);
        fs::create_dir_all(&path).with_context(|| format!("creating {}", path.display()))?;
    }
    for name in ["bin", "sbin", "lib"] {
        symlink(format!("usr/{name}"), root.join(name))?;
    }
    fs::write(root.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\n")?;
    fs::write(root.join("var/lib/dpkg/status"), status())?;
    fs::write(
        root.join("var/log/dpkg.log"),
        "2026-01-02 03:04:05 status installed tool0:all 1\n",
    )?;
    let data = noise("data", DATA_BYTES);
    fs::write(root.join("srv/data"), &data)?;
    let sums = format!("{}  srv/data\n", hex(&Sha256::digest(&data)));
    fs::write(root.join("srv/SHA256SUMS"), sums)?;
    Ok(())
}

fn status() -> String {
    (0..PACKAGES)
        .map(|number| {
            let filler = hex(&noise(&format!("package {number}"), DESCRIPTION_BYTES / 2));
            format!(
                "Package: tool{number}\nStatus: install ok installed\nArchitecture: all\n\
                 Description: {filler}\nVersion: {}\n\n",
                version(number)
            )
        })
        .collect()
}

/// Bytes that look random and are the same each time.
fn noise(seed: &str, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 32);
    let mut block = hash(seed);
    while bytes.len() < length {
        bytes.extend(block);
        block = Sha256::digest(block).into();
    }
    bytes.truncate(length);
    bytes
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
