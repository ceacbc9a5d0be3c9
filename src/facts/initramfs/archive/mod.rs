//! An initramfs taken apart: archives one after another, each packed or not,
//! as the kernel unpacks them (`init/initramfs.c`, `unpack_to_rootfs`).

use std::io::{self, Read};

use serde::{Deserialize, Serialize};

mod cpio;
mod packing;
mod source;
#[cfg(test)]
mod tests;

use cpio::UNPACKED_BYTES_MAX;
pub use cpio::Unpacked;
pub use packing::Packing;
use packing::{Unpacker, refused_by_kernel};
use source::{Source, Stop};

/// Most segments; real images have up to four.
const SEGMENTS_MAX: usize = 64;

/// One part of the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Segment {
    /// How it is packed.
    pub packing: Packing,
    /// Where it begins in the file.
    pub at: u64,
    /// How many entries it has.
    pub entries: usize,
}

/// What kind of thing is wrong with an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// It ends in the middle.
    Cut,
    /// What is there makes no sense.
    Damaged,
    /// Behind the last archive, which is whole, something follows.
    JunkBehind,
    /// The kernel cannot unpack it, sound as it is.
    Refused,
    /// Larger than Lifeboot looks at, or packed in a way that it cannot unpack.
    NotUnderstood,
    /// The disk, or the kernel, did not give it.
    Unreadable,
}

/// What is wrong with an image, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Fault {
    /// What it is.
    pub kind: FaultKind,
    /// The byte of the file at which it shows.
    pub at: u64,
    /// How many bytes the file has.
    pub of: u64,
    /// In words.
    pub why: String,
}

/// All of an image that could be had.
#[derive(Debug, Default)]
pub struct Taken {
    /// What came out.
    pub content: Unpacked,
    /// Its parts.
    pub segments: Vec<Segment>,
    /// Where it had to stop.
    pub fault: Option<Fault>,
}

/// Unpacks `input`, a file of `bytes` bytes, in memory. Memory and time are
/// bounded whatever the file says.
pub fn unpack(input: impl Read, bytes: u64) -> Taken {
    let mut source = Source::new(input.take(UNPACKED_BYTES_MAX));
    let mut taken = Taken::default();
    let read = match bytes > UNPACKED_BYTES_MAX {
        true => Err((FaultKind::NotUnderstood, too_large())),
        false => segments(&mut source, &mut taken),
    };
    if let Err((kind, why)) = read {
        taken.fault = Some(Fault {
            kind,
            at: source.at(),
            of: bytes,
            why,
        });
    }
    taken
}

fn too_large() -> String {
    format!("it has, or unpacks to, more than {UNPACKED_BYTES_MAX} bytes")
}

type Failure = (FaultKind, String);

fn segments<R: Read>(source: &mut Source<R>, taken: &mut Taken) -> Result<(), Failure> {
    loop {
        source.skip_zeros().map_err(|error| unreadable(&error))?;
        let head = source
            .head(16)
            .map_err(|error| unreadable(&error))?
            .to_vec();
        if head.is_empty() {
            return ended(taken);
        }
        let sound = !taken.segments.is_empty() && taken.content.is_closed();
        let Some(packing) = Packing::of(&head) else {
            return Err(match sound {
                true => (
                    FaultKind::JunkBehind,
                    "something else than an archive follows".into(),
                ),
                false => (FaultKind::Damaged, "no archive begins here".into()),
            });
        };
        if taken.segments.len() >= SEGMENTS_MAX {
            let why = format!("it has more than {SEGMENTS_MAX} parts");
            return Err((FaultKind::NotUnderstood, why));
        }
        let before = taken.content.entries;
        let at = source.at();
        let read = match packing {
            Packing::None => plain(source, &mut taken.content),
            packing => packed(packing, &head, source, &mut taken.content),
        };
        taken.segments.push(Segment {
            packing,
            at,
            entries: taken.content.entries - before,
        });
        read?;
    }
}

fn ended(taken: &Taken) -> Result<(), Failure> {
    if taken.segments.is_empty() {
        return Err((FaultKind::Damaged, "nothing but zero bytes".into()));
    }
    if !taken.content.is_closed() {
        let why = "it ends without the mark that ends an archive (TRAILER!!!)";
        return Err((FaultKind::Cut, why.into()));
    }
    Ok(())
}

