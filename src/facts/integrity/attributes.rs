//! What a manager other than dpkg records of a file beside its content, against
//! what is there: size, mode, owner, time, target of a link (`rpmfilesVerify` in
//! rpm's lib/rpmfi.c).

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::facts::packages::rpm::package::{flag, state};
use crate::sys::root_dir::{Kind, Meta, RootDir};

/// What is to be compared (`RPMVERIFY_*` in rpm's include/rpm/rpmvf.h).
pub(super) mod verify {
    pub(in super::super) const DIGEST: u32 = 1 << 0;
    pub(in super::super) const SIZE: u32 = 1 << 1;
    pub(in super::super) const LINK: u32 = 1 << 2;
    pub(in super::super) const USER: u32 = 1 << 3;
    pub(in super::super) const GROUP: u32 = 1 << 4;
    pub(in super::super) const MTIME: u32 = 1 << 5;
    pub(in super::super) const MODE: u32 = 1 << 6;
    pub(in super::super) const DEVICE: u32 = 1 << 7;
}

pub(super) const S_IFMT: u32 = 0o170_000;
pub(super) const S_IFREG: u32 = 0o100_000;
pub(super) const S_IFDIR: u32 = 0o040_000;
pub(super) const S_IFLNK: u32 = 0o120_000;
const S_IFCHR: u32 = 0o020_000;
const S_IFBLK: u32 = 0o060_000;

/// What the database says.
#[derive(Debug, Clone, Default)]
pub(super) struct Attributes {
    /// Kind and mode, as in `stat(2)`.
    pub(super) mode: u32,
    pub(super) size: u64,
    pub(super) mtime: i64,
    /// What a link says.
    pub(super) link: Box<[u8]>,
    /// The owner and the group; none when the patient knows none of that name.
    pub(super) uid: Option<u32>,
    pub(super) gid: Option<u32>,
    /// [`flag`]s of rpm.
    pub(super) flags: u32,
    /// What is to be compared.
    pub(super) verify: u32,
    /// rpm's [`state`] of the file.
    pub(super) state: u8,
    /// pacman recorded an MD5 digest.
    pub(super) has_md5: bool,
}

/// What of it is not as recorded: bits of [`verify`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Unlike {
    pub(super) bits: u32,
    /// It could not be read.
    pub(super) is_unreadable: bool,
}

impl Attributes {
    /// True for a file that need not be there.
    pub(super) fn may_be_missing(&self) -> bool {
        self.flags & (flag::GHOST | flag::MISSING_OK) != 0 || self.is_left_out()
    }

    /// True for a file that was never put there.
    pub(super) fn is_left_out(&self) -> bool {
        matches!(self.state, state::NOT_INSTALLED | state::NET_SHARED)
    }

    /// What is compared of what was found. Content is compared elsewhere.
    fn compared(&self, meta: &Meta) -> u32 {
        let mut bits = self.verify;
        match self.state {
            state::NOT_INSTALLED | state::NET_SHARED | state::REPLACED => return 0,
            state::WRONG_COLOR => {
                bits &= !(verify::DIGEST | verify::SIZE | verify::MTIME | verify::DEVICE);
            }
            _ => {}
        }
        bits &= match meta.kind {
            Kind::Symlink => !verify::MODE,
            _ => !verify::LINK,
        };
        if meta.kind != Kind::File {
            bits &= !(verify::DIGEST | verify::SIZE | verify::MTIME);
        }
        if self.flags & flag::GHOST != 0 {
            bits &= !(verify::DIGEST | verify::SIZE | verify::MTIME | verify::LINK);
        }
        bits
    }

    /// True when the content is to be compared.
    pub(super) fn has_content(&self) -> bool {
        let content = Meta {
            kind: Kind::File,
            ..NOTHING
        };
        self.mode & S_IFMT == S_IFREG && self.compared(&content) & verify::DIGEST != 0
    }

    /// True when the size alone tells that it is another file.
    pub(super) fn size_differs(&self, meta: &Meta) -> bool {
        self.compared(meta) & verify::SIZE != 0 && meta.size != self.size
    }

    /// Compares what lies at `path`.
    pub(super) fn compare(&self, root: &RootDir, path: &[u8], meta: &Meta) -> Unlike {
        let place = Path::new(OsStr::from_bytes(path));
        let mut meta = *meta;
        // A directory may be moved, and a link left in its place.
        if self.mode & S_IFMT == S_IFDIR
            && meta.kind == Kind::Symlink
            && let Ok(behind) = root.metadata(place)
        {
            meta = behind;
        }
        let compared = self.compared(&meta);
        let mut bits = 0;
        let mut ask = |bit: u32, differs: &dyn Fn() -> bool| {
            if compared & bit != 0 && differs() {
                bits |= bit;
            }
        };
        ask(verify::SIZE, &|| meta.size != self.size);
        ask(verify::MTIME, &|| meta.mtime != self.mtime);
        ask(verify::USER, &|| self.uid != Some(meta.uid));
        ask(verify::GROUP, &|| self.gid != Some(meta.gid));
        ask(verify::MODE, &|| self.mode_differs(&meta));
        // A file that should be something else has no digest to have.
        ask(verify::DIGEST, &|| self.mode & S_IFMT != S_IFREG);
        ask(verify::DEVICE, &|| {
            self.is_device() && meta.kind != Kind::Special
        });
        ask(verify::LINK, &|| {
            let link = root.read_link(place);
            link.is_ok_and(|link| link.as_os_str().as_bytes() != &*self.link)
        });
        Unlike {
            bits,
            is_unreadable: false,
        }
    }

