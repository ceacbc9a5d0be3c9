//! A stream that knows how far it was read, and can look ahead.

use std::io::{self, BufRead, Read};

/// Bytes that are read at once.
const BUFFER_BYTES: usize = 128 * 1024;

/// Why reading came to a stop.
#[derive(Debug)]
pub(super) enum Stop {
    /// The stream ends in the middle of something.
    Ends,
    /// What it says makes no sense.
    Bad(String),
    /// A limit of Lifeboot's own.
    TooMuch(String),
    /// Reading failed.
    Failed(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Ends,
            _ => Self::Failed(error),
        }
    }
}

/// The stream.
pub(super) struct Source<R> {
    inner: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Bytes taken so far.
    at: u64,
}

impl<R: Read> Source<R> {
    pub(super) fn new(inner: R) -> Self {
        Self {
            inner,
            buffer: vec![0; BUFFER_BYTES],
            start: 0,
            end: 0,
            at: 0,
        }
    }

    /// How many bytes were taken.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// The stream below.
    pub(super) fn inner(&self) -> &R {
        &self.inner
    }

    /// The next bytes, not taken: `count` of them, or fewer at the end.
    pub(super) fn head(&mut self, count: usize) -> io::Result<&[u8]> {
        let count = count.min(self.buffer.len());
        if self.end - self.start < count {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            while self.end < count && self.read_more()? > 0 {}
        }
        let held = self.end - self.start;
        Ok(&self.buffer[self.start..self.start + held.min(count)])
    }

    fn read_more(&mut self) -> io::Result<usize> {
        loop {
            match self.inner.read(&mut self.buffer[self.end..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(count) => {
                    self.end += count;
                    return Ok(count);
                }
            }
        }
    }

    /// The next byte, not taken; none at the end.
    pub(super) fn peek(&mut self) -> io::Result<Option<u8>> {
        Ok(self.fill_buf()?.first().copied())
    }

    /// Takes zero bytes.
    pub(super) fn skip_zeros(&mut self) -> io::Result<()> {
        loop {
            let held = self.fill_buf()?;
            // Whole pieces first: padding may be long.
            let pieces = held.chunks_exact(64).take_while(|piece| **piece == [0; 64]);
            let start = pieces.count() * 64;
            let rest = held[start..].iter().take_while(|byte| **byte == 0);
            let zeros = start + rest.count();
            let all = zeros == held.len();
            self.consume(zeros);
            if zeros == 0 || !all {
                return Ok(());
            }
        }
    }

    /// Takes `count` bytes and shows them piece by piece.
    pub(super) fn pass(&mut self, count: u64, mut show: impl FnMut(&[u8])) -> Result<(), Stop> {
        let mut left = count;
        while left > 0 {
            let held = self.fill_buf()?;
            if held.is_empty() {
                return Err(Stop::Ends);
            }
            let take = usize::try_from(left).unwrap_or(usize::MAX).min(held.len());
            show(&held[..take]);
            self.consume(take);
            left -= take as u64;
        }
        Ok(())
    }

    /// Takes `count` bytes.
    pub(super) fn take_bytes(&mut self, count: usize) -> Result<Vec<u8>, Stop> {
        // Not reserved at once: the stream may be shorter than it says.
        let mut bytes = Vec::with_capacity(count.min(BUFFER_BYTES));
        self.pass(count as u64, |piece| bytes.extend_from_slice(piece))?;
        Ok(bytes)
    }
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let held = self.fill_buf()?;
        let count = held.len().min(into.len());
        into[..count].copy_from_slice(&held[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl<R: Read> BufRead for Source<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
            self.read_more()?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    fn consume(&mut self, count: usize) {
        let count = count.min(self.end - self.start);
        self.start += count;
        self.at += count as u64;
    }
}
