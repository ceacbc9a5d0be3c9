//! The binary: PID 1 or command line.

use std::process::ExitCode;

use clap::Parser;

use lifeboot::cli::Cli;
use lifeboot::commands;
use lifeboot::outcome::Outcome;
use lifeboot::sys::supervise;

fn main() -> ExitCode {
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
                eprintln!("lifeboot: {error:#}");
            }
            Outcome::Failed.into()
        }
    }
}

fn work(cli: Cli) -> anyhow::Result<Outcome> {
    if supervise::is_worker() {
        supervise::become_worker()?;
    }
    commands::run(cli)
}
