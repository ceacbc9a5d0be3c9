//! `/etc/ld.so.preload` names something that cannot be loaded.

use super::surroundings::few;
use super::{Check, tree_with_usr};
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "init/preload-ignored",
    stage: Stage::Init,
    page: include_str!("../../docs/findings/init/preload-ignored.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = tree_with_usr(facts) else {
        return;
    };
    let ignored = || {
        let preloads = tree.surroundings.preloads.iter();
        preloads.filter_map(|preload| Some((preload, preload.ignored.as_ref()?)))
    };
    let Some((first, _)) = ignored().next() else {
        return;
    };
    let title = format!(
        "Every program complains at its start: {} in {} cannot be loaded",
        first.name, first.list
    );
    let evidence = ignored().map(|(preload, why)| {
        Evidence::seen(&preload.list, format!("names {}", preload.name))
            .expected(format!("a library that can be loaded; {why}"))
    });
    let finding = CHECK
        .finding(Severity::Note, &first.list, title)
        .with(few(evidence.collect()))
        .because("what put the line there was removed, moved or made for another system")
        .by_hand(format!("take the line out of ROOT{}", first.list));
    out.push(finding);
}
