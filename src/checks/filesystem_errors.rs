//! A filesystem recorded errors of its own and has not been checked since.

use super::Check;
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};
use crate::sysroot::{Search, filesystems};

pub(super) const CHECK: Check = Check {
    id: "root/filesystem-errors",
    stage: Stage::Root,
    page: include_str!("../../docs/findings/root/filesystem-errors.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Search::Found(found) = &facts.search else {
        return;
    };
    let all = filesystems::list(&facts.assembly);
    for part in &found.parts {
        let Some(filesystem) = all.iter().find(|f| f.name == part.device) else {
            continue;
        };
        let signature = &filesystem.signature;
        let count = signature.life.as_ref().map_or(0, |life| life.error_count);
        if !signature.errors && count == 0 {
            continue;
        }
        let target = part.target.display();
        let seen = match count {
            0 => "marked as having errors".to_owned(),
            count => format!("{count} errors since the last check"),
        };
        let finding = CHECK
            .finding(
                Severity::Degraded,
                &part.device,
                format!("the filesystem of {target} has errors: a check is due"),
            )
            .with([Evidence::seen(part.device.as_str(), seen).expected("no errors")])
            .because("a bad disk or memory, or a member of an array that was written to alone")
            .by_hand(format!(
                "save the data, then: e2fsck -f {}, never on one leg",
                part.device
            ));
        out.push(finding);
    }
}
