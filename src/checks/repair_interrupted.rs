//! An earlier repair by Lifeboot did not come to its end.

use super::Check;
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "root/repair-interrupted",
    stage: Stage::Root,
    page: include_str!("../../docs/findings/root/repair-interrupted.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = &facts.tree else { return };
    if let Some(why) = &tree.earlier.unreadable {
        out.could_not_tell(Stage::Root, "earlier repairs (/.lifeboot)", why.as_str());
    }
    for repair in &tree.earlier.repairs {
        let place = format!("/.lifeboot/journal/{}", repair.id);
        if let Some(why) = &repair.damaged {
            out.could_not_tell(Stage::Root, place, why.as_str());
        } else if repair.interrupted {
            let seen = format!("{} of {} changes stand", repair.done, repair.changes);
            let finding = CHECK
                .finding(
                    Severity::Degraded,
                    &repair.id,
                    "an earlier repair was interrupted; finish it or take it back",
                )
                .with([Evidence::seen(place, seen).expected("all or none")])
                .because("power, or the connection, went while it was done")
                .by_hand("lifeboot repair finishes it; lifeboot undo takes it back");
            out.push(finding);
        }
    }
}
