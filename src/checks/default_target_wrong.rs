//! The boot goes to a target without the services.

use super::{Check, tree_with_usr};
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "services/default-target-wrong",
    stage: Stage::Services,
    page: include_str!("../../docs/findings/services/default-target-wrong.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = tree_with_usr(facts) else {
        return;
    };
    let Some(target) = &tree.reach.default_target else {
        return;
    };
    let title = match &target.leads_to {
        Some(name) => format!("the boot goes to {name}, and no service is started"),
        None => "there is no default.target: systemd goes to rescue.target".to_owned(),
    };
    let evidence = match &target.own {
        Some((path, says)) => Evidence::seen(path, format!("link to {says}")),
        None => Evidence::seen(
            "/usr/lib/systemd/system/default.target",
            "no target to load",
        ),
    };
    let finding = CHECK
        .finding(Severity::Unreachable, "default.target", title)
        .with([evidence.expected("a link to multi-user.target or graphical.target")])
        .because("systemctl set-default, or a file that was lost")
        .by_hand("chroot ROOT systemctl set-default multi-user.target");
    out.push(finding);
}
