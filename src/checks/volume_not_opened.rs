//! Beside the root there are volumes that could not be opened.

use std::path::Path;

use super::Check;
use crate::assembly::Cause;
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};
use crate::sysroot::{Origin, Search};

pub(super) const CHECK: Check = Check {
    id: "storage/volume-not-opened",
    stage: Stage::Storage,
    page: include_str!("../../docs/findings/storage/volume-not-opened.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    // What is locked or incomplete has a check of its own; what nobody wanted
    // to open is no news.
    let elsewhere = |name: &str| {
        facts.assembly.unopened.iter().any(|volume| {
            volume.name == name
                && matches!(
                    volume.cause,
                    Cause::Locked | Cause::Incomplete | Cause::NotTried
                )
        })
    };
    for (name, why) in closed(facts) {
        if elsewhere(name) {
            continue;
        }
        let finding = CHECK
            .finding(Severity::Note, name, format!("{name} was not opened"))
            .with([Evidence::seen(name, why)]);
        out.push(finding);
    }
    let Search::Found(info) = &facts.search else {
        return;
    };
    // A rescue system on a partition of its own must not pass for the patient.
    let running = info.origin == Origin::AlreadyMounted && info.path == Path::new("/");
    if let (true, Some(first)) = (running, info.unopened.first()) {
        out.could_not_tell(
            Stage::Root,
            "which system is meant",
            format!(
                "the only root found is the one that is running, and {} was not opened; \
                 name the one you mean with --root-device",
                first.name
            ),
        );
    }
}

/// The volumes that stayed closed, and why. Where no root was found, those that
/// only refused to be mounted are told there.
fn closed(facts: &Facts) -> Vec<(&str, &str)> {
    match &facts.search {
        Search::Found(info) => {
            let all = info.unopened.iter();
            all.map(|v| (v.name.as_str(), v.why.as_str())).collect()
        }
        _ => {
            let all = facts.assembly.unopened.iter();
            all.map(|v| (v.name.as_str(), v.why.as_str())).collect()
        }
    }
}
