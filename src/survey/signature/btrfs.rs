//! btrfs (`include/uapi/linux/btrfs_tree.h`, `struct btrfs_super_block`).

use serde::{Deserialize, Serialize};

use super::profiles::Profiles;
use super::{Signature, magic, text, u64_at, uuid_at};

pub(super) const SB: usize = 0x10000;

/// The place of a device among those of one filesystem.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Member {
    /// Its number, from 1.
    pub id: u64,
    /// How many devices there are.
    pub devices: u64,
    /// Counts the commits: the highest is the newest.
    pub generation: u64,
    /// Features without which it cannot be mounted.
    pub incompat: u64,
    /// How its data are spread over the devices, where this one tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profiles: Option<Profiles>,
}

pub(super) fn recognise(head: &[u8]) -> Option<Signature> {
    if !magic(head, SB + 0x40, b"_BHRfS_M") {
        return None;
    }
    Some(Signature {
        format: "btrfs".into(),
        uuid: uuid_at(head, SB + 0x20),
        label: text(head, SB + 0x12B, 256),
        // The tree of what was synced and not yet committed.
        dirty: u64_at(head, SB + 0x60)? != 0,
        member: Some(Box::new(Member {
            id: u64_at(head, SB + 0xC9)?,
            devices: u64_at(head, SB + 0x88)?,
            generation: u64_at(head, SB + 0x48)?,
            incompat: u64_at(head, SB + 0xBC)?,
            profiles: None,
        })),
        ..Signature::default()
    })
}
