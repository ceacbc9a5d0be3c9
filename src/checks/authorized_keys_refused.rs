//! Keys of a user that sshd does not take, as others could change them.

use super::Check;
use super::nobody_can_log_in::is_shut;
use super::sshd::started;
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "reach/authorized-keys-refused",
    stage: Stage::Reach,
    page: include_str!("../../docs/findings/reach/authorized-keys-refused.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(ssh) = started(facts) else { return };
    let shut = is_shut(ssh);
    for account in &ssh.accounts {
        let Some(place) = &account.keys_refused else {
            continue;
        };
        let severity = match (shut, &account.shut) {
            (true, _) => Severity::Unreachable,
            (false, Some(_)) => Severity::Degraded,
            // Its password still does.
            (false, None) => Severity::Note,
        };
        let name = &account.name;
        let title = format!(
            "sshd does not take the keys of {name}: {} is open",
            place.path
        );
        let seen = format!("owner {}, mode {:04o}", place.uid, place.mode);
        let finding = CHECK
            .finding(severity, &place.file, title)
            .with([Evidence::seen(place.path.as_str(), seen)
                .expected(format!("owner {name} or root, nobody else may write"))])
            .because("StrictModes: others could put a key of their own there")
            .by_hand(format!(
                "chroot ROOT sh -c 'chown {name} {0}; chmod go-w {0}'",
                place.path
            ));
        out.push(finding);
    }
}
