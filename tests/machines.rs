//! Every case with a `[machine]` table: broken disks, booted for real.

mod lab;

use std::process::ExitCode;

use lab::boot::{self, Boot};
use lab::case::Case;
use lab::program::trial;
use libtest_mimic::{Arguments, Failed, Trial};

/// What SeaBIOS made of GRUB's prompt when its timer ticked between two letters.
const CUT_PROMPT: &str = "error: file `normal.mod' not found.\r\ngrub res\u{1b}[7;9Hcue> ";

fn the_prompt_is_seen_through_cursor_moves() -> Result<(), Failed> {
    match boot::end(CUT_PROMPT) {
        Some(Boot::Loader(words)) if words == "file `normal.mod' not found." => Ok(()),
        other => Err(format!("{other:?}").into()),
    }
}

fn main() -> ExitCode {
    let trials = Case::all().map(|cases| {
        let prompt = Trial::test(
            "console::cursor-moves",
            the_prompt_is_seen_through_cursor_moves,
        );
        let machines = cases.into_iter().flat_map(trials_of);
        std::iter::once(prompt).chain(machines).collect()
    });
    lab::program::run_trials(Arguments::from_args(), trials)
}

/// The case's machine, and the rescue systems that it is started in.
fn trials_of(case: Case) -> Vec<Trial> {
    let Some(mut level) = case.machine.clone() else {
        return Vec::new();
    };
    // Repaired it is among the upgrades.
    level.repaired = level.repaired.filter(|repaired| !repaired.slow);
    // Such a case is among the upgrades.
    if level.slow || case.power_cut.as_ref().is_some_and(|cut| cut.slow) {
        return Vec::new();
    }
    let mut trials = Vec::new();
    if level.foreign_rescue {
        for with_loop in [true, false] {
            let case = case.clone();
            let how = if with_loop { "" } else { "-without-loop" };
            let work = format!("foreign-rescue{how}");
            let name = format!("foreign-rescue{how}::{}", case.name);
            trials.push(trial(name, work, move |work| {
                lab::foreign::run(&case, with_loop, work)
            }));
        }
    }
    let work = format!("machine-{}", case.name);
    let name = format!("machine::{}", case.name);
    trials.push(trial(name, work, move |work| {
        lab::machine_level::run(&case, &level, work)
    }));
    trials
}
