//! fstab calls an array by a name that the patient will not give it.

use super::{Check, arrays_unknown};
use crate::assembly::{Array, State};
use crate::facts::mdadm_conf::short_name;
use crate::facts::mounts::Line;
use crate::facts::{Facts, Tree};
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "storage/array-name-unknown",
    stage: Stage::Storage,
    page: include_str!("../../docs/findings/storage/array-name-unknown.md"),
    run,
};

/// A line of fstab whose array will be called otherwise.
pub(crate) struct Misnamed<'a> {
    /// The line.
    pub(crate) line: &'a Line,
    /// The array that is meant.
    pub(crate) array: &'a Array,
    why: Evidence,
}

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = &facts.tree else { return };
    let misnamed = misnamed(facts, tree);
    if misnamed.is_empty() {
        return;
    }
    let title = format!(
        "{} calls an array by a name that mdadm will not give it",
        FSTAB
    );
    let evidence = misnamed.iter().flat_map(|one| {
        let entry = &one.line.entry;
        let place = format!("{FSTAB} line {}", entry.line);
        let seen = format!("{} for {}", entry.spec, entry.target.display());
        [Evidence::seen(place, seen), one.why.clone()]
    });
    // The initramfs mounts the root, and waits for nothing else.
    let waits = |line: &Line| {
        let root = line.entry.target == std::path::Path::new("/");
        !root && !line.entry.is_swap() && !line.entry.has("nofail")
    };
    let waiting = misnamed.iter().filter(|one| waits(one.line));
    let names: Vec<Named> = waiting.map(|one| by_initramfs(tree, one)).collect();
    let severity = match names.contains(&Named::Otherwise) {
        true => Severity::Blocker,
        false => Severity::Degraded,
    };
    let finding = CHECK
        .finding(severity, FSTAB, title)
        .with(evidence)
        .because("the host was renamed, or the array was made on another one")
        .by_hand(
            "use UUID= in fstab (blkid shows it), and name the array in mdadm.conf by \
             its UUID, then update-initramfs -u in a chroot",
        );
    out.push(finding);
    if names.contains(&Named::Unknown) {
        out.could_not_tell(
            Stage::Storage,
            "the names of the arrays at boot",
            "the mdadm.conf in the initramfs may still name them",
        );
    }
}

/// What the initramfs, which assembles the arrays first, calls one of them.
#[derive(PartialEq, Eq)]
enum Named {
    /// As fstab does, until it is made anew.
    AsWanted,
    /// Otherwise: the boot waits for the name in vain.
    Otherwise,
    /// It could not be told.
    Unknown,
}

fn by_initramfs(tree: &Tree, one: &Misnamed<'_>) -> Named {
    match arrays_unknown::named(tree, one.array) {
        None => Named::Unknown,
        Some(Some(name)) if name == short_name(&one.line.entry.spec) => Named::AsWanted,
        Some(_) => Named::Otherwise,
    }
}

const FSTAB: &str = "/etc/fstab";

/// The lines of fstab that name an array by a name that it will not get.
pub(crate) fn misnamed<'a>(facts: &'a Facts, tree: &'a Tree) -> Vec<Misnamed<'a>> {
    if !facts.has_disks() || tree.mdadm_conf.unreadable.is_some() || tree.mdadm_conf.says_more {
        return Vec::new();
    }
    let lines = tree.mounts.lines.iter();
    lines
        .filter(|line| line.entry.spec.starts_with("/dev/md"))
        .filter(|line| line.entry.wants_device() && !line.entry.has("noauto"))
        .filter_map(|line| {
            let array = meant(facts, &line.entry.spec)?;
            let why = wrong_name(tree, array, &line.entry.spec)?;
            Some(Misnamed { line, array, why })
        })
        .collect()
}

/// The one array with that name in its superblock.
fn meant<'a>(facts: &'a Facts, wanted: &str) -> Option<&'a Array> {
    let usable = |array: &&Array| matches!(array.state, State::Complete | State::Degraded);
    let called = |array: &&Array| {
        let name = array.freshest().map_or("", |own| own.name.as_str());
        name.split_once(':')
            .is_some_and(|(_, name)| name == short_name(wanted))
    };
    let arrays = facts.assembly.arrays.iter();
    let mut found = arrays.filter(called);
    match (found.next().filter(usable), found.next()) {
        (Some(array), None) => Some(array),
        _ => None,
    }
}

/// Why the array gets another name; none when it gets this one. The rules are
/// those of mdadm (`Incremental.c`, `create_mddev`): an ARRAY line with its
/// UUID names it, else its own name does where that begins with this host's.
fn wrong_name(tree: &Tree, array: &Array, wanted: &str) -> Option<Evidence> {
    let conf = &tree.mdadm_conf;
    let name = &array.freshest()?.name;
    if let Some(entry) = conf.entry_of(&array.uuid, name)
        && let Some(device) = &entry.device
    {
        let path = conf.file.as_ref().map_or("", |file| file.path.as_str());
        return (short_name(device) != short_name(wanted)).then(|| {
            Evidence::seen(format!("{path} line {}", entry.line), device.as_str()).expected(wanted)
        });
    }
    let (host, _) = name.split_once(':')?;
    let own = tree.os.hostname.as_deref()?;
    let short = own.split('.').next().unwrap_or(own);
    let known = match conf.homehost.as_deref().unwrap_or("<system>") {
        "<system>" => [own, short, "any"].contains(&host),
        "<ignore>" | "any" => true,
        named => host == named || host == "any",
    };
    (!known).then(|| {
        let seen = format!("made on host {host:?}, this host is {own:?}");
        Evidence::seen(&array.name, seen)
            .expected("an ARRAY line in mdadm.conf, or this host's own name")
    })
}
