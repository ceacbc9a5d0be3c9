//! What the test programs `trees` and `machines` have in common.

use std::process::ExitCode;

use anyhow::{Result, bail};
use libtest_mimic::{Arguments, Failed, Trial};

use super::case::Case;
use super::mounts;
use super::progress;

/// Two virtual machines, or two lifeboots, at a time.
const AT_A_TIME: usize = 2;

/// Runs the trials that `trial` makes of the cases.
pub fn run(mut arguments: Arguments, trial: impl Fn(Case) -> Vec<Trial>) -> ExitCode {
    let cases = match Case::all() {
        Ok(cases) => cases,
        Err(error) => {
            progress::line(&format!("tests/cases: {error:#}"));
            return ExitCode::FAILURE;
        }
    };
    let mut trials: Vec<Trial> = cases.into_iter().flat_map(trial).collect();
    if !arguments.list
        && let Err(error) = ready()
    {
        progress::line(&format!("all cases ignored: {error:#}"));
        let ignored = |trial: Trial| trial.with_ignored_flag(true);
        trials = trials.into_iter().map(ignored).collect();
    }
    arguments.test_threads.get_or_insert(AT_A_TIME);
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// The outcome of a trial with all the causes of its failure.
pub fn verdict(result: Result<()>) -> Result<(), Failed> {
    result.map_err(|error| {
        let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
        Failed::from(causes.join("\n  because "))
    })
}

/// The lab needs root, and its mounts to be its own.
fn ready() -> Result<()> {
    if !nix::unistd::geteuid().is_root() {
        bail!("the lab makes mounts and device nodes: run it as root");
    }
    mounts::isolate()
}
