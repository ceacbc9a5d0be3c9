//! Programs that the boot does not need cannot start.

use std::collections::BTreeMap;

use super::{Check, tree_with_usr};
use crate::facts::Facts;
use crate::facts::elf::Problem;
use crate::facts::outside::Broken;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "packages/programs-broken",
    stage: Stage::Packages,
    page: include_str!("../../docs/findings/packages/programs-broken.md"),
    run,
};

/// Packages that the finding names.
const NAMED_MAX: usize = 6;

/// What stands in the place of a package's name.
const NO_PACKAGE: &str = "no package";

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = tree_with_usr(facts) else {
        return;
    };
    // What PID 1 does not start for is told there.
    let first = &tree.init.best_closure().problems;
    let mut packages: BTreeMap<&str, Vec<&Broken>> = BTreeMap::new();
    for broken in &tree.outside.broken {
        let is_told = |problem: &Problem| problem.has_culprit_of(&broken.problem);
        if !first.iter().any(is_told) {
            let package = broken.package.as_deref().unwrap_or(NO_PACKAGE);
            packages.entry(package).or_default().push(broken);
        }
    }
    if packages.is_empty() {
        return;
    }
    let mut packages: Vec<(&str, Vec<&Broken>)> = packages.into_iter().collect();
    packages.sort_by_key(|(_, broken)| std::cmp::Reverse(broken.len()));
    let owned = packages.iter().any(|(package, _)| *package != NO_PACKAGE);
    let severity = if owned {
        Severity::Degraded
    } else {
        Severity::Note
    };
    let count: usize = packages.iter().map(|(_, broken)| broken.len()).sum();
    let title = match count {
        1 => "a program that the boot does not need cannot start".to_owned(),
        count => format!("{count} programs that the boot does not need cannot start"),
    };
    let lines = packages.iter().take(NAMED_MAX).map(|(package, broken)| {
        let example = broken.first().map(|b| b.problem.to_string());
        let example = example.unwrap_or_default();
        let told = match broken.len() {
            1 => example,
            several => format!("{several} programs, such as {example}"),
        };
        Evidence::seen(*package, told)
    });
    let mut finding = CHECK.finding(severity, "programs", title).with(lines);
    if let Some(more) = packages
        .len()
        .checked_sub(NAMED_MAX)
        .filter(|more| *more > 0)
    {
        finding = finding.with([Evidence::seen("and", format!("{more} packages more"))]);
    }
    out.push(finding.by_hand("lifeboot elf --missing"));
}
