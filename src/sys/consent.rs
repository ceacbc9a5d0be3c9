//! The proof that somebody agreed to a change of the patient.

/// Needed by every function that changes the patient's disks.
///
/// Only `repair`, `undo` and `verify` may make one (a fence test holds
/// everybody else to that), and only after the operator said yes.
#[derive(Debug)]
pub struct WriteToken {
    reason: String,
    layers_only: bool,
}

impl WriteToken {
    /// Records that the operator agreed to `reason`, in the operator's words.
    pub fn granted(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            layers_only: false,
        }
    }

    /// For a tree whose changes go to a layer over the patient: nothing of the
    /// patient is changed, and nobody has to agree to that.
    pub fn for_rehearsal() -> Self {
        Self {
            reason: "rehearsal".into(),
            layers_only: true,
        }
    }

    /// False for a rehearsal: no layer lies over a disk.
    pub fn reaches_disks(&self) -> bool {
        !self.layers_only
    }

    /// What was agreed to; written to the journal.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}
