//! Layers of a machine's two disks: what each held at a moment, and what was
//! written after it (qcow2 files with the layer below as their backing file).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::legs::Legs;
use super::run;

/// What the disks in `dir` were written to between a moment and the one before
/// it; at first the images themselves.
pub fn of(dir: &Path, moment: usize) -> Vec<PathBuf> {
    if moment == 0 {
        return Legs::in_folder(dir).disks();
    }
    let file = |disk| dir.join(format!("{disk}-{moment}.qcow2"));
    ["a", "b"].map(file).to_vec()
}

/// Files for what comes after the moment before `moment`.
pub fn empty(dir: &Path, moment: usize) -> Result<Vec<PathBuf>> {
    let below = of(dir, moment - 1);
    let format = if moment == 1 { "raw" } else { "qcow2" };
    let files = of(dir, moment);
    for (file, below) in files.iter().zip(below) {
        // Its name alone: the folder may get another one.
        let below = below.file_name().context("a disk without a name")?;
        let mut create = Command::new("qemu-img");
        create.args(["create", "-q", "-f", "qcow2", "-F", format, "-b"]);
        run::output(
            "making a layer of a disk",
            create.arg(below).arg(file).current_dir(dir),
        )?;
    }
    Ok(files)
}

/// The disks in `dir` as they were at a moment, in the folder `to`.
pub fn taken(dir: &Path, moment: usize, to: &Path) -> Result<Legs> {
    fs::create_dir_all(to).with_context(|| format!("creating {}", to.display()))?;
    let legs = Legs::in_folder(to);
    for (layer, disk) in of(dir, moment).iter().zip(legs.disks()) {
        let mut convert = Command::new("qemu-img");
        convert.args(["convert", "-q", "-O", "raw"]).arg(layer);
        run::output("taking the disk of a moment", convert.arg(disk))?;
    }
    Ok(legs)
}
