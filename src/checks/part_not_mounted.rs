//! A part of the tree that the patient's fstab names and that could not be
//! mounted, so that it was not examined.

use super::Check;
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};
use crate::sysroot::Search;

pub(super) const CHECK: Check = Check {
    id: "root/part-not-mounted",
    stage: Stage::Root,
    page: include_str!("../../docs/findings/root/part-not-mounted.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Search::Found(info) = &facts.search else {
        return;
    };
    for part in &info.missing {
        let target = part.target.display().to_string();
        let optional = part.optional;
        let finding = CHECK
            .finding(
                if optional {
                    Severity::Note
                } else {
                    Severity::Degraded
                },
                &target,
                format!("{target} could not be mounted, so it was not examined"),
            )
            .with([Evidence::seen(&part.spec, part.why.as_str())]);
        out.push(finding);
        if !optional {
            out.could_not_tell(
                Stage::Root,
                format!("what is in {target}"),
                part.why.as_str(),
            );
        }
    }
}
