//! The members of a mirror side by side.

use super::Page;
use crate::assembly::compare::{Comparison, Depth};
use crate::assembly::{Standing, State};
use crate::date::date;
use crate::sysroot::legs::{Difference, LegView, MirrorView, Side};

/// Traces shown of each filesystem.
const TRACES: usize = 4;

/// The picture of the mirrors.
pub fn legs(views: &[MirrorView]) -> String {
    let mut page = Page::default();
    for (index, view) in views.iter().enumerate() {
        let array = &view.array;
        let title = format!("array {}: {}", array.name, state(&array.state));
        if index == 0 {
            page.line(&title);
        } else {
            page.heading(&title);
        }
        for leg in &view.legs {
            member(&mut page, leg);
        }
        for difference in &view.differences {
            differing(&mut page, difference);
        }
        if array.state == State::Diverged {
            page.item(
                "  ",
                2,
                "Both sides went on alone; which one is right is yours to say. Copy \
                 both disks before any change. Next: lifeboot diagnose --leg DEV",
            );
        }
    }
    page.finish()
}

fn state(state: &State) -> String {
    match state {
        State::Complete => "its members agree".into(),
        State::Degraded => "degraded".into(),
        State::Diverged => "split brain".into(),
        State::Unusable { why } => why.clone(),
    }
}

fn member(page: &mut Page, view: &LegView) {
    let superblock = &view.leg.superblock;
    let line = format!(
        "{}  {}, {} events, updated {}",
        view.leg.name,
        standing(view.leg.standing),
        superblock.events,
        date(superblock.updated)
    );
    page.item("  ", 4, &line);
    if let Some(problem) = &view.problem {
        page.item("    ! ", 6, problem);
    }
    for side in &view.sides {
        filesystem(page, side);
    }
}

/// How a member stands, in words.
pub(super) fn standing(standing: Standing) -> String {
    match standing {
        Standing::Fresh { slot } => format!("slot {slot}, current"),
        Standing::Stale { behind } => format!("old, {behind} events behind"),
        Standing::Rebuilding => "partly rebuilt".into(),
        Standing::Spare => "spare".into(),
        Standing::Faulty => "failed".into(),
        Standing::Duplicate => "duplicate".into(),
        Standing::Journal => "journal".into(),
        Standing::OtherSide => "left out, another was chosen".into(),
    }
}

fn filesystem(page: &mut Page, side: &Side) {
    let mut line = side.signature.format.clone();
    if let Some(system) = &side.system {
        line.push_str(&format!(" with {system}"));
    }
    page.item("    ", 6, &line);
    if let Some(problem) = &side.problem {
        page.item("      ! ", 8, problem);
    }
    for trace in side.traces.iter().take(TRACES) {
        let mut line = format!(
            "{}  {}",
            date(u64::try_from(trace.time).unwrap_or(0)),
            trace.path
        );
        if let Some(last) = &trace.line {
            line.push_str(&format!(": {last}"));
        }
        page.item("      ", 8, &line);
    }
}

fn differing(page: &mut Page, difference: &Difference) {
    let line = format!(
        "{} and {}: {}",
        difference.one,
        difference.other,
        measure(&difference.comparison)
    );
    page.item("  ", 4, &line);
    match &difference.files {
        Some(files) if !files.is_empty() => {
            let files = files.join(", ");
            page.item("    ", 6, &format!("in the files {files}"));
        }
        Some(_) if difference.comparison.different > 0 => page.item(
            "    ",
            6,
            "in no file: in the filesystem's own structures or free space",
        ),
        _ => {}
    }
}

fn measure(found: &Comparison) -> String {
    let read = match found.depth {
        Depth::Full => "blocks of 4 KiB".to_owned(),
        Depth::Sample if found.compared + found.unreadable >= found.blocks => {
            "blocks of 4 KiB".to_owned()
        }
        Depth::Sample => format!("sampled blocks of 4 KiB ({} in all)", found.blocks),
    };
    let mut line = match found.different {
        0 => format!("no difference in {} {read}", found.compared),
        different => format!("{different} of {} {read} differ", found.compared),
    };
    if found.unreadable > 0 {
        line.push_str(&format!("; {} could not be read", found.unreadable));
    }
    line
}
