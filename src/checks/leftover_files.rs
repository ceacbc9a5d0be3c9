//! Files that dpkg was just replacing lie beside the real ones.

use super::{Check, dpkg};
use crate::facts::Facts;
use crate::facts::packages::dpkg::leftovers::Leftover;
use crate::finding::{Evidence, Findings, Severity, Stage};

/// Files that are named.
const NAMED_MAX: usize = 5;

pub(super) const CHECK: Check = Check {
    id: "packages/leftover-files",
    stage: Stage::Packages,
    page: include_str!("../../docs/findings/packages/leftover-files.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(dpkg) = dpkg(facts) else { return };
    let left = &dpkg.leftovers;
    let Some(first) = left.files.first() else {
        return;
    };
    // Without the file itself, the kept old one is all that there is of it.
    let mut files: Vec<&Leftover> = left.files.iter().collect();
    files.sort_by_key(|file| file.beside);
    let lost = files
        .iter()
        .filter(|file| !file.beside && file.is_old)
        .count();
    let severity = match lost {
        0 => Severity::Note,
        _ => Severity::Degraded,
    };
    let count = files.len();
    let more = if left.more { "more than " } else { "" };
    let title = format!("{more}{count} files lie where dpkg was cut off while replacing them");
    let evidence = files.iter().take(NAMED_MAX).map(|file| {
        let owner = file.owner.as_deref().unwrap_or("no package");
        let said = match (file.is_old, file.beside) {
            (true, true) if file.new_waits => "the old file, kept; it is still in place",
            (true, true) => "the old file, kept; the new one is in place",
            (true, false) => "the old file, kept; the file itself is missing",
            (false, true) => "the new file, maybe cut off; the old one is in place",
            (false, false) => "the new file, maybe cut off; the file itself is missing",
        };
        Evidence::seen(
            &file.path,
            format!("{} bytes of {owner}: {said}", file.size),
        )
    });
    let finding = CHECK
        .finding(severity, &first.path, title)
        .with(evidence)
        .because("the machine or dpkg stopped while a package was unpacked")
        .by_hand("unpack the package again (packages/half-installed); never rename these by hand");
    out.push(finding);
}
