//! Two members that each went on without the other.

use super::Check;
use crate::assembly::{Array, Leg, Standing, State};
use crate::date::date;
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "storage/legs-diverged",
    stage: Stage::Storage,
    page: include_str!("../../docs/findings/storage/legs-diverged.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    for array in &facts.assembly.arrays {
        if !array.is_split() {
            continue;
        }
        let chosen = array.state != State::Diverged;
        let title = format!(
            "the members of {} hold different data; which is right is yours to say",
            array.name
        );
        // With a side chosen, it boots or not as that side does.
        let severity = if chosen {
            Severity::Degraded
        } else {
            Severity::Blocker
        };
        let finding = CHECK
            .finding(severity, &array.name, title)
            .with(array.legs.iter().map(seen))
            .because("the machine ran on one disk alone, and later on the other alone")
            .by_hand(format!(
                "look at one side alone: {}; copy both disks before any change",
                sides(array)
            ));
        out.push(finding);
        if !chosen {
            out.could_not_tell(
                Stage::Storage,
                format!("array {}", array.name),
                "its two sides are never joined without you; name one with --leg",
            );
        }
    }
}

/// What shows each side.
fn sides(array: &Array) -> String {
    let command = |leg: &Leg| {
        let disk = shell_words::quote(&leg.disk);
        format!("lifeboot diagnose --leg {disk}")
    };
    let all: Vec<String> = array.legs.iter().map(command).collect();
    all.join(", or ")
}

fn seen(leg: &Leg) -> Evidence {
    let side = match leg.standing {
        Standing::OtherSide => "left out",
        Standing::Stale { .. } => "old",
        _ => "counts another as gone",
    };
    let superblock = &leg.superblock;
    let seen = format!(
        "{} events, last update {} UTC, {side}",
        superblock.events,
        date(superblock.updated)
    );
    Evidence::seen(&leg.name, seen)
}
