//! A journal that is open for appending.

use std::fs::File;

use anyhow::{Context, Result};

use super::record::{Record, Story};
use super::store::{self, Place};
use crate::sys::durable;
use crate::sys::write_root::WriteRoot;

/// Room for one short record.
const RECORD_BYTES: usize = 64;

/// Records beside two per step, and a long consent.
const SPARE_RECORDS: usize = 64;

/// Room for all records after the first one.
pub(super) fn short_records(steps: usize) -> usize {
    RECORD_BYTES * (2 * steps + SPARE_RECORDS)
}

/// The file and what it tells, always in step.
#[derive(Debug)]
pub(super) struct Log {
    file: File,
    story: Story,
}

impl Log {
    pub(super) fn new(file: File, story: Story) -> Self {
        Self { file, story }
    }

    /// Opens the journal of a transaction and cuts a torn tail off.
    pub(super) fn open(write: &WriteRoot<'_>, place: &Place) -> Result<Self> {
        let path = place.journal();
        let story = store::load(write.root(), place)?.context("the journal is gone")?;
        let opened = write.open_append(&path);
        let file = opened.with_context(|| format!("opening {}", path.display()))?;
        let log = Self { file, story };
        if log.file.metadata()?.len() != log.story.whole as u64 {
            log.cut()
                .with_context(|| format!("cutting the torn end off {}", path.display()))?;
            // Cutting gives the reserved space back; better to have it again,
            // but appending tells if there is none.
            let room = log.story.whole + short_records(log.story.course.steps);
            let _ = durable::reserve(&log.file, room as u64);
        }
        Ok(log)
    }

    pub(super) fn story(&self) -> &Story {
        &self.story
    }

    /// Appends a record and waits until it is on the disk.
    pub(super) fn append(&mut self, record: &Record) -> Result<()> {
        self.append_all(std::slice::from_ref(record))
    }

    /// Appends records and waits until they are on the disk. Cut off, the first
    /// ones of them may be there.
    pub(super) fn append_all(&mut self, records: &[Record]) -> Result<()> {
        let mut line = Vec::new();
        let mut course = self.story.course;
        for record in records {
            line.extend(record.to_line()?);
            course
                .add(record)
                .context("a record would be out of order in the journal")?;
        }
        if let Err(error) = durable::append(&mut self.file, &line) {
            // Half a line must not stand before the next one.
            let _ = self.cut();
            return Err(error).context("writing the journal");
        }
        self.story.course = course;
        self.story.whole += line.len();
        Ok(())
    }

    fn cut(&self) -> std::io::Result<()> {
        self.file.set_len(self.story.whole as u64)?;
        self.file.sync_all()
    }
}
