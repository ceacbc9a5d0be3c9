//! A worker process, and a parent that outlives it to clean up.
//!
//! The worker opens arrays and mounts. However it ends (Ctrl-C, a dropped
//! line, out of memory), its parent then stops what it left in the kernel.

use std::io::{self, IsTerminal, Write};
use std::process::{Child, Command};

use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::{dm, leftovers, md};

/// Set in the environment of the worker.
const MARK: &str = "LIFEBOOT_WORKER";

/// How the worker ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// With this exit code.
    Exited(u8),
    /// By this signal.
    Killed(u8),
}

/// True in the worker.
pub fn is_worker() -> bool {
    std::env::var_os(MARK).is_some_and(|parent| {
        // Only the mark of the real parent counts: a shell started from a
        // worker hands it down to other programs.
        parent.to_str().and_then(|p| p.parse().ok()) == Some(std::os::unix::process::parent_id())
    })
}

/// What a worker does first: it dies with its parent, and hears signals again.
///
/// # Errors
/// The kernel's.
pub fn become_worker() -> io::Result<()> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGTERM)?;
    listened_to().thread_unblock()?;
    Ok(())
}

fn listened_to() -> SigSet {
    [
        Signal::SIGCHLD,
        Signal::SIGINT,
        Signal::SIGTERM,
        Signal::SIGHUP,
    ]
    .into_iter()
    .collect()
}

/// Runs this program again as a worker with the same arguments, waits for its
/// end and closes what it left open. The second value tells what would not
/// close.
///
/// # Errors
/// The worker cannot be started.
pub fn run_worker() -> io::Result<(Ended, Vec<String>)> {
    let signals = listened_to();
    signals.thread_block()?;
    let child = Command::new("/proc/self/exe")
        .args(std::env::args_os().skip(1))
        .env(MARK, std::process::id().to_string())
        .spawn()?;
    let ended = wait(&child, &signals)?;
    if matches!(ended, Ended::Killed(_)) && io::stderr().is_terminal() {
        // A prompt that was cut off leaves the cursor hidden.
        let _ = io::stderr().write_all(b"\x1b[?25h\n");
    }
    Ok((ended, clean()))
}

fn wait(child: &Child, signals: &SigSet) -> io::Result<Ended> {
    let pid = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
    loop {
        match signals.wait()? {
            Signal::SIGCHLD => match waitpid(pid, Some(WaitPidFlag::WNOHANG))? {
                WaitStatus::Exited(_, code) => {
                    return Ok(Ended::Exited(u8::try_from(code).unwrap_or(1)));
                }
                WaitStatus::Signaled(_, signal, _) => {
                    return Ok(Ended::Killed(u8::try_from(signal as i32).unwrap_or(0)));
                }
                _ => {}
            },
            // A second Ctrl-C from the terminal does no harm.
            signal => {
                let _ = kill(pid, signal);
            }
        }
    }
}

/// Closes what processes that are dead by now have left open; names of what
/// could not be closed, with the reason.
fn clean() -> Vec<String> {
    let mut stuck = Vec::new();
    for left in leftovers::of_the_dead() {
        for (kind, name) in &left.notes {
            if let Err(error) = close(*kind, name) {
                stuck.push(format!("{name}: {error}"));
            }
        }
        let _ = std::fs::remove_file(&left.file);
    }
    stuck
}

/// Only what this program made is ever closed, whatever a note says.
fn close(kind: leftovers::Kind, name: &str) -> io::Result<()> {
    match kind {
        leftovers::Kind::Array if name.starts_with("md_lifeboot") => md::stop(name),
        leftovers::Kind::Mapping if dm::is_ours(name) => dm::remove(name),
        _ => Ok(()),
    }
}

/// Keeps signals away while `work` runs, so that a change is not cut in two by
/// a Ctrl-C; they are heard afterwards.
pub fn uninterrupted<T>(work: impl FnOnce() -> T) -> T {
    let signals = listened_to();
    let blocked = signals.thread_block().is_ok();
    let answer = work();
    if blocked {
        let _ = signals.thread_unblock();
    }
    answer
}
