//! One disk, piece by piece.

use std::io;

use nix::errno::Errno;

use super::pieces::{PIECE, pieces};
use super::{Mode, News, ReadError};
use crate::survey::Source;
use crate::sys::direct::{AlignedBuffer, DirectFile};

/// Steps in which a bad piece is looked at to name the place.
const STEPS: [u64; 2] = [64 << 10, 4 << 10];

/// Bad pieces after which a disk is left alone: by then the answer is clear.
const MOST_ERRORS: usize = 256;

/// What reads bytes: a disk, or in tests something worse.
pub(super) trait Read {
    /// Reads `length` bytes at `offset`; fewer at the end.
    fn read(&mut self, offset: u64, length: usize) -> io::Result<usize>;
}

/// A disk being read.
#[derive(Debug)]
pub(super) struct Scan<R> {
    reader: R,
    bytes: u64,
}

/// A disk and the memory that its bytes go to.
#[derive(Debug)]
pub(super) struct Device {
    file: DirectFile,
    buffer: AlignedBuffer,
}

impl Read for Device {
    fn read(&mut self, offset: u64, length: usize) -> io::Result<usize> {
        self.file.read(&mut self.buffer, offset, length)
    }
}

impl Scan<Device> {
    /// Opens a disk or an image.
    pub(super) fn open(source: &Source) -> io::Result<Self> {
        Ok(Self {
            reader: Device {
                file: DirectFile::open(&source.path)?,
                buffer: AlignedBuffer::new(1 << 20),
            },
            bytes: source.bytes,
        })
    }
}

impl<R: Read> Scan<R> {
    /// Reads the pieces; true when it came to the end of the disk.
    pub(super) fn run(
        &mut self,
        mode: Mode,
        stopped: &dyn Fn() -> bool,
        tell: &dyn Fn(News) -> bool,
    ) -> bool {
        let mut bad = 0;
        for (offset, length) in pieces(self.bytes, mode) {
            if stopped() {
                return false;
            }
            if let Err((place, error)) = self.piece(offset, length) {
                if is_gone(&error) {
                    tell(News::GivenUp(format!("it is gone: {error}")));
                    return false;
                }
                tell(News::Bad(place));
                bad += 1;
            }
            if !tell(News::Done(length)) {
                return false;
            }
            if bad == MOST_ERRORS {
                tell(News::GivenUp(format!("{bad} bad places are enough")));
                return false;
            }
        }
        true
    }

    /// Reads one piece; the first bad place in it and the kernel's answer.
    fn piece(&mut self, offset: u64, length: u64) -> Result<(), (ReadError, io::Error)> {
        let Err(mut error) = self.stretch(offset, length) else {
            return Ok(());
        };
        let mut place = (offset, length);
        for step in STEPS {
            if is_gone(&error) {
                break;
            }
            match self.first_bad(place, step) {
                Some((found, why)) => (place, error) = (found, why),
                // It could be read the second time: the piece has to do.
                None => break,
            }
        }
        let told = ReadError {
            offset: place.0,
            bytes: place.1,
            why: error.to_string(),
        };
        Err((told, error))
    }

    /// The first part of `step` bytes that cannot be read; what lies behind it
    /// is left alone.
    fn first_bad(
        &mut self,
        (offset, length): (u64, u64),
        step: u64,
    ) -> Option<((u64, u64), io::Error)> {
        let mut at = 0;
        while at < length {
            let part = (offset + at, step.min(length - at));
            if let Err(error) = self.stretch(part.0, part.1) {
                return Some((part, error));
            }
            at += step;
        }
        None
    }

    fn stretch(&mut self, offset: u64, length: u64) -> io::Result<()> {
        let mut done = 0;
        while done < length {
            let left = usize::try_from((length - done).min(PIECE)).map_err(io::Error::other)?;
            match self.reader.read(offset + done, left)? {
                0 => return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it ends here")),
                count => done += count as u64,
            }
        }
        Ok(())
    }
}

/// True when there is no device any more to be asked.
fn is_gone(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::ENXIO | Errno::ENODEV | Errno::ENOMEDIUM))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::cell::RefCell;

    use super::*;

    /// A disk with bad sectors of 512 bytes, which counts its failing reads.
    struct Bad {
        sectors: Vec<u64>,
        errno: Errno,
        failures: usize,
    }

    impl Read for Bad {
        fn read(&mut self, offset: u64, length: usize) -> io::Result<usize> {
            let range = offset..offset + length as u64;
            if self.sectors.iter().any(|n| range.contains(&(n * 512))) {
                self.failures += 1;
                return Err(self.errno.into());
            }
            Ok(length)
        }
    }

    fn scanned(sectors: Vec<u64>, errno: Errno, bytes: u64) -> (Vec<News>, bool, usize) {
        let news = RefCell::new(Vec::new());
        let mut scan = Scan {
            reader: Bad {
                sectors,
                errno,
                failures: 0,
            },
            bytes,
        };
        let ended = scan.run(Mode::Full, &|| false, &|one| {
            news.borrow_mut().push(one);
            true
        });
        (news.into_inner(), ended, scan.reader.failures)
    }

    fn errors(news: &[News]) -> Vec<u64> {
        let error = |news: &News| match news {
            News::Bad(error) => Some(error.offset),
            _ => None,
        };
        news.iter().filter_map(error).collect()
    }

    #[test]
    fn a_bad_sector_is_named_by_its_block_after_three_reads() {
        // The second lies in the same piece and is not looked for.
        let (news, ended, failures) = scanned(vec![5001, 5002, 9001], Errno::EIO, 8 << 20);
        assert_eq!(errors(&news), [5001 / 8 * 4096, 9001 / 8 * 4096]);
        assert_eq!((ended, failures), (true, 6));
        let done = news.iter().map(|news| match news {
            News::Done(bytes) => *bytes,
            _ => 0,
        });
        assert_eq!(done.sum::<u64>(), 8 << 20);
    }

    #[test]
    fn a_disk_that_is_gone_is_left_alone() {
        let (news, ended, failures) = scanned(vec![4096], Errno::ENXIO, 8 << 20);
        assert_eq!((errors(&news), ended, failures), (vec![], false, 1));
        assert!(matches!(news.last().unwrap(), News::GivenUp(why) if why.contains("gone")));
    }

    #[test]
    fn a_disk_with_nothing_but_errors_is_given_up() {
        let all = (0..400 << 11).step_by(8).collect();
        let (news, ended, _) = scanned(all, Errno::EIO, 400 << 20);
        assert_eq!((errors(&news).len(), ended), (MOST_ERRORS, false));
    }

    #[test]
    fn an_image_that_was_cut_off_is_an_error_and_no_endless_loop() {
        let image = tempfile::NamedTempFile::new().unwrap();
        let source = Source {
            path: image.path().to_owned(),
            offset: 0,
            bytes: 8192,
        };
        let mut scan = Scan::open(&source).unwrap();
        let news = RefCell::new(Vec::new());
        scan.run(Mode::Sample, &|| false, &|one| {
            news.borrow_mut().push(one);
            true
        });
        assert_eq!(errors(&news.into_inner()), [0]);
    }
}
