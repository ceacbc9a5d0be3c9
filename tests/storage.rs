//! Every layout of `tests/layouts`: disks made by the real tools, looked at in
//! a rescue session, and not one bit of them changed.

mod lab;

use std::process::ExitCode;

use libtest_mimic::Arguments;

use lab::layout::Layout;
use lab::program::trial;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let all = lab::program::is_corpus();
    // Whoever names one wants it.
    let named = arguments.filter.is_some();
    let trials = Layout::all().map(|layouts| {
        layouts
            .into_iter()
            .flat_map(|layout| {
                let ignored = !(layout.ci || all || named);
                let cases = layout.case.clone();
                cases.into_iter().map(move |(name, expected)| {
                    let layout = layout.clone();
                    let title = format!("{}::{name}", layout.name);
                    let work = format!("storage-{}-{name}", layout.name);
                    trial(title, work, move |work| {
                        lab::storage_level::run(&layout, &expected, work)
                    })
                    .with_ignored_flag(ignored)
                })
            })
            .collect()
    });
    lab::program::run_trials(arguments, trials)
}
