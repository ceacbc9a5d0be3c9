//! Lines of fstab that cannot be understood.

use super::Check;
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "services/fstab-invalid",
    stage: Stage::Services,
    page: include_str!("../../docs/findings/services/fstab-invalid.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = &facts.tree else { return };
    if let Some(why) = &tree.mounts.unreadable {
        out.could_not_tell(Stage::Services, "/etc/fstab", why.as_str());
    }
    if tree.mounts.bad.is_empty() {
        return;
    }
    let lines = tree.mounts.bad.iter().take(10).map(|bad| {
        Evidence::seen(
            format!("/etc/fstab line {}", bad.line),
            format!("{:?}: {}", bad.text, bad.why),
        )
    });
    // systemd skips what it cannot parse and goes on.
    let finding = CHECK
        .finding(
            Severity::Degraded,
            "/etc/fstab",
            "/etc/fstab has lines that make no sense",
        )
        .with(lines)
        .by_hand("put # before each of these lines");
    out.push(finding);
}
