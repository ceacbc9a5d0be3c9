//! Work on arrays, after consent: the kernel does it, this follows it.

use anyhow::{Context, Result};

use super::patient::Patient;
use super::say;
use crate::cli::Target;
use crate::journal;
use crate::repairs::ArrayWork;
use crate::sys::consent::WriteToken;
use crate::sys::supervise::uninterrupted;
use crate::sysroot::SysrootInfo;

/// Notes the work in the patient's journal, does it, and waits for its end.
///
/// # Errors
/// The array or the root cannot be opened for writing; the kernel's refusal.
pub(super) fn run(
    target: &Target,
    info: &SysrootInfo,
    work: &ArrayWork,
    token: &WriteToken,
) -> Result<()> {
    say(&format!(
        "lifeboot: opening {} for writing ...",
        work.volume()
    ));
    let mut patient = Patient::write_above(target, info, &[], &[work.volume()], token)?;
    let sysroot = patient
        .sysroot()
        .context("there is no root to note it in")?;
    let what = match work {
        ArrayWork::StartDegraded { volume, .. } => format!("start {volume} degraded"),
        ArrayWork::RejoinLeg { volume, leg, .. } => format!("take {leg} into {volume} again"),
    };
    journal::note(&sysroot.root, token, what, &work.why_lasting())
        .context("noting the work in /.lifeboot/journal")?;
    match work {
        // Opened for writing means started by its own metadata.
        ArrayWork::StartDegraded { .. } => {}
        ArrayWork::RejoinLeg { uuid, leg, .. } => {
            uninterrupted(|| patient.rejoin(uuid, leg, token))?;
        }
    }
    patient.close()?;
    Ok(())
}
