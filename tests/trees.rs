//! Every case with a `[tree]` table: a broken tree, diagnosed and repaired.

mod lab;

use std::process::ExitCode;

use libtest_mimic::Arguments;

fn main() -> ExitCode {
    lab::program::run(Arguments::from_args(), |case| {
        let Some(level) = case.tree.clone() else {
            return Vec::new();
        };
        let name = format!("tree::{}", case.name);
        let work = format!("tree-{}", case.name);
        vec![lab::program::trial(name, work, move |work| {
            lab::tree_level::run(&case, &level, work)
        })]
    })
}
