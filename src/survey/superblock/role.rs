//! Roles of members, and the features of 1.x.

use serde::{Deserialize, Serialize};

/// What a member is to its array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Holds the data of this slot.
    Active(u16),
    /// Waits for a failure, or was never given a slot.
    Spare,
    /// Failed.
    Faulty,
    /// Holds the write journal.
    Journal,
}

/// Role marks of 1.x; other formats are translated into them.
pub(super) const SPARE: u16 = 0xFFFF;
pub(super) const FAULTY: u16 = 0xFFFE;
const JOURNAL: u16 = 0xFFFD;

impl From<u16> for Role {
    fn from(raw: u16) -> Self {
        match raw {
            SPARE => Self::Spare,
            FAULTY => Self::Faulty,
            JOURNAL => Self::Journal,
            // The kernel gives no slot beyond this.
            0xFF00.. => Self::Spare,
            slot => Self::Active(slot),
        }
    }
}

/// Feature bits (`MD_FEATURE_*`).
pub mod feature {
    /// A write-intent bitmap is kept.
    pub const BITMAP: u32 = 1;
    /// The member is still being rebuilt.
    pub const RECOVERY_OFFSET: u32 = 2;
    /// The array is changing its shape.
    pub const RESHAPE: u32 = 4;
    /// A list of bad blocks is kept.
    pub const BAD_BLOCKS: u32 = 8;
    /// The member replaces another that is still there.
    pub const REPLACEMENT: u32 = 16;
    /// The change of shape goes backwards.
    pub const BACKWARDS: u32 = 32;
    /// The change of shape moves the data.
    pub const NEW_OFFSET: u32 = 64;
    /// Writes go to a journal device first.
    pub const JOURNAL: u32 = 512;
    /// A partial parity log is kept.
    pub const PPL: u32 = 1024;
    /// Several of them.
    pub const PPLS: u32 = 2048;
    /// The layout of RAID0 is written down.
    pub const RAID0_LAYOUT: u32 = 4096;
    /// Every bit of kernels up to 6.18; others are not read here.
    pub const KNOWN: u32 = 8191;
}
