//! The package manager was stopped in the middle of its work.

use super::{Check, releases_mixed, some};
use crate::facts::history::Clock;
use crate::facts::history::timeline::{self, Stopped};
use crate::facts::packages::standing::{Basis, Counts};
use crate::facts::packages::{Dpkg, Packages, State, count_states};
use crate::facts::{Facts, Tree};
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "packages/upgrade-interrupted",
    stage: Stage::Packages,
    page: include_str!("../../docs/findings/packages/upgrade-interrupted.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = &facts.tree else { return };
    let dpkg = match &tree.packages {
        Packages::Dpkg(dpkg) => dpkg,
        // Their unfinished work is another check's matter.
        Packages::Pacman(_) | Packages::Rpm(_) => return,
        Packages::Apk(apk) => {
            if let Some(fault) = apk.faults.first() {
                let why = format!("{}: {}", fault.path, fault.what);
                out.could_not_tell(Stage::Packages, "the packages", why);
            }
            return;
        }
        Packages::None => {
            out.could_not_tell(Stage::Packages, "the packages", "no database was found");
            return;
        }
    };
    let unfinished = dpkg.unfinished();
    // A log that merely lacks its last line is none.
    let run = dpkg.upgrade.as_ref().filter(|run| run.done < run.planned);
    if unfinished.is_empty() && run.is_none() && dpkg.pending_updates == 0 {
        return;
    }
    let logged = run.map(|run| (run.planned, run.done));
    let listed = by_lists(dpkg).map(|counts| (counts.planned, counts.done));
    let title = match (logged.or(listed), unfinished.len()) {
        (Some((planned, done)), _) => format!(
            "an upgrade{} stopped: {} of {planned} packages are not done",
            between(dpkg),
            planned.saturating_sub(done),
        ),
        (None, 0) => "dpkg was cut off while it wrote its database".into(),
        (None, 1) => "one package is not completely installed".into(),
        (None, count) => format!("{count} packages are not completely installed"),
    };
    let finding = CHECK
        .finding(Severity::Degraded, "dpkg", title)
        .with(evidence(dpkg, tree))
        .by_hand(
            "in a chroot of the patient, with /proc, /sys and /dev bound: \
             dpkg --configure -a && apt-get -f install && apt-get full-upgrade",
        );
    out.push(finding);
    doubt(dpkg, tree, out);
}

/// How far an upgrade to another release is of which apt's log says nothing: a
/// power cut leaves an empty one behind.
fn by_lists(dpkg: &Dpkg) -> Option<&Counts> {
    let standing = &dpkg.standing;
    let counts = &standing.counts;
    let begun = counts.done + counts.unpacked > 0 && counts.done < counts.planned;
    let told = dpkg.upgrade.is_none() && standing.basis == Basis::Lists;
    (told && begun && standing.crosses_releases() && !dpkg.unfinished().is_empty())
        .then_some(counts)
}

/// ` from Debian 12 (bookworm) to Debian 13 (trixie)`
fn between(dpkg: &Dpkg) -> String {
    let standing = &dpkg.standing;
    match (&standing.from, &standing.to) {
        (Some(from), Some(to)) if from != to => format!(" from {} to {}", from.label(), to.label()),
        _ => String::new(),
    }
}

fn evidence(dpkg: &Dpkg, tree: &Tree) -> Vec<Evidence> {
    const STATUS: &str = "/var/lib/dpkg/status";
    let mut all = Vec::new();
    let stopped = timeline::stopped(&tree.history);
    if let Some(run) = &dpkg.upgrade {
        // apt writes local time; the history knows its zone.
        let began = match stopped.run {
            Some(known) => at(known.started, known.clock),
            None => run.started.clone(),
        };
        let what = format!(
            "{:?} began {began} and never ended: {} packages planned, {} done, \
             {} unpacked, {} cut off, {} untouched",
            run.command, run.planned, run.done, run.unpacked, run.half, run.untouched
        );
        all.push(Evidence::seen("/var/log/apt/history.log", what));
    }
    if let Some(counts) = by_lists(dpkg) {
        let what = format!(
            "no upgrade; by /var/lib/apt/lists {} packages are to be upgraded: {} done, \
             {} unpacked, {} cut off, {} untouched",
            counts.planned, counts.done, counts.unpacked, counts.half, counts.untouched
        );
        all.push(Evidence::seen("/var/log/apt/history.log", what));
    }
    all.extend(times(dpkg, tree, stopped));
    let unfinished = dpkg.unfinished();
    if !unfinished.is_empty() {
        all.push(Evidence::seen(STATUS, count_states(&unfinished)));
        let names: Vec<_> = unfinished
            .iter()
            .map(|package| format!("{} ({})", package.label(), package.state.word()))
            .collect();
        all.push(Evidence::seen(STATUS, some(&names, 12)));
    }
    if !tree.unfinished_on_the_way.is_empty() {
        let names = some(&tree.unfinished_on_the_way, 12);
        all.push(Evidence::seen(
            &tree.init.asked,
            format!("starts with files of unfinished packages: {names}"),
        ));
    }
    all.extend(releases_mixed::ways(dpkg));
    if dpkg.pending_updates > 0 {
        let what = format!("{} records not yet merged", dpkg.pending_updates);
        all.push(Evidence::seen("/var/lib/dpkg/updates", what));
    }
    all
}

/// A time in UTC, or in a local time that is not known.
fn at(time: i64, clock: Clock) -> String {
    let zone = match clock {
        Clock::Local => "?",
        _ => " UTC",
    };
    format!("{}{zone}", timeline::when(time))
}

/// When it stopped, at which step, and whether it was started since.
fn times(dpkg: &Dpkg, tree: &Tree, stopped: Stopped<'_>) -> Vec<Evidence> {
    let Some(last) = stopped.last else {
        let line = dpkg.last_log_line.as_ref();
        let ends = line.map(|line| format!("ends with: {line}"));
        let ends = ends.map(|said| Evidence::seen("/var/log/dpkg.log", said));
        return ends.into_iter().collect();
    };
    let said = format!("{}: {}", at(last.time, last.clock), last.text);
    let since = timeline::started_since(&tree.history, last.time);
    let since = since.map(|(said, path)| Evidence::seen(path, said));
    let last = Evidence::seen(&last.path, said);
    [last].into_iter().chain(since).collect()
}

/// Whether a system made of two halves works is not known from its files.
fn doubt(dpkg: &Dpkg, tree: &Tree, out: &mut Findings) {
    let half_run = dpkg
        .upgrade
        .as_ref()
        .is_some_and(|run| run.untouched > 0 && run.done + run.unpacked + run.half > 0);
    let cut = dpkg
        .unfinished()
        .iter()
        .any(|package| package.state < State::TriggersAwaited);
    if half_run || (cut && !tree.unfinished_on_the_way.is_empty()) {
        out.could_not_tell(
            Stage::Services,
            "whether the half-upgraded system works",
            "its services mix two releases, and this version examines only PID 1",
        );
    }
}
