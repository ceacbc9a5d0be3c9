//! A USB stick with packages. The lab's kernels have no driver for USB disks: it
//! is a SCSI disk in the machine, which the kernel shows in the same way.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use walkdir::WalkDir;

use super::run;

/// The stick as the rescue system names it: the disks of the lab are NVMe.
pub const NAME: &str = "/dev/sda";

/// Room for the tables of the filesystem.
const SPARE_BYTES: u64 = 32 << 20;

/// One with a copy of `folder` on it, as a technician makes it.
pub fn with(folder: &Path, work: &Path) -> Result<PathBuf> {
    let mut bytes = SPARE_BYTES;
    for entry in WalkDir::new(folder) {
        let entry = entry.with_context(|| format!("reading {}", folder.display()))?;
        bytes += entry.metadata()?.len();
    }
    let image = work.join("stick.img");
    File::create(&image)
        .and_then(|file| file.set_len(bytes.next_multiple_of(1 << 20)))
        .with_context(|| format!("making {}", image.display()))?;
    let mut mkfs = Command::new("mkfs.vfat");
    run::output(
        "formatting the stick",
        mkfs.args(["-n", "DEBS"]).arg(&image),
    )?;
    let mut mcopy = Command::new("mcopy");
    mcopy.arg("-i").arg(&image).arg("-s").arg(folder).arg("::/");
    run::output("copying to the stick", &mut mcopy)?;
    Ok(image)
}
