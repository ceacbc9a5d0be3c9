//! The released program: what people get, not what the tests compile.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use super::progress::step;
use super::run;

/// Builds the static release binary with cargo, and tells where it is.
pub fn binary() -> Result<PathBuf> {
    step("cargo builds the static lifeboot", || {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        run::output(
            "building the release binary",
            Command::new(cargo)
                .args(["build", "--quiet", "--release", "--locked"])
                .current_dir(super::repo()),
        )
    })?;
    // target/TRIPLE/tmp is this program's folder, target/TRIPLE/release cargo's.
    let binary = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .with_file_name("release")
        .join("lifeboot");
    ensure!(binary.is_file(), "no binary at {}", binary.display());
    Ok(binary)
}
