//! The loader's cache and the directories do not agree, and programs fail.

use super::surroundings::{few, is_misplaced, owned_by};
use super::{Check, some, tree_with_usr};
use crate::facts::{Facts, Tree};
use crate::finding::{Evidence, Finding, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "init/loader-cache-stale",
    stage: Stage::Init,
    page: include_str!("../../docs/findings/init/loader-cache-stale.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = tree_with_usr(facts) else {
        return;
    };
    for finding in [uncached(tree), gone(tree)].into_iter().flatten() {
        out.push(finding);
    }
}

/// Libraries that are there and are not in the cache.
fn uncached(tree: &Tree) -> Option<Finding> {
    let cache = &tree.surroundings.cache;
    let libraries = &cache.uncached;
    let first = libraries.first().filter(|_| cache.trouble.is_none())?;
    let title = format!(
        "{} is there, but not in {}: {} cannot start",
        first.path,
        cache.path,
        some(&first.users, 2)
    );
    let evidence = libraries.iter().map(|library| {
        let users = some(&library.users, 3);
        Evidence::seen(&library.path, format!("is not found by {users}"))
            .expected(format!("{} in {}", library.name, cache.path))
    });
    let cause = if cache.absent {
        format!("{} is not there", cache.path)
    } else {
        "ldconfig did not run after the library came".to_owned()
    };
    let finding = CHECK
        .finding(Severity::Degraded, &first.path, title)
        .with(few(evidence.collect()))
        .because(cause)
        .by_hand("ldconfig -r ROOT");
    Some(finding)
}

/// Libraries that are in the cache and nowhere else.
fn gone(tree: &Tree) -> Option<Finding> {
    let cache = &tree.surroundings.cache;
    let gone: Vec<_> = cache
        .gone
        .iter()
        .filter(|entry| !is_misplaced(tree, &entry.path))
        .collect();
    let first = gone.first()?;
    let title = match (gone.len(), first.owner.as_deref()) {
        (1, Some(package)) => format!("{} of package {package} is gone", first.path),
        (1, None) => format!("{} is gone, and programs need it", first.path),
        (count, _) => format!("{count} libraries that the loader's cache names are gone"),
    };
    let evidence = gone.iter().map(|entry| {
        let users = match some(&entry.users, 3) {
            users if users.is_empty() => String::new(),
            users => format!(", needed by {users}"),
        };
        let owner = owned_by(entry.owner.as_deref());
        Evidence::seen(&entry.path, format!("is gone ({owner}){users}"))
            .expected(format!("the library {}", entry.name))
    });
    let finding = CHECK
        .finding(Severity::Degraded, &first.path, title)
        .with(few(evidence.collect()))
        .because("removed by hand, or lost in an upgrade that stopped")
        .by_hand("install the packages again that own them");
    Some(finding)
}
