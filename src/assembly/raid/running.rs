//! Arrays of the patient that the rescue system runs already.

use serde::{Deserialize, Serialize};

use super::{Array, Leg};
use crate::sys::md;

/// What of the rescue system holds the members of `array`, if anything.
pub fn claim_on(array: &Array) -> Option<Claim> {
    let running = claiming(array)?;
    Some(Claim {
        name: running.name,
        state: running.state,
        members: running.members,
    })
}

/// The array of the rescue system's that holds members of `array`.
pub(super) fn claiming(array: &Array) -> Option<md::Running> {
    let devices: Vec<_> = array.legs.iter().filter(|l| l.source.is_device()).collect();
    let ours: Vec<String> = devices.into_iter().map(kernel_name).collect();
    // Several volumes of firmware may lie on the same disks, each elsewhere.
    let offset = array.freshest().map(|own| own.data_offset);
    let holds = |running: &md::Running| {
        let mut members = running.members.iter().filter(|m| ours.contains(m));
        members.any(|member| {
            let there = md::data_offset(&running.name, member);
            there.is_none() || there == offset
        })
    };
    md::running().into_iter().find(holds)
}

/// `nvme0n1p2`.
pub(super) fn kernel_name(leg: &Leg) -> String {
    leg.name.trim_start_matches("/dev/").to_owned()
}

/// An array of the rescue system's that holds members of one of the patient's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Claim {
    /// `md127`.
    pub name: String,
    /// `clean`, `read-auto`, `inactive`, ... as sysfs says.
    pub state: String,
    /// Kernel names of its members.
    pub members: Vec<String>,
}

impl Claim {
    /// True when it runs and takes writes.
    pub fn is_active(&self) -> bool {
        ["clean", "active", "active-idle", "write-pending"].contains(&self.state.as_str())
    }

    /// True when it holds members and does not run.
    pub fn is_inactive(&self) -> bool {
        ["inactive", "clear"].contains(&self.state.as_str())
    }
}
