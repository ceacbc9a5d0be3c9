//! Progress lines: what is being done, and how long it took.

use std::io::Write;
use std::time::Instant;

/// Says what begins and, when it ended, how long it took.
pub fn step<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    line(&format!("      ... {what}"));
    let result = work();
    line(&format!("{:6.1} s  {what}", start.elapsed().as_secs_f64()));
    result
}

/// One line for the person who watches; the end of the pipe is no error.
pub fn line(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
