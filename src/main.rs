//! The binary: PID 1 or command line.

use std::panic::AssertUnwindSafe;
use std::process::ExitCode;

use clap::Parser;

use lifeboot::cli::Cli;
use lifeboot::commands;
use lifeboot::outcome::Outcome;
use lifeboot::sys::{contained, supervise};

fn main() -> ExitCode {
    // First: of these processes one is process 1 of its own, and no init.
    if contained::is_our_role() {
        return ExitCode::from(contained::play());
    }
    if lifeboot::init::is_our_role() {
        lifeboot::init::run();
    }
    let cli = Cli::parse();
    let outcome = if commands::needs_supervisor(&cli) && !supervise::is_worker() {
        commands::supervise()
    } else {
        work(cli)
    };
    match outcome {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            #[allow(clippy::print_stderr)] // the edge of the program
            {
                eprintln!("{}", commands::wrapped(&format!("lifeboot: {error:#}")));
            }
            Outcome::Failed.into()
        }
    }
}

fn work(cli: Cli) -> anyhow::Result<Outcome> {
    if supervise::is_worker() {
        supervise::become_worker()?;
    }
    // A fault of Lifeboot's own is told as one, with an exit code of the table.
    std::panic::catch_unwind(AssertUnwindSafe(|| commands::run(cli)))
        .unwrap_or_else(|_| anyhow::bail!("it failed by a fault of its own, please report it"))
}
