//! What the checks of sshd have in common.

use super::tree_with_usr;
use crate::facts::Facts;
use crate::facts::reach::ssh::Ssh;

/// sshd of the patient.
pub(super) fn ssh(facts: &Facts) -> Option<&Ssh> {
    tree_with_usr(facts)?.reach.ssh.as_ref()
}

/// sshd, where the boot starts it.
pub(super) fn started(facts: &Facts) -> Option<&Ssh> {
    ssh(facts).filter(|ssh| ssh.is_started())
}
