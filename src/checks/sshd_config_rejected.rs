//! sshd refuses its own configuration and ends.

use super::Check;
use super::sshd::started;
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "reach/sshd-config-rejected",
    stage: Stage::Reach,
    page: include_str!("../../docs/findings/reach/sshd-config-rejected.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(ssh) = started(facts) else { return };
    if let Some(why) = &ssh.unreadable {
        out.could_not_tell(Stage::Reach, "the configuration of sshd", why.as_str());
    }
    let Some(first) = ssh.refused.first() else {
        return;
    };
    let place = |path: &str, line: usize| match line {
        0 => path.to_owned(),
        line => format!("{path} line {line}"),
    };
    let title = format!(
        "sshd refuses {}: {}",
        place(&first.path, first.line),
        first.why
    );
    let evidence = ssh.refused.iter().map(|refused| {
        let seen = match refused.text.as_str() {
            "" => refused.why.clone(),
            text => format!("{text}: {}", refused.why),
        };
        Evidence::seen(place(&refused.path, refused.line), seen)
    });
    let finding = CHECK
        .finding(Severity::Unreachable, &first.path, title)
        .with(evidence)
        .because(format!("{} ends at the first line it refuses", ssh.program))
        .by_hand("put a # before the line, then: chroot ROOT sshd -t");
    out.push(finding);
}
