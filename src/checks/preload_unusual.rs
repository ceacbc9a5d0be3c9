//! A library from an unusual place goes into every program.

use super::surroundings::few;
use super::{Check, tree_with_usr};
use crate::facts::Facts;
use crate::facts::elf::surroundings::preloads::Preload;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "init/preload-unusual",
    stage: Stage::Init,
    page: include_str!("../../docs/findings/init/preload-unusual.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = tree_with_usr(facts) else {
        return;
    };
    let unusual: Vec<(&str, String)> = tree
        .surroundings
        .preloads
        .iter()
        .filter_map(|preload| Some((preload.path.as_deref()?, why(preload)?)))
        .collect();
    let (Some((path, why)), Some(preload)) = (unusual.first(), tree.surroundings.preloads.first())
    else {
        return;
    };
    let evidence = unusual
        .iter()
        .map(|(path, why)| Evidence::seen(*path, why.as_str()));
    let finding = CHECK
        .finding(
            Severity::Note,
            *path,
            format!("{path} goes into every program: {why}"),
        )
        .with(few(evidence.collect()))
        .because(format!(
            "{} names it; malware hides itself this way, and so do a few tools load themselves",
            preload.list
        ))
        .by_hand(format!(
            "ask who put it there before it goes: ls -l ROOT{path} ROOT{}",
            preload.list
        ));
    out.push(finding);
}

/// What is unusual about it.
fn why(preload: &Preload) -> Option<String> {
    let owner = match (&preload.owner, preload.owners_known) {
        (Some(package), _) => Some(format!("it belongs to package {package}")),
        (None, true) => Some("no package owns it".to_owned()),
        (None, false) => None,
    };
    let place = (!preload.usual_place).then(|| "no directory for libraries".to_owned());
    let writable = preload
        .writable
        .map(|mode| format!("not only root may write to it (mode {mode:04o})"));
    let is_unowned = preload.owner.is_none() && preload.owners_known;
    if !is_unowned && preload.usual_place && writable.is_none() {
        return None;
    }
    // A package's own directory is no strange place.
    if preload.owner.is_some() && writable.is_none() {
        return None;
    }
    let parts: Vec<String> = [owner, place, writable].into_iter().flatten().collect();
    Some(parts.join(", "))
}
