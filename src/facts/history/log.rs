//! Reading a log and its older parts, within limits.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use super::Collected;
use crate::kmod::unpack::{Packing, packing, unpack};
use crate::sys::root_dir::{Kind, RootDir};

/// Bytes of a log that are read, from its end.
pub(super) const TAIL: u64 = 4 << 20;

/// A packed log that is larger than this, or becomes larger, is not read.
const MOST_UNPACKED: u64 = 32 << 20;

/// Files of one log that are read, the newest.
const MOST_FILES: usize = 4;

/// One file of a log.
#[derive(Debug, Clone)]
pub(super) struct Log {
    /// Where it lies.
    pub(super) path: String,
    /// Its modification time.
    pub(super) mtime: i64,
    /// Its text, or the end of it.
    pub(super) text: String,
    /// True when the text begins where the file does.
    pub(super) whole: bool,
}

impl Log {
    /// Its lines, with their numbers where these are known.
    pub(super) fn lines(&self) -> impl Iterator<Item = (Option<u64>, &str)> {
        let whole = self.whole;
        self.text.lines().zip(1..).map(move |(line, number)| {
            let line = line.trim_end_matches('\r');
            (whole.then_some(number), line)
        })
    }
}

/// The files of the log `directory/base`, the oldest first: itself, `base.1`,
/// `base.2.gz`, `base-20261125.xz` and the like. What cannot be read is noted.
pub(super) fn read(
    root: &RootDir,
    directory: &str,
    base: &str,
    holds: &str,
    out: &mut Collected,
) -> Vec<Log> {
    let mut logs = Vec::new();
    for (path, mtime) in files(root, directory, base) {
        match text(root, &path) {
            Ok((text, whole)) => {
                out.source(&path, holds, None);
                logs.push(Log {
                    path,
                    mtime,
                    text,
                    whole,
                });
            }
            Err(error) => out.source(&path, holds, Some(error.to_string())),
        }
    }
    logs
}

/// The newest files of a log that hold anything, the oldest first.
fn files(root: &RootDir, directory: &str, base: &str) -> Vec<(String, i64)> {
    let entries = root.read_dir(directory).unwrap_or_default();
    let mut files: Vec<(String, i64)> = entries
        .iter()
        .filter(|entry| entry.kind != Kind::Directory)
        .filter_map(|entry| {
            let name = entry.name.to_str()?;
            let rest = name.strip_prefix(base)?;
            let older = || {
                let rest = rest.strip_prefix(['.', '-'])?;
                rest.starts_with(|c: char| c.is_ascii_digit()).then_some(())
            };
            if !rest.is_empty() {
                older()?;
            }
            let path = Path::new(directory).join(name);
            let meta = root.metadata(&path).ok()?;
            let path = path.display().to_string();
            (meta.size > 0).then_some((path, meta.mtime))
        })
        .collect();
    files.sort_by(|a, b| a.1.cmp(&b.1).then_with(|| b.0.cmp(&a.0)));
    let surplus = files.len().saturating_sub(MOST_FILES);
    files.split_off(surplus)
}

/// The text of one file, or its end; true when that is all of it.
pub(super) fn text(root: &RootDir, path: &str) -> std::io::Result<(String, bool)> {
    let mut file = root.open_file(path)?;
    let mut start = Vec::new();
    (&mut file).take(6).read_to_end(&mut start)?;
    let packing = packing(&start);
    let (bytes, whole) = if packing == Packing::None {
        let length = file.metadata()?.len();
        let skipped = length.saturating_sub(TAIL);
        file.seek(SeekFrom::Start(skipped))?;
        let mut bytes = Vec::new();
        file.take(TAIL).read_to_end(&mut bytes)?;
        (bytes, skipped == 0)
    } else {
        file.seek(SeekFrom::Start(0))?;
        let packed = std::io::BufReader::new(file.take(MOST_UNPACKED));
        let mut bytes = unpack(packed, packing, MOST_UNPACKED)?;
        let skipped = bytes
            .len()
            .saturating_sub(usize::try_from(TAIL).unwrap_or(usize::MAX));
        (bytes.split_off(skipped), skipped == 0)
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok((text, whole))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;

    use super::*;

    #[test]
    fn older_parts_come_first_and_packed_ones_too() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("dpkg.log"), "now\n").unwrap();
        std::fs::write(at("dpkg.log.1"), "before\n").unwrap();
        std::fs::write(at("dpkg.log-other"), "no\n").unwrap();
        let mut packed = flate2::write::GzEncoder::new(
            std::fs::File::create(at("dpkg.log.2.gz")).unwrap(),
            flate2::Compression::fast(),
        );
        packed.write_all(b"long ago\n").unwrap();
        packed.finish().unwrap();
        std::fs::write(at("dpkg.log.3.gz"), "\x1f\u{8b}rubbish").unwrap();
        std::fs::write(at("dpkg.log.4.gz"), [0x1f, 0x8b, 8, 0, 1]).unwrap();
        for (name, time) in [
            ("dpkg.log.4.gz", 10),
            ("dpkg.log.2.gz", 20),
            ("dpkg.log.1", 30),
            ("dpkg.log", 40),
        ] {
            let file = std::fs::File::options()
                .append(true)
                .open(at(name))
                .unwrap();
            let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(time);
            file.set_modified(time).unwrap();
        }
        std::fs::remove_file(at("dpkg.log.3.gz")).unwrap();
        let root = RootDir::open(dir.path()).unwrap();
        let mut out = Collected::default();
        let logs = read(&root, "/", "dpkg.log", "x", &mut out);
        let texts: Vec<_> = logs.iter().map(|log| log.text.as_str()).collect();
        assert_eq!(texts, ["long ago\n", "before\n", "now\n"]);
        assert_eq!(out.sources.len(), 4);
        assert!(out.sources[0].unreadable.is_some());
        assert_eq!(logs[2].lines().next(), Some((Some(1), "now")));
    }
}
