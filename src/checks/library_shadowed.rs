//! Another copy of a library wins over the system's own.

use super::surroundings::{few, owned_by};
use super::{Check, some, tree_with_usr};
use crate::facts::elf::surroundings::shadows::Shadow;
use crate::facts::{Facts, Tree};
use crate::finding::{Evidence, Finding, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "init/library-shadowed",
    stage: Stage::Init,
    page: include_str!("../../docs/findings/init/library-shadowed.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = tree_with_usr(facts) else {
        return;
    };
    let shadows = tree.surroundings.shadows.iter();
    let shadows = shadows.filter(|shadow| !shadow.breaks_pid1 && !is_mismatch(tree, shadow));
    let (broken, harmless): (Vec<_>, Vec<_>) =
        shadows.partition(|shadow| !shadow.broken.is_empty());
    if let Some(first) = broken.first() {
        let programs: Vec<String> = first.broken.iter().map(|(path, _)| path.clone()).collect();
        let title = format!(
            "{} takes the place of the system's {} and does not fit: {} cannot start",
            first.winner.path,
            first.name,
            some(&programs, 2)
        );
        out.push(finding(Severity::Degraded, &broken, title));
    }
    if let Some(first) = harmless.first() {
        let title = match harmless.len() {
            1 => format!(
                "{} takes the place of the system's {}",
                first.winner.path, first.name
            ),
            count => format!(
                "{} and {} more libraries take the place of the system's own",
                first.winner.path,
                count - 1
            ),
        };
        out.push(finding(Severity::Note, &harmless, title));
    }
}

/// Told with the loader that does not fit.
fn is_mismatch(tree: &Tree, shadow: &Shadow) -> bool {
    let mut pairs = tree.surroundings.pairs.iter();
    pairs.any(|pair| pair.mismatch().is_some() && pair.libc == shadow.winner.real_path)
}

fn finding(severity: Severity, shadows: &[&Shadow], title: String) -> Finding {
    let lines = shadows.iter().flat_map(|shadow| {
        let users = format!("used by {}", some(&shadow.users, 3));
        let wins = Evidence::seen(
            &shadow.winner.real_path,
            format!(
                "wins as {} ({}), {users}",
                shadow.name,
                owned_by(shadow.winner.owner.as_deref())
            ),
        );
        let passed_over = Evidence::seen(
            &shadow.system.real_path,
            format!(
                "is passed over ({})",
                owned_by(shadow.system.owner.as_deref())
            ),
        );
        let fault = shadow.broken.first();
        let fault = fault.map(|(program, why)| Evidence::seen(program, format!("fails: {why}")));
        [Some(wins), Some(passed_over), fault].into_iter().flatten()
    });
    let first = shadows.first().map(|shadow| shadow.winner.path.clone());
    let first = first.unwrap_or_default();
    CHECK
        .finding(severity, &first, title)
        .with(few(lines.collect()))
        .because("a directory of /etc/ld.so.conf stands before the system's own in the cache")
        .by_hand(format!(
            "if it is not meant to: mv ROOT{first} ROOT{first}.aside; ldconfig -r ROOT"
        ))
}
