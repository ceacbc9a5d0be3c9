//! The words that the operator types, one file each.

use std::io::{self, IsTerminal, Write};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::cli::{Cli, Command};
use crate::outcome::Outcome;
use crate::report::Page;
use crate::sys::supervise;

/// Where a command keeps what is gone with the rescue system: memory, in any.
const IN_MEMORY: &str = "/run/lifeboot";

mod array_work;
mod boot_loader;
mod choice;
mod diagnose;
mod elf;
mod elsewhere;
mod explain;
mod fetch;
mod guided;
mod history;
mod keys;
mod legs;
mod log;
mod output;
mod package_folders;
mod packages;
mod page_file;
mod patient;
mod progress;
mod read_test;
mod rehearse;
mod repair;
mod rounds;
mod salvage;
mod session;
mod supply;
mod survey;
mod undo;
mod verify_salvage;

/// Does what the command line says.
///
/// # Errors
/// What kept it from being done; the caller prints it.
pub fn run(cli: Cli) -> Result<Outcome> {
    match cli.command {
        Some(Command::Survey(args)) => survey::run(&args),
        Some(Command::Diagnose(args)) => diagnose::run(&args),
        Some(Command::Legs(args)) => legs::run(&args),
        Some(Command::Elf(args)) => elf::run(&args),
        Some(Command::Packages(args)) => packages::run(&args),
        Some(Command::History(args)) => history::run(&args),
        Some(Command::Fetch(args)) => fetch::run(&args),
        Some(Command::Repair(args)) => repair::run(&args),
        Some(Command::Log(args)) => log::run(&args),
        Some(Command::Undo(args)) => undo::run(&args),
        Some(Command::Salvage(args)) => salvage::run(&args),
        Some(Command::Verify(args)) => verify_salvage::run(&args),
        Some(Command::Explain(args)) => explain::run(&args),
        None => guided::run(&cli.guided),
    }
}

/// True when the command opens arrays or mounts, and so needs a parent that
/// cleans up after it.
pub fn needs_supervisor(cli: &Cli) -> bool {
    let on_disks = |target: &crate::cli::Target| target.root.is_none();
    match &cli.command {
        None => on_disks(&cli.guided.target),
        Some(Command::Legs(_)) => true,
        Some(Command::Diagnose(args)) => on_disks(&args.target) && args.facts.is_none(),
        Some(Command::Fetch(args)) => on_disks(&args.target),
        Some(Command::Repair(args)) => on_disks(&args.target),
        Some(Command::Log(args)) => on_disks(&args.target),
        Some(Command::Elf(args)) => on_disks(&args.target),
        Some(Command::Packages(args)) => on_disks(&args.target),
        Some(Command::History(args)) => on_disks(&args.target),
        Some(Command::Undo(args)) => on_disks(&args.target),
        Some(Command::Salvage(args)) => on_disks(&args.target),
        Some(Command::Verify(_)) => false,
        Some(Command::Survey(_)) => nix::unistd::geteuid().is_root(),
        Some(Command::Explain(args)) => args.path.is_some() && on_disks(&args.target),
    }
}

/// Runs the command in a worker and cleans up after it.
///
/// # Errors
/// The worker cannot be started.
pub fn supervise() -> Result<Outcome> {
    let (ended, stuck) = supervise::run_worker().context("starting the worker")?;
    for what in stuck {
        say(&format!("lifeboot: left open: {what}"));
    }
    Ok(match ended {
        supervise::Ended::Exited(code) => Outcome::Worker(code),
        supervise::Ended::Killed(signal) => Outcome::Interrupted(signal),
    })
}

/// Writes to standard output; a reader that has gone away is no error.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("writing to standard output")
        }
        _ => Ok(()),
    }
}

/// Writes a value as JSON to standard output.
pub(crate) fn print_json(value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).context("writing JSON")?;
    print(&(text + "\n"))
}

/// A line of progress, to standard error.
pub(crate) fn say(line: &str) {
    session::note(line);
    let _ = writeln!(io::stderr(), "{}", wrapped(line));
}

/// A message for a console of 80 columns, with nothing in it that a terminal
/// obeys: names in it come from the patient.
pub fn wrapped(text: &str) -> String {
    let mut page = Page::default();
    for line in text.lines() {
        page.line(line);
    }
    page.finish().trim_end().to_owned()
}

/// True when somebody is there to be asked.
pub(crate) fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}
