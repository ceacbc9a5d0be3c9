//! Work on arrays: the kernel does it, and no journal takes it back.

use serde::Serialize;

use crate::assembly::Array;

/// Bytes that a resync copies in a minute on a slow disk (100 MB/s).
const RESYNC_BYTES_A_MINUTE: u64 = 6_000_000_000;

/// One piece of work on an array.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", tag = "work")]
pub enum ArrayWork {
    /// Starts the array without the absent members, so that its superblocks
    /// record them as gone.
    StartDegraded {
        /// UUID of the array.
        uuid: String,
        /// Its volume: `array host:0`.
        volume: String,
    },
    /// Takes a member with old data in again and copies the current data to it.
    RejoinLeg {
        /// UUID of the array.
        uuid: String,
        /// Its volume: `array host:0`.
        volume: String,
        /// The member: `/dev/nvme1n1p2`.
        leg: String,
    },
}

impl ArrayWork {
    /// UUID of the array.
    pub fn uuid(&self) -> &str {
        match self {
            Self::StartDegraded { uuid, .. } | Self::RejoinLeg { uuid, .. } => uuid,
        }
    }

    /// The array's volume.
    pub fn volume(&self) -> &str {
        match self {
            Self::StartDegraded { volume, .. } | Self::RejoinLeg { volume, .. } => volume,
        }
    }

    /// Why it cannot be taken back.
    pub fn why_lasting(&self) -> String {
        match self {
            Self::StartDegraded { .. } => {
                "an absent disk that comes back counts as old from then on".into()
            }
            Self::RejoinLeg { leg, .. } => format!("what {leg} holds now is overwritten"),
        }
    }

    /// Minutes that it takes.
    pub(super) fn minutes(&self, arrays: &[Array]) -> u32 {
        let array = arrays.iter().find(|array| array.uuid == self.uuid());
        let bytes = match self {
            Self::StartDegraded { .. } => 0,
            Self::RejoinLeg { .. } => array
                .and_then(|array| array.legs.first())
                .map_or(0, |leg| leg.superblock.size.saturating_mul(512)),
        };
        u32::try_from(bytes / RESYNC_BYTES_A_MINUTE)
            .unwrap_or(u32::MAX)
            .max(1)
    }
}
