//! What the test programs `trees` and `machines` have in common.

use std::env;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};
use libtest_mimic::{Arguments, Failed, Trial};

use super::case::Case;
use super::mounts;
use super::progress;

/// `LIFEBOOT_LAB_CORPUS=all`: everything is run, not only what every test run
/// takes.
pub fn is_corpus() -> bool {
    env::var_os("LIFEBOOT_LAB_CORPUS").is_some_and(|value| value == "all")
}

/// Two virtual machines, or two lifeboots, at a time.
const AT_A_TIME: usize = 2;

/// Runs the trials that `trial` makes of the cases.
pub fn run(arguments: Arguments, trial: impl Fn(Case) -> Vec<Trial>) -> ExitCode {
    let trials = Case::all().map(|cases| cases.into_iter().flat_map(trial).collect());
    run_trials(arguments, trials)
}

/// Runs these trials, or ignores them all where the lab cannot run.
pub fn run_trials(mut arguments: Arguments, trials: Result<Vec<Trial>>) -> ExitCode {
    let mut trials = match trials {
        Ok(trials) => trials,
        Err(error) => {
            progress::line(&format!("reading the cases: {error:#}"));
            return ExitCode::FAILURE;
        }
    };
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

/// A trial with the folder `work` for its logs and disks.
pub fn trial(
    name: impl Into<String>,
    work: String,
    case: impl FnOnce(&Path) -> Result<()> + Send + 'static,
) -> Trial {
    let name = name.into();
    let shown = name.clone();
    Trial::test(name, move || {
        verdict(&shown, super::in_work_dir(&work, case))
    })
}

/// The outcome of a trial with all the causes of its failure, which also go to
/// the file that `scripts/test` prints at its end.
fn verdict(name: &str, result: Result<()>) -> Result<(), Failed> {
    result.map_err(|error| {
        let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
        let causes = causes.join("\n  because ");
        let file = super::work_folder().join("failures.txt");
        let file = OpenOptions::new().append(true).create(true).open(file);
        // The test program itself says it too.
        let _ = file.and_then(|mut file| writeln!(file, "{name}: {causes}"));
        Failed::from(causes)
    })
}

/// The lab needs root, and its mounts to be its own.
fn ready() -> Result<()> {
    if !nix::unistd::geteuid().is_root() {
        bail!("the lab makes mounts and device nodes: run it as root");
    }
    mounts::isolate()
}
