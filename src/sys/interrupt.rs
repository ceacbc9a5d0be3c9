//! Ctrl-C as a question that can be asked, instead of an end.

use std::io;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// From its making on, the signals that end a program (`SIGINT`, `SIGTERM`,
/// `SIGHUP`) only make [`Interrupts::heard`] tell them. To be made before
/// threads are started: they inherit it.
#[derive(Debug)]
pub struct Interrupts {
    signals: SignalFd,
    set: SigSet,
}

impl Interrupts {
    /// Begins to listen.
    ///
    /// # Errors
    /// The kernel's.
    pub fn listen() -> io::Result<Self> {
        let set: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]
            .into_iter()
            .collect();
        set.thread_block()?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        Ok(Self {
            signals: SignalFd::with_flags(&set, flags)?,
            set,
        })
    }

    /// True when one of the signals came since the last question.
    pub fn heard(&self) -> bool {
        self.signals
            .read_signal()
            .is_ok_and(|found| found.is_some())
    }
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        let _ = self.set.thread_unblock();
    }
}
