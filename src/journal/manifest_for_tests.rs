//! For tests: everything that a tree is, so that two can be compared.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use flate2::Compression;
use flate2::write::GzEncoder;
use nix::sys::stat::{Mode, SFlag, UtimensatFlags};
use nix::sys::time::TimeSpec;
use rustix::fs::XattrFlags;
use walkdir::WalkDir;

use super::{Action, Changes, Stock, xattrs};
use crate::sys::root_dir::{Kind, RootDir};
use crate::sys::xattr;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Thing {
    mode: u32,
    owner: (u32, u32),
    size: u64,
    content: u32,
    target: Option<PathBuf>,
    xattrs: Vec<(OsString, Vec<u8>)>,
    /// The first path of the same file.
    linked: PathBuf,
    links: u64,
    device: u64,
    mtime: (i64, i64),
}

pub(super) type Manifest = BTreeMap<PathBuf, Thing>;

/// The whole tree, `/.lifeboot` included.
pub(super) fn whole(root: &Path) -> Manifest {
    let mut first = BTreeMap::new();
    let mut found = Manifest::new();
    for entry in WalkDir::new(root).sort_by_file_name() {
        let entry = entry.unwrap();
        let meta = entry.path().symlink_metadata().unwrap();
        let kind = meta.file_type();
        let inside = entry.path().strip_prefix(root).unwrap().to_owned();
        let linked = first.entry(meta.ino()).or_insert(inside.clone()).clone();
        let content = match kind.is_file() {
            true => crc32fast::hash(&fs::read(entry.path()).unwrap()),
            false => 0,
        };
        let thing = Thing {
            mode: meta.mode(),
            owner: (meta.uid(), meta.gid()),
            size: if kind.is_dir() { 0 } else { meta.size() },
            content,
            target: kind
                .is_symlink()
                .then(|| fs::read_link(entry.path()).unwrap()),
            xattrs: xattrs(entry.path()),
            linked,
            links: meta.nlink(),
            device: if kind.is_char_device() {
                meta.rdev()
            } else {
                0
            },
            mtime: (meta.mtime(), meta.mtime_nsec()),
        };
        found.insert(inside, thing);
    }
    found
}

/// The tree without the journal, and without the times that a commit changes.
pub(super) fn after(root: &Path) -> Manifest {
    let mut tree = whole(root);
    tree.retain(|path, _| {
        path.components()
            .all(|part| part.as_os_str() != ".lifeboot")
    });
    for (path, thing) in &mut tree {
        thing.xattrs.retain(|(name, _)| name != "trusted.lifeboot");
        let kind = SFlag::from_bits_truncate(thing.mode & SFlag::S_IFMT.bits());
        let put = path.ends_with("put") || path.ends_with("copied");
        if put || kind == SFlag::S_IFDIR || kind == SFlag::S_IFLNK {
            thing.mtime = (0, 0);
        }
        if path.as_os_str().is_empty() {
            thing.links = 0;
        }
    }
    tree
}

fn xattrs(path: &Path) -> Vec<(OsString, Vec<u8>)> {
    let mut list = vec![0; 65536];
    let length = rustix::fs::llistxattr(path, &mut list[..]).unwrap_or(0);
    let names = list[..length].split(|&b| b == 0).filter(|n| !n.is_empty());
    let mut all: Vec<_> = names
        .map(|name| {
            let mut value = vec![0; 65536];
            let length = rustix::fs::lgetxattr(path, name, &mut value[..]).unwrap();
            value.truncate(length);
            (OsStr::from_bytes(name).to_owned(), value)
        })
        .collect();
    all.sort();
    all
}

pub(super) fn odd_name() -> OsString {
    OsString::from_vec(b"caf\xe9%2F\n".to_vec())
}

