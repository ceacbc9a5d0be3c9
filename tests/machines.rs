//! Every case with a `[machine]` table: broken disks, booted for real.

mod lab;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    lab::program::run(Arguments::from_args(), |case| {
        let Some(level) = case.machine.clone() else {
            return Vec::new();
        };
        let mut trials = Vec::new();
        if level.foreign_rescue {
            for with_loop in [true, false] {
                let case = case.clone();
                let how = if with_loop { "" } else { "-without-loop" };
                let name = format!("foreign-rescue{how}::{}", case.name);
                trials.push(Trial::test(name, move || {
                    lab::program::verdict(lab::foreign::run(&case, with_loop))
                }));
            }
        }
        let name = format!("machine::{}", case.name);
        trials.push(Trial::test(name, move || {
            lab::program::verdict(lab::machine_level::run(&case, &level))
        }));
        trials
    })
}
