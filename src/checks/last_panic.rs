//! A record of the kernel's last panic.

use super::Check;
use crate::facts::Facts;
use crate::finding::{Evidence, Finding, Findings, Severity, Stage};
use crate::survey::LastPanic;

pub(super) const CHECK: Check = Check {
    id: "hardware/last-panic",
    stage: Stage::Hardware,
    page: include_str!("../../docs/findings/hardware/last-panic.md"),
    run,
};

/// Lines of the record that are shown.
const LINES: usize = 6;

fn run(facts: &Facts, out: &mut Findings) {
    if let Some(panic) = &facts.survey.last_panic {
        out.push(finding(panic));
    }
    let kept = facts.tree.as_ref().map(|tree| &tree.last_panic);
    if let Some(kept) = kept
        && let Some(panic) = kept.panic.as_ref().filter(|_| kept.is_recent())
    {
        out.push(finding(panic));
    }
}

fn finding(panic: &LastPanic) -> Finding {
    let source = &panic.source;
    let from = panic.tail.len().saturating_sub(LINES);
    let lines = panic.tail[from..].iter();
    let seen = std::iter::once(&panic.what).chain(lines.filter(|line| !line.contains(&panic.what)));
    CHECK
        .finding(
            Severity::Note,
            source,
            format!("the kernel ended with: {}", panic.what),
        )
        .with(seen.map(|line| Evidence::seen(source, line.trim())))
}
