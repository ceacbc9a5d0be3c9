//! Libraries or their directories that only root can read.

use super::surroundings::few;
use super::{Check, tree_with_usr};
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "init/library-not-readable",
    stage: Stage::Init,
    page: include_str!("../../docs/findings/init/library-not-readable.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = tree_with_usr(facts) else {
        return;
    };
    // The top of a tree that was only put there has its finder's permissions.
    let closed: Vec<_> = tree
        .surroundings
        .closed
        .iter()
        .filter(|closed| closed.path != "/" || facts.has_disks())
        .collect();
    let Some(first) = closed.first() else { return };
    let title = match closed.len() {
        1 => format!("Only root can use {}: mode {:04o}", first.path, first.mode),
        count => format!(
            "Only root can use {} and {} more that programs load",
            first.path,
            count - 1
        ),
    };
    let evidence = closed.iter().map(|closed| {
        let expected = match (closed.is_directory, closed.is_loader) {
            (true, _) | (_, true) => "mode 0755",
            _ => "mode 0644",
        };
        Evidence::seen(&closed.path, format!("mode {:04o}", closed.mode)).expected(expected)
    });
    let mode = match first.is_directory || first.is_loader {
        true => "755",
        false => "644",
    };
    let finding = CHECK
        .finding(Severity::Degraded, &first.path, title)
        .with(few(evidence.collect()))
        .because("copied or unpacked with a strict umask, or a chmod that went too far")
        .by_hand(format!("chmod {mode} ROOT{}", first.path));
    out.push(finding);
}
