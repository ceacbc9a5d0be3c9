//! Collecting what dies, and listening to signals, while something is waited for.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::sys::machine::Leave;
use crate::sys::process::{self, Change, Signals, wait_readable};

/// The longest single wait; children are collected at least this often.
const LOOK_MILLISECONDS: u16 = 60_000;

/// As above when signals cannot be received (`signalfd(2)` failed).
const BLIND_LOOK_MILLISECONDS: u16 = 200;

/// PID 1's one loop. Whoever waits may be told to leave instead.
#[derive(Debug)]
pub struct Supervisor {
    signals: Option<Signals>,
}

impl Supervisor {
    /// Blocks all signals; from now on they are only seen here.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self {
            signals: Signals::block_all().ok(),
        }
    }

    /// Waits until the child `pid` has ended. A child that stops itself (Ctrl-Z)
    /// is told to go on: there is no shell here that could do so later.
    pub fn wait_for_child(&self, pid: Pid) -> Result<Change, Leave> {
        loop {
            while let Some((who, change)) = process::reap() {
                match change {
                    Change::Stopped if who == pid => process::continue_group(pid),
                    Change::Stopped => {}
                    ended if who == pid => return Ok(ended),
                    _ => {}
                }
            }
            self.listen(None, LOOK_MILLISECONDS)?;
        }
    }

    /// Waits until `source` has input or `milliseconds` have passed (false).
    pub fn wait_for_input(&self, source: BorrowedFd<'_>, milliseconds: u16) -> Result<bool, Leave> {
        let deadline = Instant::now() + Duration::from_millis(milliseconds.into());
        loop {
            while process::reap().is_some() {}
            let left = deadline.saturating_duration_since(Instant::now());
            let left = u16::try_from(left.as_millis()).unwrap_or(milliseconds);
            if self.listen(Some(source), left)? {
                return Ok(true);
            }
            if left == 0 {
                return Ok(false);
            }
        }
    }

    /// Waits for `milliseconds`, listening to signals only.
    pub fn pause(&self, milliseconds: u16) -> Result<(), Leave> {
        let deadline = Instant::now() + Duration::from_millis(milliseconds.into());
        while Instant::now() < deadline {
            while process::reap().is_some() {}
            let left = deadline.saturating_duration_since(Instant::now());
            self.listen(
                None,
                u16::try_from(left.as_millis()).unwrap_or(milliseconds),
            )?;
        }
        Ok(())
    }

    /// Waits until no child is left; false if some still are at the deadline.
    pub fn wait_for_all(&self, deadline: Duration) -> bool {
        let start = Instant::now();
        while start.elapsed() < deadline {
            while process::reap().is_some() {}
            if !process::has_children() {
                return true;
            }
            // Already leaving: another request to leave changes nothing.
            let _ = self.listen(None, BLIND_LOOK_MILLISECONDS);
        }
        false
    }

    /// The last resort: collect and wait, nothing else.
    pub fn idle(&self) {
        while process::reap().is_some() {}
        let _ = self.listen(None, LOOK_MILLISECONDS);
    }

    /// One wait. True if `source` is ready.
    fn listen(&self, source: Option<BorrowedFd<'_>>, milliseconds: u16) -> Result<bool, Leave> {
        let Some(signals) = &self.signals else {
            let ready = wait_readable(source.as_slice(), milliseconds.min(BLIND_LOOK_MILLISECONDS));
            return Ok(ready.first() == Some(&true));
        };
        let mut sources = vec![signals.as_fd()];
        sources.extend(source);
        let ready = wait_readable(&sources, milliseconds);
        while let Some(signal) = signals.next() {
            if let Some(leave) = request(signal) {
                return Err(leave);
            }
        }
        Ok(ready.get(1) == Some(&true))
    }
}

/// What a signal to PID 1 asks for: Ctrl-Alt-Del arrives as SIGINT, the others
/// are those that busybox's `reboot`, `poweroff` and `halt` send.
fn request(signal: Signal) -> Option<Leave> {
    match signal {
        Signal::SIGINT | Signal::SIGTERM => Some(Leave::Reboot),
        Signal::SIGUSR1 => Some(Leave::Halt),
        Signal::SIGUSR2 => Some(Leave::PowerOff),
        _ => None,
    }
}
