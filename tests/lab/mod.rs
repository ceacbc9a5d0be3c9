//! The lab: real Debian systems, really broken, really booted.
//!
//! Four test programs share it (`trees`, `machines`, `storage`, `demo`), and
//! each uses a part; `docs/lab.md` tells how the parts fit together.

#![allow(dead_code, reason = "each test program uses a part of the lab")]

pub mod archive;
pub mod base;
pub mod boot;
pub mod cache;
pub mod case;
pub mod commit_cuts;
pub mod confusion;
pub mod cpio;
pub mod digest;
pub mod disks;
pub mod dpkg;
pub mod foreign;
pub mod half_upgrade;
pub mod hardware;
pub mod layers;
pub mod layout;
pub mod legs;
pub mod machine_level;
pub mod manifest;
pub mod mirror;
pub mod modules;
pub mod monitor;
pub mod mounts;
pub mod power_cut;
pub mod power_cuts;
pub mod program;
pub mod progress;
pub mod qemu;
pub mod release;
pub mod report;
pub mod rescue;
pub mod run;
#[path = "../schemas/mod.rs"]
pub mod schemas;
pub mod serial;
pub mod stick;
pub mod storage_level;
pub mod story;
pub mod suite;
pub mod system_tree;
pub mod tools;
pub mod tree_level;
pub mod uefi;
pub mod upgrade_row;
pub mod upgrading;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use walkdir::WalkDir;

/// The program under test, as cargo built it for this test run.
pub const LIFEBOOT: &str = env!("CARGO_BIN_EXE_lifeboot");

/// The top folder of the repository.
pub fn repo() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Where runs leave their logs and working disks.
pub fn work_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("lab")
}

/// Runs `case` with a folder of its own, named after it. Logs stay; disks and
/// images only after a failure, because all of them together are 20 GB.
pub fn in_work_dir(name: &str, case: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let work = work_folder().join(name);
    fs::create_dir_all(&work).with_context(|| format!("creating {}", work.display()))?;
    case(&work)?;
    remove_large_files(&work)
}

/// Logs and reports are smaller than this, disks and images larger.
const LARGE: u64 = 1 << 20;

/// Removes the disks and images under `folder`; the logs stay.
pub fn remove_large_files(folder: &Path) -> Result<()> {
    for entry in WalkDir::new(folder).same_file_system(true) {
        let entry = entry.with_context(|| format!("looking through {}", folder.display()))?;
        if entry.file_type().is_file() && entry.metadata()?.len() > LARGE {
            let path = entry.path();
            fs::remove_file(path).with_context(|| format!("removing {}", path.display()))?;
        }
    }
    Ok(())
}
