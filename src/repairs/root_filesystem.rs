//! The filesystem that is the root, where nothing else could be it.

use std::path::Path;

use crate::facts::Facts;
use crate::sysroot::filesystems::{self, Filesystem};
use crate::sysroot::{Origin, Search};

/// The root's filesystem, with the UUID that no other filesystem has. None where
/// the operator named a directory, or where another volume may hold a system.
pub(super) fn of(facts: &Facts) -> Option<Filesystem> {
    let Search::Found(info) = &facts.search else {
        return None;
    };
    let disks = matches!(info.origin, Origin::Disks | Origin::AlreadyMounted);
    if !disks || !info.unopened.is_empty() {
        return None;
    }
    let part = info
        .parts
        .iter()
        .find(|part| part.target == Path::new("/"))?;
    // Which subvolume is meant is an option, and not looked at here.
    if part.subvolume.is_some() {
        return None;
    }
    let all = filesystems::list(&facts.assembly);
    let found = all.iter().find(|found| found.name == part.device)?;
    let uuid = found.signature.uuid.as_ref()?;
    let mut same = all
        .iter()
        .filter(|other| other.signature.uuid.as_ref() == Some(uuid));
    (same.next().is_some() && same.next().is_none()).then(|| found.clone())
}
