//! The lab: real Debian systems, really broken, really booted.
//!
//! Three test programs share it (`trees`, `machines`, `demo`), and each uses
//! a part; `docs/lab.md` tells how the parts fit together.

#![allow(dead_code, reason = "each test program uses a part of the lab")]

pub mod base;
pub mod boot;
pub mod cache;
pub mod case;
pub mod cpio;
pub mod disks;
pub mod foreign;
pub mod half_upgrade;
pub mod legs;
pub mod machine_level;
pub mod manifest;
pub mod mirror;
pub mod modules;
pub mod mounts;
pub mod program;
pub mod progress;
pub mod qemu;
pub mod report;
pub mod rescue;
pub mod run;
pub mod serial;
pub mod story;
pub mod suite;
pub mod tree_level;

use std::path::PathBuf;

/// The program under test, as cargo built it for this test run.
pub const LIFEBOOT: &str = env!("CARGO_BIN_EXE_lifeboot");

/// The top folder of the repository.
pub fn repo() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Where a run leaves its logs and working disks, named after the case.
pub fn work_dir(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join("lab")
        .join(name)
}
