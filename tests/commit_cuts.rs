//! The power fails at each step of a repair's commit and of its undo: nothing is
//! lost, and the next run finishes it or takes it back.

mod lab;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Arguments;

use lab::base::Kind;
use lab::commit_cuts::CommitCuts;
use lab::disks;
use lab::legs::Legs;
use lab::machine_level::Patient;
use lab::manifest::Manifest;
use lab::report::Report;
use lab::rescue::Rescue;
use lab::suite::Suite;
use lab::{LIFEBOOT, program, progress};

/// Faults whose repairs move, write, change modes and remove.
const BREAK: &str = r#"
mv usr/sbin usr/sbin.backup
ln -s /usr/bin usr/sbin
chmod 666 etc/ssh/ssh_host_*_key
touch etc/nologin
ln -sf /lib/systemd/system/rescue.target etc/systemd/system/default.target
"#;

/// What every test run takes: the middle of the commit.
const USUAL: &str = "commit-middle";

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let all = program::is_corpus() || arguments.filter.is_some();
    let mut trials = vec![program::trial(USUAL, USUAL.to_owned(), |work| {
        commit(Kind::Usual, work, |at, all| at == all / 2)
    })];
    for (filesystem, kind) in [("ext4", Kind::Usual), ("xfs", Kind::Xfs)] {
        let work = format!("commit-cuts-{filesystem}");
        let all_of_commit = program::trial(format!("commit::{filesystem}"), work, move |work| {
            commit(kind, work, |_, _| true)
        });
        let work = format!("undo-cuts-{filesystem}");
        let all_of_undo = program::trial(format!("undo::{filesystem}"), work, move |work| {
            undo(kind, work)
        });
        trials.extend([all_of_commit, all_of_undo].map(|trial| trial.with_ignored_flag(!all)));
    }
    program::run_trials(arguments, Ok(trials))
}

/// A broken server in the folder `dir`, and all of its root.
fn broken(kind: Kind, dir: &Path) -> Result<Manifest> {
    let legs = disks::of(Suite::Bookworm, kind)?.copy_to(dir)?;
    legs.change(&dir.join("mnt"), |root| {
        lab::run::shell("breaking the server", root, BREAK)
    })?;
    Patient::with(legs, dir).manifest()
}

fn rescue(work: &Path) -> Result<Rescue> {
    Rescue::build(Suite::Bookworm, Path::new(LIFEBOOT), work)
}

/// Cuts at the steps of a commit that `chosen` takes, given all of them.
fn commit(kind: Kind, work: &Path, chosen: impl Fn(usize, usize) -> bool) -> Result<()> {
    let steps = work.join("steps");
    let before = broken(kind, &steps)?;
    let rescue = rescue(work)?;
    let cuts = CommitCuts::of(&rescue, "repair --yes", &steps)?;
    let moments = cuts.moments();
    let mut runs = 0;
    for moment in (0..=moments).filter(|&at| chosen(at, moments)) {
        let dir = work.join("moment");
        let patient = Patient::with(cuts.disks(moment, &dir)?, &dir);
        // Every second one is finished first.
        let finish = moment % 2 == 1;
        after_a_cut(&patient, &rescue, finish, &before)
            .with_context(|| format!("cut at step {moment} of {moments}"))?;
        runs += 1;
    }
    progress::line(&format!(
        "{runs} power cuts during a commit of {moments} steps: nothing lost"
    ));
    Ok(())
}

/// Cuts at every step of an undo.
fn undo(kind: Kind, work: &Path) -> Result<()> {
    let first = work.join("first");
    let before = broken(kind, &first)?;
    let rescue = rescue(work)?;
    let patient = Patient::with(Legs::in_folder(&first), &first);
    patient.rescue(&rescue, &["repair --yes"], "repair")?;
    let steps = work.join("steps");
    Legs::in_folder(&first).copy_to(&steps)?;
    let cuts = CommitCuts::of(&rescue, "undo --yes", &steps)?;
    let moments = cuts.moments();
    for moment in 0..=moments {
        let dir = work.join("moment");
        let patient = Patient::with(cuts.disks(moment, &dir)?, &dir);
        after_a_cut(&patient, &rescue, false, &before)
            .with_context(|| format!("cut at step {moment} of {moments}"))?;
    }
    progress::line(&format!(
        "{} power cuts during an undo of {moments} steps: nothing lost",
        moments + 1
    ));
    Ok(())
}

/// The next run of Lifeboot finishes the repair or not, and takes it back: then
/// everything is as it was before.
fn after_a_cut(patient: &Patient, rescue: &Rescue, finish: bool, before: &Manifest) -> Result<()> {
    if finish {
        let commands = ["repair --yes", "diagnose --json"];
        let session = patient.rescue(rescue, &commands, "finish")?;
        let json = session
            .output
            .find("\n{")
            .map_or("", |at| &session.output[at..]);
        let (report, _) =
            Report::first(json).with_context(|| format!("see {}", session.log.display()))?;
        ensure!(
            report.verdict.kind == "boots",
            "after the repair was finished: {:?}, {:?}",
            report.verdict.kind,
            report.ids()
        );
    }
    // One for each round of the repair; what is too much has nothing to do.
    let session = patient.rescue(rescue, &["undo --yes"; 4], "take-back")?;
    before
        .expect_same(&patient.manifest()?)
        .with_context(|| format!("see {}", session.log.display()))
}
