//! The journal of a filesystem was not replayed: its newest files are not seen.

use super::Check;
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};
use crate::sysroot::{Journal, Search};

pub(super) const CHECK: Check = Check {
    id: "storage/journal-not-replayed",
    stage: Stage::Storage,
    page: include_str!("../../docs/findings/storage/journal-not-replayed.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Search::Found(info) = &facts.search else {
        return;
    };
    for part in &info.parts {
        let Journal::NotReplayed { why } = &part.journal else {
            continue;
        };
        let title = format!(
            "the last seconds before the crash are not seen on {}",
            part.device
        );
        let finding = CHECK
            .finding(Severity::Note, &part.device, title)
            .with([Evidence::seen(&part.device, why.as_str())
                .expected("a journal replayed into memory")])
            .because("the machine went down without unmounting it");
        out.push(finding);
        let what = format!(
            "what {} holds after its journal is replayed, as a boot does: what is said of \
             its files may be wrong, damage too",
            part.device
        );
        out.could_not_tell(Stage::Storage, what, why.as_str());
    }
}
