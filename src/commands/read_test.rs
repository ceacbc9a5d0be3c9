//! `lifeboot survey --read-test`: the test, and how far it is.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::progress::Progress;
use crate::cli::ReadTestMode;
use crate::survey::Survey;
use crate::survey::read_test::{Mode, ReadTest, Running};
use crate::sys::interrupt::Interrupts;

/// How often the display is renewed, and how long Ctrl-C waits at most to be
/// noticed.
const TICK: Duration = Duration::from_millis(200);

/// How long a read that does not come back is waited for after Ctrl-C.
const GRACE: Duration = Duration::from_secs(5);

/// Reads the disks of `survey`. Ctrl-C ends it with what was seen so far.
pub(super) fn run(survey: &Survey, mode: ReadTestMode) -> Result<ReadTest> {
    let mode = match mode {
        ReadTestMode::Sample => Mode::Sample,
        ReadTestMode::Full => Mode::Full,
    };
    let interrupts = Interrupts::listen().context("listening for Ctrl-C")?;
    let mut running = Running::start(&survey.disks, mode);
    let mut progress = Progress::of("read test");
    show(&mut progress, running.test());
    let mut stopped = None;
    while running.wait(TICK) {
        show(&mut progress, running.test());
        if stopped.is_none() && interrupts.heard() {
            running.stop();
            stopped = Some(Instant::now());
        }
        if stopped.is_some_and(|since: Instant| since.elapsed() > GRACE) {
            break;
        }
    }
    drop(progress);
    Ok(running.test().clone())
}

fn show(progress: &mut Progress, test: &ReadTest) {
    let (done, total) = test.progress();
    let errors: usize = test.disks.iter().map(|disk| disk.errors.len()).sum();
    let note = match errors {
        0 => String::new(),
        errors => format!("{errors} bad places"),
    };
    progress.show(done, total, &note);
}
