//! Every case with a `[machine]` table: broken disks, booted for real.

mod lab;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    lab::program::run(Arguments::from_args(), |case| {
        let level = case.machine.clone()?;
        let name = format!("machine::{}", case.name);
        Some(Trial::test(name, move || {
            lab::program::verdict(lab::machine_level::run(&case, &level))
        }))
    })
}
