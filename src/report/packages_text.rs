//! The package database and the standing of an upgrade, on one screen.

use super::Page;
use crate::facts::packages::dpkg::Dpkg;
use crate::facts::packages::standing::{Basis, Direction, Standing};
use crate::facts::packages::{DatabaseFault, Packages, Pacman, Rpm, count_states};

/// Names that are shown of each kind.
const NAMES: usize = 8;

/// Faults that are shown.
const FAULTS: usize = 4;

/// What is known of the packages.
pub fn packages(found: &Packages) -> String {
    match found {
        Packages::Dpkg(dpkg) => of_dpkg(dpkg),
        Packages::Pacman(pacman) => of_pacman(pacman),
        Packages::Apk(apk) => {
            let mut page = Page::default();
            page.line(&format!("{} packages of apk's", apk.packages.len()));
            faults(&mut page, &apk.faults);
            page.finish()
        }
        Packages::Rpm(rpm) => of_rpm(rpm),
        Packages::None => "no package database was found\n".into(),
    }
}

fn of_pacman(pacman: &Pacman) -> String {
    let mut page = Page::default();
    page.line(&format!("{} packages of pacman's", pacman.packages.len()));
    if let Some(run) = &pacman.unfinished {
        let line = format!(
            "Unfinished since {}: {} packages changed; last: {}",
            run.started, run.changed, run.last
        );
        page.item("", 2, &line);
    }
    if let Some(lock) = &pacman.lock {
        page.item("", 2, &format!("A lock was left behind: {lock}"));
    }
    for name in pacman.twice().iter().take(NAMES) {
        page.item("  ", 4, &format!("there twice: {name}"));
    }
    faults(&mut page, &pacman.faults);
    page.finish()
}

fn of_rpm(rpm: &Rpm) -> String {
    let mut page = Page::default();
    page.line(&format!("{} packages of rpm's", rpm.packages.len()));
    if let Some(place) = &rpm.place {
        let state = if rpm.faults.is_empty() {
            "whole"
        } else {
            "damaged"
        };
        let line = format!("{} ({}) is {state}", place.path, place.format.word());
        page.item("Database: ", 2, &line);
    }
    if let Some(open) = &rpm.unfinished {
        let line = format!(
            "Unfinished: {} ({}): {:?}",
            open.program, open.path, open.command
        );
        page.item("", 2, &line);
    }
    if let Some(update) = &rpm.offline_update {
        let line = format!(
            "The next boot is an update: {} leads to {}",
            update.path, update.target
        );
        page.item("", 2, &line);
    }
    let duplicates = rpm.duplicates();
    for duplicate in duplicates.iter().take(NAMES) {
        let all = duplicate.older.iter().chain([&duplicate.newest]);
        let versions: Vec<_> = all.map(|package| package.full_version()).collect();
        let line = format!(
            "there twice: {} ({})",
            duplicate.newest.name,
            versions.join(" and ")
        );
        page.item("  ", 4, &line);
    }
    more(&mut page, duplicates.len());
    faults(&mut page, &rpm.faults);
    page.finish()
}

/// What is wrong with the database of a manager other than dpkg.
fn faults(page: &mut Page, faults: &[DatabaseFault]) {
    for fault in faults.iter().take(FAULTS) {
        page.item("! ", 2, &format!("{}: {}", fault.path, fault.what));
    }
}

fn of_dpkg(dpkg: &Dpkg) -> String {
    let mut page = Page::default();
    let on_disk = dpkg.packages.iter().filter(|p| p.on_disk()).count();
    let unfinished = dpkg.unfinished();
    let state = match unfinished.len() {
        0 if !dpkg.faults.is_empty() => "what is finished is not known".to_owned(),
        0 => "all of them finished".to_owned(),
        _ => format!("unfinished: {}", count_states(&unfinished)),
    };
    page.line(&format!("{on_disk} packages on the disk, {state}"));
    standing(&mut page, &dpkg.standing);
    database(&mut page, dpkg);
    if !unfinished.is_empty() {
        page.line("Unfinished, the worst first:");
        for package in unfinished.iter().take(NAMES) {
            let line = format!("{} ({})", package.label(), package.state.word());
            page.item("  ", 4, &line);
        }
        more(&mut page, unfinished.len());
    }
    around(&mut page, dpkg);
    page.finish()
}

fn more(page: &mut Page, count: usize) {
    if let Some(more) = count.checked_sub(NAMES).filter(|more| *more > 0) {
        page.item("  ", 4, &format!("and {more} more: --json lists them"));
    }
}

