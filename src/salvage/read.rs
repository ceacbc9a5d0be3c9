//! A salvage being read again: the lines of its manifest, from an archive or a
//! folder. It may have been cut off, and is not trusted.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

use super::record::{FORMAT, Record};
use super::sealed::MAGIC;
use super::shelf::{MANIFEST, TOP};

/// The most bytes of a line: 64 KiB of attributes in base64, and long paths.
const LINE_MAX: u64 = 1 << 20;

/// The first bytes of a Zstandard frame (RFC 8878, 3.1.1).
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// A salvage, opened.
pub enum Salvaged {
    /// An archive, packed or not.
    Archive(Box<dyn BufRead>),
    /// The pages of a folder, in order.
    Folder(Vec<PathBuf>),
}

/// Opens a salvage: a file, a folder, or `-` for standard input.
///
/// # Errors
/// It cannot be opened, or is none.
pub fn open(path: &Path) -> Result<Salvaged> {
    if path == Path::new("-") {
        return Ok(Salvaged::Archive(Box::new(BufReader::new(io::stdin()))));
    }
    let shown = path.display();
    let found = fs::metadata(path).with_context(|| format!("opening {shown}"))?;
    if !found.is_dir() {
        let file = File::open(path).with_context(|| format!("opening {shown}"))?;
        return Ok(Salvaged::Archive(Box::new(BufReader::new(file))));
    }
    let places = [path.join(TOP).join(MANIFEST), path.join(MANIFEST)];
    let Some(pages) = places.iter().find(|place| place.is_dir()) else {
        bail!("{shown} is no salvage: there is no {TOP}/{MANIFEST} in it");
    };
    let mut names = Vec::new();
    for entry in fs::read_dir(pages).with_context(|| format!("reading {}", pages.display()))? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "jsonl")
        {
            names.push(path);
        }
    }
    names.sort();
    Ok(Salvaged::Folder(names))
}

/// How the reading ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// With the last record.
    Whole,
    /// Before it, and why.
    CutOff(String),
}

impl Salvaged {
    /// Gives every record to `each`, the header first.
    ///
    /// # Errors
    /// It is no salvage, or one of a later format; what `each` says.
    pub fn records(self, each: &mut dyn FnMut(Record) -> Result<()>) -> Result<Ended> {
        let mut lines = Lines {
            each,
            begun: false,
            ended: false,
        };
        let read = match self {
            Self::Folder(pages) => of_folder(&pages, &mut lines),
            Self::Archive(packed) => of_archive(packed, &mut lines),
        };
        let (begun, ended) = (lines.begun, lines.ended);
        match read {
            Err(Stop::Refused(error)) => Err(error),
            Err(Stop::Cut(why)) if !begun => bail!("it is no salvage of Lifeboot's: {why}"),
            Err(Stop::Cut(why)) if !ended => Ok(Ended::CutOff(why)),
            _ if ended => Ok(Ended::Whole),
            _ if begun => Ok(Ended::CutOff("its last record is not there".into())),
            _ => bail!("it is no salvage of Lifeboot's: it has no manifest"),
        }
    }
}

/// Why the reading stopped.
enum Stop {
    /// By whoever uses the records, or by a format that is not known.
    Refused(anyhow::Error),
    /// The rest cannot be read.
    Cut(String),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Cut(error.to_string())
    }
}

struct Lines<'e> {
    each: &'e mut dyn FnMut(Record) -> Result<()>,
    begun: bool,
    ended: bool,
}

impl Lines<'_> {
    fn page(&mut self, page: impl Read) -> Result<(), Stop> {
        let mut page = BufReader::new(page);
        let mut line = Vec::new();
        loop {
            line.clear();
            let count = (&mut page).take(LINE_MAX).read_until(b'\n', &mut line)?;
            if count == 0 {
                return Ok(());
            }
            let record = serde_json::from_slice(&line).map_err(|error| {
                Stop::Cut(format!("a line of its manifest is damaged: {error}"))
            })?;
            self.record(record)?;
        }
    }

    fn record(&mut self, record: Record) -> Result<(), Stop> {
        match &record {
            Record::Salvage(header) if header.format > FORMAT => {
                return Err(Stop::Refused(anyhow::anyhow!(
                    "it was made by Lifeboot {}, whose format this one does not know",
                    header.lifeboot
                )));
            }
            Record::Salvage(_) => self.begun = true,
            _ if !self.begun => return Err(Stop::Cut("it does not begin as one".into())),
            Record::End(_) => self.ended = true,
            _ => {}
        }
        (self.each)(record).map_err(Stop::Refused)
    }
}

fn of_folder(pages: &[PathBuf], lines: &mut Lines<'_>) -> Result<(), Stop> {
    for page in pages {
        lines.page(File::open(page)?)?;
        // Pages of an earlier run, which was longer, may follow.
        if lines.ended {
            break;
        }
    }
    Ok(())
}

fn of_archive(mut packed: Box<dyn BufRead>, lines: &mut Lines<'_>) -> Result<(), Stop> {
    if packed.fill_buf()?.starts_with(MAGIC) {
        return Err(Stop::Refused(anyhow::anyhow!(
            "it is encrypted; type: age -d -i KEY FILE | lifeboot verify -"
        )));
    }
    let plain: Box<dyn Read> = if packed.fill_buf()?.starts_with(&ZSTD) {
        Box::new(Frames::new(packed))
    } else {
        packed
    };
    let mut archive = tar::Archive::new(plain);
    let pages = Path::new(TOP).join(MANIFEST);
    for entry in archive.entries()? {
        let entry = entry?;
        if entry.path()?.starts_with(&pages) {
            lines.page(entry)?;
        }
    }
    Ok(())
}

/// One Zstandard frame after the other, as one stream.
struct Frames {
    source: Option<Box<dyn BufRead>>,
    frame: Option<StreamingDecoder<Box<dyn BufRead>, FrameDecoder>>,
}

impl Frames {
    fn new(source: Box<dyn BufRead>) -> Self {
        Self {
            source: Some(source),
            frame: None,
        }
    }
}

impl Read for Frames {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if let Some(frame) = &mut self.frame {
                match frame.read(buffer)? {
                    0 => self.source = self.frame.take().map(StreamingDecoder::into_inner),
                    count => return Ok(count),
                }
            }
            let Some(mut source) = self.source.take() else {
                return Ok(0);
            };
            if source.fill_buf()?.is_empty() {
                return Ok(0);
            }
            let frame = StreamingDecoder::new(source).map_err(io::Error::other)?;
            self.frame = Some(frame);
        }
    }
}