    fn is_device(&self) -> bool {
        matches!(self.mode & S_IFMT, S_IFCHR | S_IFBLK)
    }

    fn mode_differs(&self, meta: &Meta) -> bool {
        let kind = match meta.kind {
            Kind::File => S_IFREG,
            Kind::Directory => S_IFDIR,
            Kind::Symlink => S_IFLNK,
            // Which kind of special file is not known.
            Kind::Special if self.is_special() => self.mode & S_IFMT,
            Kind::Special => 0,
        };
        let of_kind = self.flags & flag::GHOST == 0 && kind != self.mode & S_IFMT;
        of_kind || self.mode & 0o7777 != meta.mode
    }

    fn is_special(&self) -> bool {
        !matches!(self.mode & S_IFMT, S_IFREG | S_IFDIR | S_IFLNK)
    }

    /// What is not as recorded of mode, owner and link, in words.
    pub(super) fn words(&self, unlike: Unlike, root: &RootDir, path: &[u8], meta: &Meta) -> String {
        let mut said = Vec::new();
        // A ghost ships no mode, and another kind of file is told as such.
        let is_other = self.mode & S_IFMT == S_IFREG && meta.kind != Kind::File;
        if is_other || self.flags & flag::GHOST != 0 {
            return String::new();
        }
        let name = |id: Option<u32>| id.map_or("an unknown one".to_owned(), |id| id.to_string());
        let shipped = match self.mode & S_IFMT {
            S_IFDIR => Some((Kind::Directory, "a directory")),
            S_IFLNK => Some((Kind::Symlink, "a link")),
            _ => None,
        };
        let other = shipped.filter(|(kind, _)| *kind != meta.kind);
        if unlike.bits & verify::MODE == 0 {
            // The same mode is of the same kind.
        } else if let Some((_, word)) = other {
            said.push(format!("no longer {word}"));
        } else {
            said.push(format!(
                "mode {:04o}, shipped {:04o}",
                meta.mode,
                self.mode & 0o7777
            ));
        }
        if unlike.bits & verify::USER != 0 {
            said.push(format!("owner {}, shipped {}", meta.uid, name(self.uid)));
        }
        if unlike.bits & verify::GROUP != 0 {
            said.push(format!("group {}, shipped {}", meta.gid, name(self.gid)));
        }
        if unlike.bits & verify::LINK != 0 {
            let link = root.read_link(Path::new(OsStr::from_bytes(path)));
            let link = link.map(|link| link.display().to_string());
            let shipped = String::from_utf8_lossy(&self.link);
            said.push(format!(
                "leads to {}, shipped {shipped}",
                link.unwrap_or_default()
            ));
        }
        said.join("; ")
    }

    /// The line of `rpm -V`, where it prints one.
    pub(super) fn rpm_line(&self, path: &str, unlike: Unlike) -> Option<String> {
        let states = ["", "replaced", "not installed", "net shared", "wrong color"];
        let state = states.get(usize::from(self.state)).unwrap_or(&"");
        if unlike == Unlike::default() && state.is_empty() {
            return None;
        }
        let letters = [
            (verify::SIZE, 'S'),
            (verify::MODE, 'M'),
            (verify::DIGEST, '5'),
            (verify::DEVICE, 'D'),
            (verify::LINK, 'L'),
            (verify::USER, 'U'),
            (verify::GROUP, 'G'),
            (verify::MTIME, 'T'),
        ];
        let letter = |(bit, letter): &(u32, char)| match unlike.bits & bit != 0 {
            _ if *bit == verify::DIGEST && unlike.is_unreadable => '?',
            true => *letter,
            false => '.',
        };
        let letters: String = letters.iter().map(letter).collect();
        // The last place is for capabilities.
        let line = format!("{letters}.  {} {path}", self.letter());
        Some(match state.is_empty() {
            true => line,
            false => format!("{line} ({state})"),
        })
    }

    /// The line of `rpm -V` for a file that is not there.
    pub(super) fn rpm_missing(&self, path: &str, why: Option<&str>) -> Option<String> {
        if self.may_be_missing() {
            return None;
        }
        let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
        Some(format!("missing   {} {path}{why}", self.letter()))
    }

    /// What the file is for (`rpmFFlagsString` in rpm's lib/formats.c).
    fn letter(&self) -> char {
        let letters = [
            (1 << 1, 'd'),
            (1 << 0, 'c'),
            (1 << 5, 's'),
            (1 << 3, 'm'),
            (1 << 4, 'n'),
            (1 << 6, 'g'),
            (1 << 7, 'l'),
            (1 << 8, 'r'),
            (1 << 12, 'a'),
        ];
        let mut found = letters.iter().filter(|(bit, _)| self.flags & bit != 0);
        found.next().map_or(' ', |(_, letter)| *letter)
    }
}

/// No file at all.
const NOTHING: Meta = Meta {
    kind: Kind::File,
    mode: 0,
    uid: 0,
    gid: 0,
    size: 0,
    dev: 0,
    ino: 0,
    links: 0,
    mtime: 0,
    ctime: 0,
};
