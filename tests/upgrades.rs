//! Upgrades between releases, killed at many moments, and power cuts during one:
//! what the diagnosis of the disks foretells of PID 1 is what a boot of them
//! does, and what it says of packages is what dpkg says.

mod lab;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Arguments;

use lab::boot::Boot;
use lab::case::Case;
use lab::confusion::diagnosed;
use lab::half_upgrade::{HalfUpgrade, killed_after};
use lab::legs::Legs;
use lab::machine_level::{self, Patient};
use lab::power_cuts::PowerCuts;
use lab::report::{Finding, Report};
use lab::rescue::Rescue;
use lab::suite::Suite;
use lab::upgrade_row::UpgradeRow;
use lab::{LIFEBOOT, dpkg, program, progress};

/// Lines of dpkg's log after which the upgrade dies; a whole one has about
/// 2000 of them.
const MOMENTS: [usize; 10] = [400, 60, 150, 250, 330, 500, 650, 800, 1000, 1300];

/// Words of dpkg's log at which the power fails, in the order of the upgrade: in
/// the middle of a package that much depends on, and where docs/lab.md saw that
/// something does not start.
const BULLSEYE_CUTS: [&str; 10] = [
    " status half-installed libc6:",
    " status half-installed perl-base:",
    " status half-installed libpam-modules:",
    " status half-installed dpkg:",
    " status half-installed util-linux:",
    " status half-installed systemd:",
    " upgrade udev:",
    " upgrade libseccomp2:",
    " upgrade mount:",
    " status half-installed apt:",
];

/// The same for the next pair.
const BOOKWORM_CUTS: [&str; 10] = [
    " status half-installed libc6:",
    " configure libc6:",
    " install libtirpc3t64:",
    " status half-installed perl-base:",
    " status half-installed openssh-server:",
    " install openssl-provider-legacy:",
    " status half-installed libssl3t64:",
    " upgrade ifupdown:",
    " configure libsystemd-shared:",
    " status half-installed systemd:",
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let all = program::is_corpus();
    let named = arguments.filter.is_some();
    let mut trials = Vec::new();
    let pairs: [(_, _, &'static [&'static str]); 3] = [
        (
            "bullseye-bookworm",
            HalfUpgrade::BullseyeBookworm,
            &BULLSEYE_CUTS,
        ),
        (
            "bookworm-trixie",
            HalfUpgrade::BookwormTrixie,
            &BOOKWORM_CUTS,
        ),
        ("trixie-forky", HalfUpgrade::TrixieForky, &[]),
    ];
    for (pair, upgrade, cuts) in pairs {
        for at in 0..cuts.len() {
            let name = format!("cut::{pair}::{at}");
            let work = format!("upgrade-cut-{pair}-{at}");
            let trial = program::trial(name.clone(), work, move |work| {
                cut(&name, upgrade, cuts, at, work)
            });
            trials.push(trial.with_ignored_flag(!all && !named));
            let name = format!("repaired::cut::{pair}::{at}");
            let work = format!("repaired-cut-{pair}-{at}");
            let trial = program::trial(name.clone(), work, move |work| {
                let disks = PowerCuts::of(upgrade, cuts)?.disks(at, work)?;
                repaired(&format!("{name}, {}", cuts[at].trim()), disks, work)
            });
            trials.push(trial.with_ignored_flag(!all && !named));
        }
        for lines in MOMENTS {
            let ignored = !all && !named;
            let name = format!("repaired::{pair}::{lines}");
            let work = format!("repaired-{pair}-{lines}");
            let trial = program::trial(name.clone(), work, move |work| {
                repaired(&name, killed_after(upgrade, lines, work)?, work)
            });
            trials.push(trial.with_ignored_flag(ignored));
            let name = format!("{pair}::{lines}");
            let work = format!("upgrade-{pair}-{lines}");
            let trial = program::trial(name.clone(), work, move |work| {
                agree(&name, upgrade, lines, work)
            });
            trials.push(trial.with_ignored_flag(ignored));
        }
    }
    let cases = match Case::all() {
        Ok(cases) => cases,
        Err(error) => return program::run_trials(arguments, Err(error)),
    };
    for case in cases.into_iter().filter(Case::is_slow) {
        let (name, work) = (case.name.clone(), case.name.clone());
        let trial = program::trial(name, work, move |work| {
            let level = case.machine.as_ref().context("no [machine] table")?;
            machine_level::run(&case, level, work)
        });
        trials.push(trial.with_ignored_flag(!all && !named));
    }
    program::run_trials(arguments, Ok(trials))
}

