//! Arrays that the rescue system runs: not ours, and never stopped by us.

use std::fs;
use std::path::{Path, PathBuf};

/// One such array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// `md127`.
    pub name: String,
    /// Its device node.
    pub node: PathBuf,
    /// `clean`, `read-auto`, `inactive`, ...
    pub state: String,
    /// Kernel names of its members: `nvme0n1p2`.
    pub members: Vec<String>,
}

/// Where the data begins on a member of a running array, in sectors.
pub fn data_offset(array: &str, member: &str) -> Option<u64> {
    let dir = Path::new("/sys/block").join(array).join("md");
    let text = fs::read_to_string(dir.join(format!("dev-{member}/offset"))).ok()?;
    text.trim().parse().ok()
}

/// The arrays that run already, ours left out, and the containers of firmware
/// that never run themselves.
pub fn running() -> Vec<Running> {
    let Ok(entries) = fs::read_dir("/sys/block") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.starts_with("md") || name.starts_with("md_lifeboot") {
                return None;
            }
            let level = fs::read_to_string(entry.path().join("md/level"));
            if level.is_ok_and(|level| level.trim() == "container") {
                return None;
            }
            let state = fs::read_to_string(entry.path().join("md/array_state")).ok()?;
            let slaves = fs::read_dir(entry.path().join("slaves")).ok()?;
            Some(Running {
                node: Path::new("/dev").join(&name),
                state: state.trim().to_owned(),
                members: slaves
                    .flatten()
                    .map(|slave| slave.file_name().to_string_lossy().into_owned())
                    .collect(),
                name,
            })
        })
        .collect()
}