/// A broken little server, with everything that could get lost.
pub(super) fn build(root: &Path) {
    let dirs = [
        "usr/bin",
        "usr/sbin.backup/sub",
        "usr/lib",
        "usr/share",
        "var/log/old",
        "empty",
    ];
    for dir in dirs {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    let write = |path: &str, text: &str, mode: u32| {
        fs::write(root.join(path), text).unwrap();
        fs::set_permissions(root.join(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    write("usr/bin/sh", "shell", 0o755);
    write("usr/bin/landed", "in the wrong place", 0o4755);
    write("usr/sbin.backup/init", "init", 0o755);
    write("usr/sbin.backup/sub/deep", "deep", 0o640);
    write("var/log/syslog", "a line\n", 0o600);
    let packed = fs::File::create(root.join("packed.gz")).unwrap();
    let mut packed = GzEncoder::new(packed, Compression::fast());
    packed.write_all(b"packed").unwrap();
    packed.finish().unwrap();
    fs::write(root.join("usr/lib").join(odd_name()), "odd").unwrap();
    fs::hard_link(root.join("usr/bin/landed"), root.join("usr/share/same")).unwrap();
    symlink("bin", root.join("usr/sbin")).unwrap();
    symlink("usr/lib", root.join("lib")).unwrap();
    nix::unistd::mkfifo(&root.join("var/log/fifo"), Mode::from_bits_truncate(0o622)).unwrap();
    if nix::unistd::geteuid().is_root() {
        let device = nix::sys::stat::makedev(5, 1);
        let mode = Mode::from_bits_truncate(0o600);
        nix::sys::stat::mknod(&root.join("var/log/console"), SFlag::S_IFCHR, mode, device).unwrap();
        std::os::unix::fs::chown(root.join("empty"), Some(7), Some(8)).unwrap();
        std::os::unix::fs::lchown(root.join("usr/sbin"), Some(9), Some(9)).unwrap();
        set_xattr(&root.join("usr/sbin.backup"), "trusted.label", b"sbin");
    }
    fs::set_permissions(root.join("empty"), fs::Permissions::from_mode(0o1751)).unwrap();
    set_xattr(&root.join("usr/share"), "user.old", b"old");
    set_xattr(&root.join("empty"), "user.note", b"nothing\0here");
    set_xattr(&root.join("usr/bin/landed"), "user.caps", b"\x01\x02");
    age(root);
}

pub(super) fn set_xattr(path: &Path, name: &str, value: &[u8]) {
    rustix::fs::lsetxattr(path, name, value, XattrFlags::empty()).unwrap();
}

/// Gives everything its own time in the past.
fn age(root: &Path) {
    let mut second = 1_000_000_000;
    for entry in WalkDir::new(root).contents_first(true).sort_by_file_name() {
        second += 86_477;
        let time = TimeSpec::new(second, second % 999_999_937);
        let path = entry.unwrap().into_path();
        let flag = UtimensatFlags::NoFollowSymlink;
        nix::sys::stat::utimensat(nix::fcntl::AT_FDCWD, &path, &time, &time, flag).unwrap();
    }
}

/// What brings [`build`]'s server back: every kind of action, names that later
/// steps take over, a parent that is a link, one that is new.
pub(super) fn actions() -> Vec<Action> {
    let (uid, root) = (nix::unistd::geteuid(), nix::unistd::geteuid().is_root());
    let rename = |from: &str, to: &str| Action::Rename {
        from: from.into(),
        to: to.into(),
    };
    let away = |path: &str| Action::Quarantine { path: path.into() };
    let link = |path: &str, target: &str| Action::Symlink {
        path: path.into(),
        target: target.into(),
    };
    let odd = odd_name();
    vec![
        rename("/usr/bin/landed", "/usr/sbin.backup/landed"),
        away("/usr/sbin"),
        rename("/usr/sbin.backup", "/usr/sbin"),
        link("/sbin", "usr/sbin"),
        Action::MakeDirectory {
            path: "/lib/new".into(),
            mode: 0o2750,
            uid: nix::unistd::geteuid().as_raw(),
            gid: nix::unistd::getegid().as_raw(),
            xattrs: Vec::new(),
        },
        Action::Rename {
            from: Path::new("/lib").join(&odd),
            to: Path::new("/sbin/sub").join(&odd),
        },
        link("/lib/new/link", "/nowhere/at/all"),
        rename("/usr/sbin/init", "/usr/lib/new/init"),
        Action::PutFile {
            path: "/sbin/put".into(),
            text: "put there\n".into(),
            mode: 0o644,
            uid: nix::unistd::geteuid().as_raw(),
            gid: nix::unistd::getegid().as_raw(),
            xattrs: xattrs::changes(
                &xattr::Xattrs::new(),
                &[("user.put".to_owned(), b"there".to_vec())].into(),
            ),
        },
        Action::Copy {
            path: "/copied".into(),
            source: "/packed.gz".into(),
            size: 6,
            mode: 0o4755,
            uid: nix::unistd::geteuid().as_raw(),
            gid: nix::unistd::getegid().as_raw(),
        },
        Action::RemoveEmptyDirectory {
            path: "/empty".into(),
        },
        away("/var/log"),
        install("/usr/lib/new/tool", Kind::File, None),
        install("/usr/share/tool-too", Kind::File, Some("/usr/lib/new/tool")),
        away("/usr/bin/sh"),
        install("/usr/bin/sh", Kind::Symlink, None),
        install("/usr/share/fifo", Kind::Special, None),
        Action::Attributes {
            path: "/usr/share".into(),
            mode: 0o2711,
            // Another owner, where one may be given.
            uid: if root { 5 } else { uid.as_raw() },
            gid: if root {
                6
            } else {
                nix::unistd::getegid().as_raw()
            },
            xattrs: xattrs::changes(
                &[("user.old".to_owned(), b"old".to_vec())].into(),
                &[("user.new".to_owned(), b"n\0w".to_vec())].into(),
            ),
        },
        attributes("/usr/sbin/sub/deep", 0o4600),
        attributes("/", 0o751),
    ]
}

pub(super) fn attributes(path: &str, mode: u32) -> Action {
    Action::Attributes {
        path: path.into(),
        mode,
        uid: nix::unistd::geteuid().as_raw(),
        gid: nix::unistd::getegid().as_raw(),
        xattrs: Vec::new(),
    }
}

fn install(path: &str, kind: Kind, same_as: Option<&str>) -> Action {
    Action::Install {
        path: path.into(),
        kind,
        size: 0,
        same_as: same_as.map(PathBuf::from),
    }
}

/// What [`actions`] put, as a rehearsal would have made it.
pub(super) fn stock() -> Stock {
    static DIR: OnceLock<tempfile::TempDir> = OnceLock::new();
    let dir = DIR.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        fs::create_dir_all(at("usr/lib/new")).unwrap();
        fs::create_dir_all(at("usr/share")).unwrap();
        let mut text = vec![0; 200_000];
        text[150_000] = 7;
        fs::write(at("usr/lib/new/tool"), text).unwrap();
        fs::set_permissions(at("usr/lib/new/tool"), fs::Permissions::from_mode(0o4751)).unwrap();
        set_xattr(&at("usr/lib/new/tool"), "user.caps", b"\x01");
        fs::hard_link(at("usr/lib/new/tool"), at("usr/share/tool-too")).unwrap();
        fs::create_dir(at("usr/bin")).unwrap();
        symlink("../nowhere", at("usr/bin/sh")).unwrap();
        nix::unistd::mkfifo(&at("usr/share/fifo"), Mode::from_bits_truncate(0o620)).unwrap();
        age(dir.path());
        dir
    });
    Stock(vec![Changes {
        target: "/".into(),
        upper: RootDir::open(dir.path()).unwrap(),
    }])
}