fn plain<R: Read>(source: &mut Source<R>, into: &mut Unpacked) -> Result<(), Failure> {
    let before = source.at();
    match cpio::read(source, into) {
        Ok(Some(_)) if source.at() == before => {
            Err((FaultKind::Damaged, "no archive begins here".into()))
        }
        Ok(_) => Ok(()),
        Err(stop) => Err(failure(stop, "an archive", None)),
    }
}

fn packed<R: Read>(
    packing: Packing,
    head: &[u8],
    source: &mut Source<R>,
    into: &mut Unpacked,
) -> Result<(), Failure> {
    let what = format!("its {} stream", packing.word());
    if let Some(why) = refused_by_kernel(packing, head) {
        return Err((FaultKind::Refused, why));
    }
    let mut at_end = false;
    let failed = match Unpacker::new(packing, source) {
        Ok(Some(unpacker)) => inside(unpacker, into, &what).err(),
        Ok(None) => {
            let why = format!(
                "packed with {}, which is not understood here",
                packing.word()
            );
            return Err((FaultKind::NotUnderstood, why));
        }
        Err(error) => Some(failure(error.into(), &what, None)),
    };
    if failed.is_some() {
        at_end = source.peek().is_ok_and(|next| next.is_none());
    }
    match failed {
        // Decoders have many words for "no more input".
        Some((FaultKind::Damaged, why)) if at_end => {
            Err((FaultKind::Cut, format!("{what} is cut off ({why})")))
        }
        Some(failure) => Err(failure),
        None => Ok(()),
    }
}

fn inside<R: Read>(
    unpacker: Unpacker<'_, R>,
    into: &mut Unpacked,
    what: &str,
) -> Result<(), Failure> {
    // Zero bytes between entries cost time as well.
    let room = UNPACKED_BYTES_MAX.saturating_sub(into.streamed);
    let mut stream = Source::new(unpacker.take(room));
    let read = cpio::read(&mut stream, into);
    into.streamed = into.streamed.saturating_add(stream.at());
    if stream.inner().limit() == 0 {
        return Err((FaultKind::NotUnderstood, too_large()));
    }
    let at = Some(stream.at());
    match read {
        Ok(None) => {}
        Ok(Some(_)) => {
            let stop = Stop::Bad("junk within the archive".into());
            return Err(failure(stop, what, at));
        }
        Err(Stop::Ends) if !into.is_closed() => {
            let why = format!("the archive inside {what} ends in the middle of an entry");
            return Err((FaultKind::Cut, why));
        }
        Err(stop) => return Err(failure(stop, what, at)),
    }
    if !into.is_closed() {
        let why = format!("the archive inside {what} ends without TRAILER!!!");
        return Err((FaultKind::Cut, why));
    }
    match stream.inner().get_ref().wrong_at_end() {
        Some(why) => Err((FaultKind::Damaged, format!("{what}: {why}"))),
        None => Ok(()),
    }
}

fn unreadable(error: &io::Error) -> Failure {
    (FaultKind::Unreadable, error.to_string())
}

fn failure(stop: Stop, what: &str, unpacked: Option<u64>) -> Failure {
    let place = unpacked.map_or_else(String::new, |at| format!(" (byte {at} unpacked)"));
    match stop {
        Stop::Ends => (FaultKind::Cut, format!("{what} is cut off")),
        Stop::Bad(why) => (FaultKind::Damaged, format!("{what}: {why}{place}")),
        Stop::TooMuch(why) => (FaultKind::NotUnderstood, why),
        // The kernel's own errors have a number, those of a decoder have none.
        Stop::Failed(error) if error.raw_os_error().is_some() => unreadable(&error),
        Stop::Failed(error) if error.kind() == io::ErrorKind::OutOfMemory => {
            (FaultKind::NotUnderstood, format!("{what}: {error}"))
        }
        Stop::Failed(error) => (FaultKind::Damaged, format!("{what}: {error}{place}")),
    }
}