/// The power of a server fails while it upgrades itself: the rescue image, which
/// changes nothing, foretells what its next boot does, and counts as dpkg does.
fn cut(name: &str, upgrade: HalfUpgrade, moments: &[&str], at: usize, work: &Path) -> Result<()> {
    let cuts = PowerCuts::of(upgrade, moments)?;
    let rescue = Rescue::build(Suite::Bookworm, Path::new(LIFEBOOT), work)?;
    let patient = Patient::with(cuts.disks(at, work)?, work);
    let (session, _) = patient.rescue_unchanged(&rescue, &["diagnose --json"], "diagnose")?;
    let (report, _) = Report::first(&session.output)?;
    let boot = patient.trial_boot("boot")?;
    let place = format!("{name}, {}", moments[at].trim());
    progress::line(&row(&place, &report, &boot));
    expect_foretold(&report, &boot)?;
    patient.look_settled(|root| dpkg::expect_counts(&report, root, upgrade))
}

/// A repair without a question and without a network brings the server back.
fn repaired(name: &str, disks: Legs, work: &Path) -> Result<()> {
    UpgradeRow::of(name, &Patient::with(disks, work))?.expect()
}

/// What was foretold, and what happened.
fn agree(name: &str, upgrade: HalfUpgrade, lines: usize, work: &Path) -> Result<()> {
    let legs = killed_after(upgrade, lines, work)?;
    let patient = Patient::with(legs, work);
    let report = diagnosed(&patient)?;
    patient.look(|root| dpkg::expect_counts(&report, root, upgrade))?;
    let boot = patient.trial_boot("boot")?;
    progress::line(&row(name, &report, &boot));
    expect_foretold(&report, &boot)
}

/// PID 1 starts, and a login prompt comes, exactly when nothing foretells the
/// contrary.
fn expect_foretold(report: &Report, boot: &Boot) -> Result<()> {
    let blockers = of_severity(report, "blocker");
    let unreachable = of_severity(report, "unreachable");
    // A getty that does not come is a service; PID 1 had started before.
    let started = matches!(boot, Boot::Login | Boot::Emergency | Boot::NoGetty(_));
    let init_starts = !blockers.iter().any(|id| !id.starts_with("services/"));
    ensure!(
        init_starts == started,
        "foretold {blockers:?}, but the boot ended as {boot}"
    );
    let login = blockers.is_empty() && unreachable.iter().all(|id| id.starts_with("reach/"));
    ensure!(
        login == (*boot == Boot::Login),
        "foretold {blockers:?} and {unreachable:?}, but the boot ended as {boot}"
    );
    Ok(())
}

/// A row for people: the moment, what was foretold and what the boot did.
fn row(name: &str, report: &Report, boot: &Boot) -> String {
    let foretold = |finding: &&Finding| matches!(&*finding.severity, "blocker" | "unreachable");
    let mut ids: Vec<&str> = report
        .findings
        .iter()
        .filter(foretold)
        .map(|finding| finding.id.as_str())
        .collect();
    ids.dedup();
    let ids = match ids.is_empty() {
        true => "nothing stops it".to_owned(),
        false => ids.join(", "),
    };
    format!("| {name} | {ids} | {boot} |")
}

fn of_severity(report: &Report, severity: &str) -> Vec<String> {
    let findings = report.findings.iter();
    let of_severity = findings.filter(|finding| finding.severity == severity);
    of_severity.map(|finding| finding.id.clone()).collect()
}
