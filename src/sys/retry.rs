//! Waiting for a condition with a deadline, and trying again while busy.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

/// How often a condition is looked at.
const STEP: Duration = Duration::from_millis(5);

/// Waits until `ready` says yes; false when `limit` passed before.
pub fn until(limit: Duration, mut ready: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    loop {
        if ready() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        thread::sleep(STEP);
    }
}

/// Tries again while the kernel answers that somebody else has it (`EBUSY`).
///
/// # Errors
/// The last one, after two seconds of `EBUSY` or at once for any other.
pub fn while_busy<T>(mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let end = Instant::now() + Duration::from_secs(2);
    loop {
        match attempt() {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy && Instant::now() < end => {
                thread::sleep(STEP);
            }
            answer => return answer,
        }
    }
}
