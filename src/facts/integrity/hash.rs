//! Reads files and compares their digests with what packages say: with all
//! processors, in the order in which the files lie on the disk.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use nix::errno::Errno;

use super::cut_off::CutOff;
use super::digest::{Digest, Digests, Hasher};
use super::look::errno;
use super::owned::{Owned, split};
use crate::sys::root_dir::{Directory, Meta, RootDir};

/// Bytes that are read at once.
const PIECE_BYTES: usize = 256 * 1024;

/// Files that a worker takes at once.
const FILES_AT_ONCE: usize = 16;

/// Files as large as this come first, so that no worker is left alone with one
/// at the end.
const LARGE_BYTES: u64 = 8 << 20;

/// Told from time to time: bytes that are done, and all of them.
pub type Told<'t> = dyn FnMut(u64, u64) + Send + 't;

/// A file to be read, and the claim that tells its path.
#[derive(Debug, Clone, Copy)]
pub(super) struct Job {
    pub(super) claim: usize,
    pub(super) meta: Meta,
}

impl Job {
    /// What makes two names the same file.
    pub(super) fn id(&self) -> (u64, u64) {
        (self.meta.dev, self.meta.ino)
    }
}

/// What reading a file gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Holds {
    /// The digests of all that it holds.
    pub(super) sums: Digests,
    /// How it seems to have been cut off.
    pub(super) cut_off: Option<CutOff>,
}

/// What reading gave, for each job that is not what its claim says.
pub(super) type Different = Vec<(Job, Result<Holds, Errno>)>;

/// Reads the files of `jobs`; those with several claims come once for each.
pub(super) fn compare(
    root: &RootDir,
    owned: &Owned,
    mut jobs: Vec<Job>,
    expected: &(dyn Fn(usize) -> Option<Digest> + Sync),
    told: &mut Told<'_>,
) -> Different {
    jobs.sort_unstable_by_key(|job| {
        let large = job.meta.size >= LARGE_BYTES;
        (!large, job.meta.dev, job.meta.ino, job.claim)
    });
    let files: Vec<&[Job]> = jobs
        .chunk_by(|a, b| (a.meta.dev, a.meta.ino) == (b.meta.dev, b.meta.ino))
        .collect();
    let all: u64 = files.iter().map(|file| file[0].meta.size).sum();
    let work = Work {
        root,
        owned,
        files: &files,
        expected,
        next: AtomicUsize::new(0),
        done: AtomicU64::new(0),
        different: Mutex::default(),
    };
    let workers = rayon::current_num_threads().max(1);
    std::thread::scope(|scope| {
        for _ in 1..workers {
            scope.spawn(|| work.run(&mut |_| {}));
        }
        work.run(&mut |done| told(done, all));
    });
    let mut different = work
        .different
        .into_inner()
        .unwrap_or_else(PoisonError::into_inner);
    different.sort_unstable_by_key(|(job, _)| job.claim);
    different
}

struct Work<'w> {
    root: &'w RootDir,
    owned: &'w Owned,
    files: &'w [&'w [Job]],
    expected: &'w (dyn Fn(usize) -> Option<Digest> + Sync),
    next: AtomicUsize,
    done: AtomicU64,
    different: Mutex<Different>,
}

impl Work<'_> {
    fn run(&self, told: &mut dyn FnMut(u64)) {
        let mut piece = vec![0; PIECE_BYTES];
        let mut place = Place::default();
        loop {
            let from = self.next.fetch_add(FILES_AT_ONCE, Ordering::Relaxed);
            let Some(files) = self.files.get(from..) else {
                return;
            };
            if files.is_empty() {
                return;
            }
            for file in files.iter().take(FILES_AT_ONCE) {
                self.file(file, &mut place, &mut piece, told);
            }
            told(self.done.load(Ordering::Relaxed));
        }
    }

    fn file(&self, jobs: &[Job], place: &mut Place, piece: &mut [u8], told: &mut dyn FnMut(u64)) {
        let Some(first) = jobs.first() else { return };
        let (directory, name) = split(self.owned.path(first.claim));
        let opened = place.open(self.root, directory, name);
        let mut read = opened.and_then(|file| {
            let wanted = jobs.iter().filter_map(|job| (self.expected)(job.claim));
            let hasher = Hasher::of(wanted);
            let sums = digest(&file, first.meta.size, hasher, piece, &mut |bytes| {
                let before = self.done.fetch_add(bytes, Ordering::Relaxed);
                told(before + bytes);
            })?;
            Ok((sums, file))
        });
        let differs = |job: &&Job| match (&read, (self.expected)(job.claim)) {
            (Ok((sums, _)), Some(expected)) => !sums.has(&expected),
            (Ok(_), None) => false,
            (Err(_), _) => true,
        };
        let differing: Vec<Job> = jobs.iter().filter(differs).copied().collect();
        if differing.is_empty() {
            return;
        }
        let read = match &mut read {
            Ok((sums, file)) => Ok(Holds {
                sums: *sums,
                cut_off: CutOff::of(file, first.meta.size),
            }),
            Err(error) => Err(errno(error)),
        };
        let mut all = self
            .different
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        all.extend(differing.into_iter().map(|job| (job, read)));
    }
}

/// The directory of the last file: the next one often lies beside it.
#[derive(Default)]
struct Place(Option<(PathBuf, Directory)>);

impl Place {
    fn open(&mut self, root: &RootDir, directory: &Path, name: &OsStr) -> io::Result<File> {
        let is_here = |(path, _): &(PathBuf, Directory)| path.as_os_str() == directory.as_os_str();
        if !self.0.as_ref().is_some_and(is_here) {
            self.0 = Some((directory.to_owned(), root.directory_behind(directory)?));
        }
        match &self.0 {
            Some((_, directory)) => directory.open_file(name).map(|(file, _)| file),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// The digests of a file, which had `size` bytes when it was looked at.
fn digest(
    mut file: &File,
    size: u64,
    mut hasher: Hasher,
    piece: &mut [u8],
    told: &mut dyn FnMut(u64),
) -> io::Result<Digests> {
    let mut read = 0;
    loop {
        let count = match file.read(piece) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        hasher.update(&piece[..count]);
        read += count as u64;
        told(count as u64);
        // The end is known; asking once more would only cost time.
        if count == 0 || read == size {
            return Ok(hasher.finish());
        }
    }
}

/// Whether what a path leads to, a link at its end followed, has this digest.
pub(super) fn behind(root: &RootDir, path: &[u8], wanted: Digest) -> io::Result<bool> {
    use std::os::unix::ffi::OsStrExt;
    let file = root.open_file(Path::new(OsStr::from_bytes(path)))?;
    let size = file.metadata()?.len();
    let hasher = Hasher::of(std::iter::once(wanted));
    let sums = digest(&file, size, hasher, &mut vec![0; PIECE_BYTES], &mut |_| {})?;
    Ok(sums.has(&wanted))
}

/// The bytes at `offset`, as far as there are any.
pub(super) fn bytes_at(file: &File, offset: u64, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    let read = file.read_at(&mut bytes, offset).unwrap_or(0);
    bytes.truncate(read);
    bytes
}