/// Where an upgrade stands, and which way to go.
fn standing(page: &mut Page, standing: &Standing) {
    let (from, to) = (&standing.from, &standing.to);
    match (from, to) {
        (Some(from), Some(to)) if from != to => {
            let line = format!("Upgrade: from {} to {}", from.label(), to.label());
            page.line(&line);
        }
        (_, Some(to)) => page.line(&format!("Release: {}", to.label())),
        _ => page.line("Release: not known"),
    }
    let counts = standing.counts;
    if counts.planned + counts.to_remove + counts.removed == 0 {
        return;
    }
    let by = match standing.basis {
        Basis::History => "by apt's history",
        Basis::Lists => "by the index of the newer release",
        Basis::None => "by dpkg alone",
    };
    page.item(
        "  ",
        4,
        &format!(
            "{} packages, {by}: {} done, {} unpacked, {} cut off, {} untouched; \
             to be removed {}, removed {}",
            counts.planned,
            counts.done,
            counts.unpacked,
            counts.half,
            counts.untouched,
            counts.to_remove,
            counts.removed
        ),
    );
    if standing.mixed {
        page.item("  ", 4, "packages of both releases are on the disk");
    }
    let others = &standing.others;
    let kinds = [
        (others.third_party.len(), "of other archives"),
        (others.kept.len(), "held or pinned"),
        (others.backports.len(), "of backports"),
        (others.unlisted.as_ref().map_or(0, Vec::len), "in no index"),
    ];
    let said: Vec<_> = kinds
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, kind)| format!("{count} {kind}"))
        .collect();
    if !said.is_empty() {
        page.item("  ", 4, &format!("not counted: {}", said.join(", ")));
    }
    ways(page, standing);
}

fn ways(page: &mut Page, standing: &Standing) {
    let Some(advice) = &standing.advice else {
        return;
    };
    let both = [
        (
            "Forward",
            &standing.forward,
            Direction::Forward,
            &standing.to,
        ),
        (
            "Back",
            &standing.backward,
            Direction::Backward,
            &standing.from,
        ),
    ];
    for (word, way, direction, release) in both {
        let Some(way) = way else { continue };
        let mut marks = Vec::new();
        if advice.direction == direction {
            marks.push("safer");
        }
        if advice.nearer == direction {
            marks.push("nearer");
        }
        let marks = match marks.is_empty() {
            true => String::new(),
            false => format!(" ({})", marks.join(", ")),
        };
        let host = release.as_ref().and_then(|r| r.old_archive.as_ref());
        let from = match host.filter(|_| !way.is_complete()) {
            Some(host) => format!("; they are at {host} now, not on mirrors"),
            None => String::new(),
        };
        page.item("", 2, &format!("{word}{marks}: {way}{from}"));
    }
    page.item("", 2, &format!("Why: {}", advice.reasons.join("; ")));
    for other in &standing.elsewhere {
        let line = format!(
            "On {}: {} of the {} that are lacking, whole, in {}; \
             lifeboot packages {} shows it",
            other.place,
            other.files.len(),
            other.of,
            other.folder,
            other.arguments
        );
        page.item("", 2, &line);
    }
}

fn database(page: &mut Page, dpkg: &Dpkg) {
    let home = &dpkg.database.home;
    if dpkg.faults.is_empty() && !dpkg.database.info.is_emptied() {
        page.line(&format!("Database: {home} is whole"));
    } else {
        page.line(&format!("Database: {home} is damaged"));
        for fault in dpkg.faults.iter().take(FAULTS) {
            page.item("  ", 4, &format!("{}: {}", fault.path, fault.what));
        }
        if dpkg.database.info.is_emptied() {
            let info = &dpkg.database.info;
            let lacks = info.on_disk.saturating_sub(info.lists);
            page.item(
                "  ",
                4,
                &format!("{}: {lacks} file lists are missing", info.path),
            );
        }
        match dpkg.database.best_backup() {
            Some(best) => page.item("  ", 4, &format!("best copy: {}", best)),
            None => page.item("  ", 4, "no copy of it is whole"),
        }
    }
    let whole = dpkg.database.backups.iter().filter(|b| b.is_whole());
    let (count, whole) = (dpkg.database.backups.len(), whole.count());
    let mut said = format!("copies of it: {count}, whole: {whole}");
    if dpkg.pending_updates > 0 {
        said += &format!("; records not merged: {}", dpkg.pending_updates);
    }
    if dpkg.database.waiting_triggers > 0 {
        said += &format!("; triggers waiting: {}", dpkg.database.waiting_triggers);
    }
    if dpkg.database.unpacking {
        said += "; a package was just being unpacked (tmp.ci)";
    }
    page.item("  ", 4, &said);
}

/// Cache, sources, and what is held.
fn around(page: &mut Page, dpkg: &Dpkg) {
    let cache = &dpkg.apt.cache;
    let mib = cache.bytes.div_ceil(1 << 20);
    let mut said = format!("Cache: {} packages, {mib} MiB", cache.archives.len());
    let damaged: Vec<_> = cache.archives.iter().filter(|a| !a.is_intact()).collect();
    if cache.opened && !cache.archives.is_empty() {
        said += &format!(", {} damaged", damaged.len());
        said += &format!(", {} compared with the index", cache.compared);
    }
    if !cache.partial.is_empty() {
        said += &format!(", {} downloads not ended", cache.partial.len());
    }
    page.line(&said);
    for archive in damaged.iter().take(FAULTS) {
        let what = archive.fault.as_ref().map(ToString::to_string);
        page.item(
            "  ",
            4,
            &format!("{}: {}", archive.file, what.unwrap_or_default()),
        );
    }
    for source in dpkg.apt.sources.iter().take(NAMES) {
        let line = format!("{} {} ({})", source.uri, source.suite, source.file);
        page.item("Source: ", 2, &line);
    }
    more(page, dpkg.apt.sources.len());
    let held: Vec<_> = dpkg.held().map(|package| package.label()).collect();
    if !held.is_empty() {
        let shown = held.iter().take(NAMES).cloned().collect::<Vec<_>>();
        page.line(&format!("Held: {} ({})", held.len(), shown.join(", ")));
    }
}
