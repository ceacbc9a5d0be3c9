//! Child processes and signals, as PID 1 needs them.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::{Pid, getpid, setpgid, tcsetpgrp};

/// How a process ended, or that it was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It ended with this exit code.
    Exited(i32),
    /// This signal killed it.
    Killed(i32),
    /// It was stopped (Ctrl-Z) and waits to be continued.
    Stopped,
}

/// All signals, blocked and read from a descriptor instead (`signalfd(2)`).
#[derive(Debug)]
pub struct Signals(SignalFd);

impl Signals {
    /// Blocks every signal in this thread and in those it starts.
    pub fn block_all() -> io::Result<Self> {
        let all = SigSet::all();
        sigprocmask(SigmaskHow::SIG_BLOCK, Some(&all), None)?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        Ok(Self(SignalFd::with_flags(&all, flags)?))
    }

    /// Takes the next pending signal, without waiting.
    pub fn next(&self) -> Option<Signal> {
        let info = self.0.read_signal().ok()??;
        Signal::try_from(i32::try_from(info.ssi_signo).ok()?).ok()
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Waits until one of `sources` has something to read (or is at its end) or
/// `milliseconds` have passed; tells for each source whether it is ready.
pub fn wait_readable(sources: &[BorrowedFd<'_>], milliseconds: u16) -> Vec<bool> {
    let mut polls: Vec<PollFd<'_>> = sources
        .iter()
        .map(|source| PollFd::new(*source, PollFlags::POLLIN))
        .collect();
    match poll(&mut polls, PollTimeout::from(milliseconds)) {
        Ok(_) => polls
            .iter()
            .map(|poll| poll.any().unwrap_or(true))
            .collect(),
        // EINTR and the like: nothing is known to be ready.
        Err(_) => vec![false; sources.len()],
    }
}

/// Starts `command` in a process group of its own, which is put into the
/// foreground of the terminal that is the command's standard error, with no
/// signal blocked.
#[allow(unsafe_code)]
pub fn spawn_in_foreground(command: &mut Command) -> io::Result<Pid> {
    // SAFETY: between fork and exec only async-signal-safe calls are made
    // (setpgid, tcsetpgrp, sigprocmask; signal-safety(7)); nothing allocates.
    unsafe {
        command.pre_exec(|| {
            setpgid(Pid::from_raw(0), Pid::from_raw(0))?;
            // Fails where standard error is no terminal; then there is no Ctrl-C.
            let _ = tcsetpgrp(BorrowedFd::borrow_raw(2), getpid());
            sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
            Ok(())
        });
    }
    let child = command.spawn()?;
    let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
    Ok(Pid::from_raw(pid))
}

/// Collects one child that ended or stopped; `None` if there is none now.
pub fn reap() -> Option<(Pid, Change)> {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG | WaitPidFlag::WUNTRACED)) {
            Ok(WaitStatus::Exited(pid, code)) => return Some((pid, Change::Exited(code))),
            Ok(WaitStatus::Signaled(pid, signal, _)) => {
                return Some((pid, Change::Killed(signal as i32)));
            }
            Ok(WaitStatus::Stopped(pid, _)) => return Some((pid, Change::Stopped)),
            Ok(WaitStatus::StillAlive) => return None,
            // A real-time signal that nix has no name for: the child is gone.
            Ok(_) | Err(Errno::EINTR | Errno::EINVAL) => {}
            Err(_) => return None,
        }
    }
}

/// Whether any child is left, dead or alive; none is collected.
pub fn has_children() -> bool {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    waitid(Id::All, flags) != Err(Errno::ECHILD)
}

/// Lets a stopped process group go on.
pub fn continue_group(leader: Pid) {
    let _ = kill(Pid::from_raw(-leader.as_raw()), Signal::SIGCONT);
}

/// Sends `signal` to every process but this one (`kill(2)` with -1). For PID 1
/// only: anywhere else it would end the rescue system's own processes.
pub fn signal_everybody(signal: Signal) {
    if getpid().as_raw() == 1 {
        let _ = kill(Pid::from_raw(-1), signal);
    }
}
