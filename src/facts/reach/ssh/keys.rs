//! authorized_keys, and whether sshd trusts the way to it.
//!
//! Source: sshd_config(5) `AuthorizedKeysFile`, `StrictModes`; OpenSSH, misc.c
//! (`safe_path`): the file and each directory up to the home must belong to
//! root or to the user, and nobody else may write there.

use super::accounts::{Unsafe, User};
use super::config::Config;
use std::path::Path;

use crate::facts::place::Place;
use crate::sys::root_dir::{Kind, Meta, RootDir};

const LIMIT: u64 = 1 << 20;

/// Files of keys that one user may have.
const FILES_MAX: usize = 16;

/// What sshd makes of the keys of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Keys {
    /// It takes one.
    Good,
    /// There are some, and it takes none.
    Refused(Unsafe),
    /// There are none.
    None,
    /// Only the running system could tell.
    Unclear,
}

/// The keys of `user`.
pub(super) fn of(root: &RootDir, config: &Config, user: &User, strict: bool) -> Keys {
    let named = config.first(&["authorizedkeysfile", "authorizedkeysfile2"]);
    let usual = [".ssh/authorized_keys", ".ssh/authorized_keys2"];
    let files: Vec<&str> = match named {
        Some(line) => line.arguments.iter().map(String::as_str).collect(),
        None => usual.to_vec(),
    };
    let mut answer = Keys::None;
    let files = files.into_iter().filter(|file| *file != "none");
    for file in files.take(FILES_MAX) {
        let Some(path) = path_of(file, user) else {
            return Keys::Unclear;
        };
        match one(root, &path, user, strict) {
            Keys::None => {}
            Keys::Refused(place) => answer = Keys::Refused(place),
            other => return other,
        }
    }
    answer
}

/// The tokens of AuthorizedKeysFile filled in.
fn path_of(file: &str, user: &User) -> Option<String> {
    let mut path = String::new();
    let mut chars = file.chars();
    while let Some(c) = chars.next() {
        match c {
            '%' => match chars.next()? {
                '%' => path.push('%'),
                'h' => path.push_str(&user.home),
                'u' => path.push_str(&user.name),
                'U' => path.push_str(&user.uid.to_string()),
                _ => return None,
            },
            c => path.push(c),
        }
    }
    Some(if path.starts_with('/') {
        path
    } else {
        format!("{}/{path}", user.home)
    })
}

fn one(root: &RootDir, path: &str, user: &User, strict: bool) -> Keys {
    let text = match root.read_text(path, LIMIT) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return match is_elsewhere(root, path, user) {
                true => Keys::Unclear,
                false => Keys::None,
            };
        }
        Err(_) => return Keys::Unclear,
    };
    let mut lines = text.lines().map(str::trim);
    if !lines.any(|line| !line.is_empty() && !line.starts_with('#')) {
        return Keys::None;
    }
    match refused(root, path, user) {
        // Debian's sshd takes a group that has no other member.
        Some(place) if strict && place.mode & 0o002 == 0 && is_own(&place, user) => Keys::Unclear,
        Some(place) if strict => Keys::Refused(place),
        _ => Keys::Good,
    }
}

fn is_own(place: &Unsafe, user: &User) -> bool {
    place.uid == 0 || place.uid == user.uid
}

/// The home is on a filesystem of its own that is not mounted, or a link on the
/// way leads out of what is: the keys may be there when the system runs.
fn is_elsewhere(root: &RootDir, path: &str, user: &User) -> bool {
    let is_home = root
        .metadata(&user.home)
        .is_ok_and(|meta| meta.kind == Kind::Directory);
    let dangles = |path: &Path| {
        let link = root.symlink_metadata(path);
        link.is_ok_and(|meta| meta.kind == Kind::Symlink) && root.metadata(path).is_err()
    };
    let path = Path::new(path);
    !is_home || dangles(path) || path.parent().is_some_and(dangles)
}

/// The first place on the way up that is not trusted.
fn refused(root: &RootDir, path: &str, user: &User) -> Option<Unsafe> {
    let file = root.resolve(path).ok()?.path;
    let home = root.resolve(&user.home).ok().map(|home| home.path);
    let odd = |meta: &Meta| (meta.uid != 0 && meta.uid != user.uid) || meta.mode & 0o022 != 0;
    let mut first: Option<Unsafe> = None;
    for place in file.ancestors() {
        let meta = root.metadata(place).ok()?;
        if odd(&meta) {
            let shown = place.to_string_lossy();
            let first = first.get_or_insert_with(|| Unsafe {
                file: path.to_owned(),
                path: shown.clone().into_owned(),
                uid: meta.uid,
                mode: meta.mode,
                way: Vec::new(),
            });
            first.way.extend(Place::read(root, &shown));
        }
        if home.as_deref() == Some(place) {
            break;
        }
    }
    first
}
