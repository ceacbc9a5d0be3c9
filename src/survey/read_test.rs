//! Reading the disks themselves, to see whether they still can be.
//!
//! Reads go past the page cache. A piece that fails is looked at once more in
//! smaller steps, to name the place; nothing is tried again and again: on a
//! dying disk every read can be the last.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::Disk;

mod pieces;
mod scan;

use scan::Scan;

/// How much is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Pieces of 1 MiB: the first, the last, and 256 evenly spread.
    Sample,
    /// All of it.
    Full,
}

/// A place that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ReadError {
    /// The first byte of it, from the start of the disk. More may be bad
    /// behind it, up to the end of the piece of 1 MiB.
    pub offset: u64,
    /// Bytes that were asked for in the read that failed.
    pub bytes: u64,
    /// The kernel's answer.
    pub why: String,
}

/// One disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DiskRead {
    /// Its name.
    pub disk: String,
    /// Bytes to be read.
    pub planned_bytes: u64,
    /// Bytes looked at, bad pieces counted whole.
    pub done_bytes: u64,
    /// How long that took.
    pub milliseconds: u64,
    /// The bad places, in the order of the disk.
    pub errors: Vec<ReadError>,
    /// Why the rest was not read, by a fault of the disk.
    pub given_up: Option<String>,
    /// Why nothing was read, by no fault of the disk: a lack of permission.
    pub refused: Option<String>,
    /// True when it came to its end.
    pub ended: bool,
}

impl DiskRead {
    /// True when something could not be read.
    pub fn has_errors(&self) -> bool {
        !self.errors.is_empty() || self.given_up.is_some()
    }
}

/// The result, or what is known of it so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ReadTest {
    /// How much was to be read.
    pub mode: Mode,
    /// True when the operator stopped it.
    pub interrupted: bool,
    /// The disks.
    pub disks: Vec<DiskRead>,
}

impl ReadTest {
    /// True when something could not be read.
    pub fn has_errors(&self) -> bool {
        self.disks.iter().any(DiskRead::has_errors)
    }

    /// True when a disk was not looked at: nothing is known of it.
    pub fn is_incomplete(&self) -> bool {
        self.disks.iter().any(|disk| disk.refused.is_some())
    }

    /// Bytes looked at, and bytes to be looked at.
    pub fn progress(&self) -> (u64, u64) {
        let sum = |of: fn(&DiskRead) -> u64| self.disks.iter().map(of).sum();
        (sum(|disk| disk.done_bytes), sum(|disk| disk.planned_bytes))
    }
}

/// What a thread tells about its disk.
#[derive(Debug)]
enum News {
    Done(u64),
    Bad(ReadError),
    GivenUp(String),
    Refused(String),
    Ended,
}

/// A test that runs, each disk in a thread of its own.
#[derive(Debug)]
pub struct Running {
    news: Receiver<(usize, News)>,
    stop: Arc<AtomicBool>,
    started: Instant,
    test: ReadTest,
}

impl Running {
    /// Begins to read `disks`.
    pub fn start(disks: &[Disk], mode: Mode) -> Self {
        let (sender, news) = mpsc::channel();
        let stop = Arc::new(AtomicBool::new(false));
        let mut test = ReadTest {
            mode,
            interrupted: false,
            disks: Vec::new(),
        };
        for (number, disk) in disks.iter().enumerate() {
            test.disks.push(DiskRead {
                disk: disk.name.clone(),
                planned_bytes: pieces::bytes(disk.source.bytes, mode),
                done_bytes: 0,
                milliseconds: 0,
                errors: Vec::new(),
                given_up: None,
                refused: None,
                ended: false,
            });
            begin(number, disk, mode, sender.clone(), stop.clone());
        }
        Self {
            news,
            stop,
            started: Instant::now(),
            test,
        }
    }

    /// Takes in what the threads tell, for at most `limit`; false when all of
    /// them have ended.
    pub fn wait(&mut self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.news.recv_timeout(left) {
                Ok((number, news)) => self.take(number, news),
                Err(RecvTimeoutError::Timeout) => return true,
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
    }

    /// Lets each thread end after the read that it is in.
    pub fn stop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.test.interrupted = true;
    }

    /// What is known by now.
    pub fn test(&self) -> &ReadTest {
        &self.test
    }

    fn take(&mut self, number: usize, news: News) {
        let elapsed = self.started.elapsed().as_millis();
        let Some(disk) = self.test.disks.get_mut(number) else {
            return;
        };
        disk.milliseconds = u64::try_from(elapsed).unwrap_or(u64::MAX);
        match news {
            News::Done(bytes) => disk.done_bytes = disk.done_bytes.saturating_add(bytes),
            News::Bad(error) => disk.errors.push(error),
            News::GivenUp(why) => disk.given_up = Some(why),
            News::Refused(why) => disk.refused = Some(why),
            News::Ended => disk.ended = true,
        }
    }
}

/// Starts the thread of one disk.
fn begin(
    number: usize,
    disk: &Disk,
    mode: Mode,
    sender: Sender<(usize, News)>,
    stop: Arc<AtomicBool>,
) {
    let source = disk.source.clone();
    let failed = sender.clone();
    let thread = std::thread::Builder::new().spawn(move || {
        // Nobody listens any more: the program ends.
        let tell = |news| sender.send((number, news)).is_ok();
        match Scan::open(&source) {
            Ok(mut scan) => {
                if scan.run(mode, &|| stop.load(Ordering::Relaxed), &tell) {
                    tell(News::Ended);
                }
            }
            Err(error) => {
                let why = format!("opening it failed: {error}");
                tell(match error.kind() {
                    io::ErrorKind::PermissionDenied | io::ErrorKind::NotFound => News::Refused(why),
                    _ => News::GivenUp(why),
                });
            }
        }
    });
    if let Err(error) = thread {
        let _ = failed.send((number, News::GivenUp(format!("no thread for it: {error}"))));
    }
}
