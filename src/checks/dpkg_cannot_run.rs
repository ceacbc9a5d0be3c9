//! Programs without which dpkg of the patient can do nothing do not start.

use super::{Check, dpkg, some, tree_with_usr};
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "packages/dpkg-cannot-run",
    stage: Stage::Packages,
    page: include_str!("../../docs/findings/packages/dpkg-cannot-run.md"),
    run,
};

/// Files at fault that the finding names.
const NAMED_MAX: usize = 6;

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = tree_with_usr(facts) else {
        return;
    };
    let broken = &tree.toolbox.broken;
    let (Some(_), Some(_)) = (dpkg(facts), broken.first()) else {
        return;
    };
    let names: Vec<String> = broken.iter().map(|tool| tool.path.clone()).collect();
    let title = match names.as_slice() {
        [one] => format!("dpkg of this system cannot work: {one} does not start"),
        several => format!(
            "dpkg of this system cannot work: {} programs that it needs do not start",
            several.len()
        ),
    };
    let mut told: Vec<String> = Vec::new();
    let mut evidence = Vec::new();
    for tool in broken {
        let culprit = tool.problem.culprit();
        if told.len() < NAMED_MAX && !told.iter().any(|known| known == culprit) {
            told.push(culprit.to_owned());
            let package = tool.package.as_ref();
            let package = package.map_or(String::new(), |name| format!(" (package {name})"));
            let said = format!("{}{package}", tool.problem);
            evidence.push(Evidence::seen(&tool.path, said));
        }
    }
    if names.len() > 1 {
        let what = format!("do not start: {}", some(&names, 12));
        evidence.push(Evidence::seen("/var/lib/dpkg", what));
    }
    let finding = CHECK
        .finding(Severity::Degraded, "dpkg", title)
        .with(evidence)
        .because("packages can be neither unpacked nor configured by the system itself")
        .by_hand("lifeboot repair --packages DIR, where DIR has the .deb files that it names");
    out.push(finding);
}
