//! Where the content of a renamed directory went.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::names;
use crate::facts::packages::Ownership;
use crate::sys::root_dir::{Kind, RootDir};

/// Where people put a directory that they move out of the way.
const ELSEWHERE: [&str; 7] = ["/", "/root", "/tmp", "/var/tmp", "/mnt", "/opt", "/home"];

/// A directory that holds what another should hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Sibling {
    /// Where it is.
    pub path: String,
    /// How many of the owned names it holds.
    pub holds: usize,
    /// True when a rename can bring it back.
    pub same_filesystem: bool,
}

/// Directories that no package owns and that hold at least half of `owned`,
/// and more than are `reachable` now; the fullest first.
pub(super) fn find(
    root: &RootDir,
    owners: &Ownership,
    path: &Path,
    owned: &BTreeSet<OsString>,
    reachable: usize,
) -> Vec<Sibling> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    let stem = path.file_name().unwrap_or_default().to_string_lossy();
    let device = root.metadata(parent).map(|meta| meta.dev).ok();
    let mut places: Vec<&Path> = vec![parent];
    places.extend(ELSEWHERE.iter().map(Path::new).filter(|p| *p != parent));
    let mut found: Vec<Sibling> = places
        .into_iter()
        .flat_map(|place| unowned_directories(root, owners, place))
        .filter(|candidate| candidate != path)
        .filter_map(|candidate| {
            let there = names(root, &candidate);
            let holds = owned.iter().filter(|name| there.contains(*name)).count();
            let named_alike = candidate
                .file_name()
                .is_some_and(|name| name.to_string_lossy().contains(&*stem));
            // Two or three names may be there by accident.
            let enough = holds * 2 >= owned.len() && holds > reachable;
            (enough && (holds > 3 || named_alike)).then(|| Sibling {
                same_filesystem: root.metadata(&candidate).map(|meta| meta.dev).ok() == device,
                path: candidate.display().to_string(),
                holds,
            })
        })
        .collect();
    found.sort_by(|a, b| b.holds.cmp(&a.holds).then_with(|| a.path.cmp(&b.path)));
    found.dedup();
    found
}

fn unowned_directories(root: &RootDir, owners: &Ownership, place: &Path) -> Vec<PathBuf> {
    root.read_dir(place)
        .unwrap_or_default()
        .into_iter()
        .filter(|entry| entry.kind == Kind::Directory)
        .map(|entry| place.join(entry.name))
        .filter(|path| owners.owner_merged(path).is_none())
        .collect()
}
