//! A firewall that is loaded at the boot lets no connection in.

use super::sshd::started;
use super::{Check, tree_with_usr};
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "reach/firewall-shuts-ssh",
    stage: Stage::Reach,
    page: include_str!("../../docs/findings/reach/firewall-shuts-ssh.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = tree_with_usr(facts).filter(|_| started(facts).is_some()) else {
        return;
    };
    for shut in &tree.reach.firewall {
        let finding = CHECK
            .finding(
                Severity::Unreachable,
                &shut.path,
                format!("the firewall lets no ssh in: {}", shut.path),
            )
            .with([Evidence::seen(shut.path.as_str(), shut.why.as_str())])
            .because(format!("{} loads it at the boot", shut.unit))
            .by_hand(format!(
                "add a rule for ssh, or for one boot: chroot ROOT systemctl disable {}",
                shut.unit
            ));
        out.push(finding);
    }
}
