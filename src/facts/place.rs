//! The mode and the owner of a directory or a file, by numbers, as a repair
//! needs them to give others.

use serde::{Deserialize, Serialize};

use crate::sys::root_dir::{Kind, RootDir};

/// One place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Place {
    /// Where, without any link.
    pub path: String,
    /// Permission bits with set-user-id, set-group-id and sticky.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

impl Place {
    /// What `path` leads to; none for what is no directory and no file.
    pub(super) fn read(root: &RootDir, path: &str) -> Option<Self> {
        let found = root.resolve(path).ok()?;
        let meta = found.meta;
        let stays = matches!(meta.kind, Kind::File | Kind::Directory);
        let path = found.path.to_str()?.to_owned();
        stays.then_some(Self {
            path,
            mode: meta.mode & 0o7777,
            uid: meta.uid,
            gid: meta.gid,
        })
    }
}
