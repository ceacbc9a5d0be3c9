//! The kernel's own count of what was written to each disk.

use procfs::DiskStat;
use serde::{Deserialize, Serialize};

use super::Survey;

/// Writing requests of one disk since the rescue system started
/// (`Documentation/admin-guide/iostats.rst`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Counters {
    /// Completed writes.
    pub writes: u64,
    /// Sectors of 512 bytes written.
    pub sectors: u64,
    /// Completed discards.
    pub discards: u64,
    /// Completed flushes.
    pub flushes: u64,
}

/// The counters of one disk around a piece of work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct WriteProof {
    /// The disk.
    pub disk: String,
    /// Before the work.
    pub before: Counters,
    /// After it.
    pub after: Counters,
}

impl WriteProof {
    /// True when nothing was written or discarded in between.
    pub fn unchanged(&self) -> bool {
        self.before.sectors == self.after.sectors && self.before.discards == self.after.discards
    }

    /// Joins two readings, disk by disk.
    pub fn between(before: &[(String, Counters)], after: &[(String, Counters)]) -> Vec<Self> {
        before
            .iter()
            .filter_map(|(disk, before)| {
                let (_, after) = after.iter().find(|(name, _)| name == disk)?;
                Some(Self {
                    disk: disk.clone(),
                    before: *before,
                    after: *after,
                })
            })
            .collect()
    }
}

impl Counters {
    /// Reads the counters of every disk of `survey` that is a device.
    pub fn read(survey: &Survey) -> Vec<(String, Self)> {
        let stats = procfs::diskstats().unwrap_or_default();
        survey
            .disks
            .iter()
            .filter_map(|disk| {
                let stat = stats.iter().find(|stat| stat.name == disk.name)?;
                Some((disk.name.clone(), Self::from(stat)))
            })
            .collect()
    }
}

impl From<&DiskStat> for Counters {
    fn from(stat: &DiskStat) -> Self {
        Self {
            writes: stat.writes,
            sectors: stat.sectors_written,
            // Kernels before 4.18 and 5.5 do not count these; nor do they then
            // have a reason to be compared.
            discards: stat.discards.unwrap_or(0),
            flushes: stat.flushes.unwrap_or(0),
        }
    }
}
