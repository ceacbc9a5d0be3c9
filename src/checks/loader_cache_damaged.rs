//! The loader's cache cannot be used.

use super::surroundings::few;
use super::{Check, tree_with_usr};
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "init/loader-cache-damaged",
    stage: Stage::Init,
    page: include_str!("../../docs/findings/init/loader-cache-damaged.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = tree_with_usr(facts) else {
        return;
    };
    let cache = &tree.surroundings.cache;
    let Some(trouble) = &cache.trouble else {
        return;
    };
    let (severity, title) = if cache.uncached.is_empty() {
        let title = format!("{} is damaged; nothing needs it now", cache.path);
        (Severity::Note, title)
    } else {
        let title = format!(
            "{} is damaged, and programs find their libraries only through it",
            cache.path
        );
        (Severity::Degraded, title)
    };
    let needed = cache.uncached.iter().map(|library| {
        let users = super::some(&library.users, 3);
        Evidence::seen(&library.path, format!("is not found by {users}"))
    });
    let finding = CHECK
        .finding(severity, &cache.path, title)
        .with([Evidence::seen(&cache.path, trouble).expected("a cache made by ldconfig")])
        .with(few(needed.collect()))
        .because("most often a disk that was full, or a crash, while ldconfig wrote it")
        .by_hand("df ROOT; then ldconfig -r ROOT");
    out.push(finding);
}
