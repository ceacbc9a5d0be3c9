//! Upgrades between releases, killed at many moments: what the diagnosis of the
//! disks foretells of PID 1 is what a boot of them does.

mod lab;

use std::env;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use libtest_mimic::Arguments;
use serde_json::Value;

use lab::boot::Boot;
use lab::half_upgrade::{HalfUpgrade, killed_after};
use lab::machine_level::Patient;
use lab::{LIFEBOOT, program, progress};

/// Lines of dpkg's log after which the upgrade dies; a whole one has about
/// 2000 of them.
const MOMENTS: [usize; 10] = [400, 60, 150, 250, 330, 500, 650, 800, 1000, 1300];

/// `all` runs every moment; without it none is, unless it is named.
const CORPUS: &str = "LIFEBOOT_LAB_CORPUS";

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let all = env::var_os(CORPUS).is_some_and(|value| value == "all");
    let named = arguments.filter.is_some();
    let mut trials = Vec::new();
    for (pair, upgrade) in [
        ("bullseye-bookworm", HalfUpgrade::BullseyeBookworm),
        ("bookworm-trixie", HalfUpgrade::BookwormTrixie),
    ] {
        for lines in MOMENTS {
            let ignored = !all && !named;
            let name = format!("{pair}::{lines}");
            let work = format!("upgrade-{pair}-{lines}");
            let trial = program::trial(name.clone(), work, move |work| {
                agree(&name, upgrade, lines, work)
            });
            trials.push(trial.with_ignored_flag(ignored));
        }
    }
    program::run_trials(arguments, Ok(trials))
}

/// What was foretold, and what happened.
fn agree(name: &str, upgrade: HalfUpgrade, lines: usize, work: &Path) -> Result<()> {
    let legs = killed_after(upgrade, lines, work)?;
    let patient = Patient::with(legs, work);
    let report = diagnosed(&patient)?;
    let blockers = ids(&report, "blocker");
    let unreachable = ids(&report, "unreachable");
    let boot = patient.trial_boot("boot")?;
    let kind = report["verdict"]["kind"].as_str().unwrap_or_default();
    progress::line(&format!(
        "{name}: foretold {kind} {blockers:?} {unreachable:?}; {boot}"
    ));
    // A getty that does not come is a service; PID 1 had started before.
    let started = matches!(boot, Boot::Login | Boot::Emergency | Boot::NoGetty(_));
    let init_starts = !blockers.iter().any(|id| !id.starts_with("services/"));
    ensure!(
        init_starts == started,
        "foretold {blockers:?}, but the boot ended as {boot}"
    );
    let login = blockers.is_empty() && unreachable.iter().all(|id| id.starts_with("reach/"));
    ensure!(
        login == (boot == Boot::Login),
        "foretold {blockers:?} and {unreachable:?}, but the boot ended as {boot}"
    );
    Ok(())
}

/// The diagnosis of the disks, here and not in a rescue system.
fn diagnosed(patient: &Patient) -> Result<Value> {
    let mut command = Command::new(LIFEBOOT);
    command.args(["diagnose", "--json"]);
    for disk in patient.disks() {
        command.arg("--disk").arg(disk);
    }
    let output = command.output().context("starting lifeboot")?;
    serde_json::from_slice(&output.stdout).with_context(|| {
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        format!("reading the report; lifeboot said {words:?}")
    })
}

fn ids(report: &Value, severity: &str) -> Vec<String> {
    let findings = report["findings"].as_array().cloned().unwrap_or_default();
    let of_severity = findings
        .iter()
        .filter(|finding| finding["severity"] == severity);
    of_severity
        .filter_map(|finding| finding["id"].as_str().map(str::to_owned))
        .collect()
}
