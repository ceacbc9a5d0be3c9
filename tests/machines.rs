//! Every case with a `[machine]` table: broken disks, booted for real.

mod lab;

use std::process::ExitCode;

use lab::program::trial;
use libtest_mimic::Arguments;

fn main() -> ExitCode {
    lab::program::run(Arguments::from_args(), |case| {
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
    })
}
