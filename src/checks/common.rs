//! What many checks need: the parts of a finding, and what they ask first.

use super::Check;
use crate::facts::packages::{Dpkg, Packages, Rpm};
use crate::facts::{Facts, Tree};
use crate::finding::{Evidence, Finding, Severity};
use crate::sysroot::{Origin, Search};

impl Check {
    /// A finding of this check.
    pub(super) fn finding(
        &self,
        severity: Severity,
        subject: impl Into<String>,
        title: impl Into<String>,
    ) -> Finding {
        Finding {
            id: self.id.to_owned(),
            stage: self.stage,
            severity,
            title: title.into(),
            subject: subject.into(),
            evidence: Vec::new(),
            cause: None,
            by_hand: None,
        }
    }
}

impl Finding {
    /// Adds evidence.
    #[must_use]
    pub(super) fn with(mut self, evidence: impl IntoIterator<Item = Evidence>) -> Self {
        self.evidence.extend(evidence);
        self
    }

    /// Adds the cause.
    #[must_use]
    pub(super) fn because(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Adds what to do by hand.
    #[must_use]
    pub(super) fn by_hand(mut self, advice: impl Into<String>) -> Self {
        self.by_hand = Some(advice.into());
        self
    }
}

/// True when /boot is a filesystem of its own that was not there to be looked
/// at: what seems to be missing in it is no finding.
pub(super) fn boot_unseen(tree: &Tree) -> bool {
    tree.mounts.lacks("/boot")
}

/// The same for /usr, without which neither the layout nor PID 1 can be judged.
pub(super) fn usr_unseen(tree: &Tree) -> bool {
    tree.mounts.lacks("/usr")
}

/// The tree, unless its /usr was not there to be looked at.
pub(super) fn tree_with_usr(facts: &Facts) -> Option<&Tree> {
    facts.tree.as_ref().filter(|tree| !usr_unseen(tree))
}

/// True when the root is that of a machine's disks, and no directory that the
/// operator named: what surrounds a directory is not the patient's.
pub(super) fn on_its_disks(facts: &Facts) -> bool {
    match &facts.search {
        Search::Found(info) => matches!(info.origin, Origin::Disks | Origin::AlreadyMounted),
        _ => false,
    }
}

/// dpkg's database, where the root has one.
pub(super) fn dpkg(facts: &Facts) -> Option<&Dpkg> {
    match &facts.tree.as_ref()?.packages {
        Packages::Dpkg(dpkg) => Some(dpkg),
        _ => None,
    }
}

/// rpm's database, where the root has one.
pub(super) fn rpm(facts: &Facts) -> Option<&Rpm> {
    match &facts.tree.as_ref()?.packages {
        Packages::Rpm(rpm) => Some(rpm),
        _ => None,
    }
}

/// True when dpkg or apt has work left that it had begun.
pub(super) fn is_between(dpkg: &Dpkg) -> bool {
    dpkg.is_interrupted() || dpkg.standing.mixed
}

/// A few names, and how many more there are.
pub(super) fn some(names: &[String], most: usize) -> String {
    let shown = names
        .iter()
        .take(most)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    match names.len().saturating_sub(most) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
