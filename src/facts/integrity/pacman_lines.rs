//! What `pacman -Qkk` prints (`check_pkg_full` in its src/pacman/check.c).

use std::collections::HashMap;

use super::attributes::{Attributes, S_IFDIR, S_IFLNK, S_IFMT, S_IFREG, Unlike, verify};
use super::compare::{Compared, words};
use super::digest::Digest;
use super::owned::Content;
use crate::facts::packages::rpm::package::flag;
use crate::sys::root_dir::{Kind, Meta};

impl Compared {
    /// The lines of `pacman -Qkk`.
    pub(super) fn pacman_lines(&self) -> Vec<String> {
        let unlike: HashMap<usize, Unlike> = self.unlike.iter().copied().collect();
        let mut lines = Vec::new();
        let mut claims = (0..self.owned.claims.len()).peekable();
        for (number, owner) in self.owned.packages.iter().enumerate() {
            let name = &owner.package.name;
            let (mut all, mut altered) = (0, 0);
            let is_ours = |claim: &usize| self.owned.claims[*claim].package as usize == number;
            while let Some(claim) = claims.next_if(is_ours) {
                if owner.has_sums {
                    all += 1;
                    let said = self.pacman_said(claim, unlike.get(&claim), name);
                    altered += usize::from(said.iter().any(|line| !line.starts_with("backup")));
                    lines.extend(said);
                }
            }
            lines.push(match owner.has_sums {
                true => format!(
                    "{name}: {}, {}",
                    total(all),
                    counted(altered, "altered file")
                ),
                false => format!("{name}: no mtree file"),
            });
        }
        lines
    }

    /// What is said of one path.
    fn pacman_said(&self, claim: usize, unlike: Option<&Unlike>, name: &str) -> Vec<String> {
        let path = self.owned.shown(claim);
        let warning = |what: &str| format!("warning: {name}: {path} ({what})");
        let Some(known) = self.owned.attributes(claim) else {
            return Vec::new();
        };
        let meta = match &self.seen[claim] {
            Ok(meta) => meta,
            Err(errno) if known.flags & flag::MISSING_OK == 0 => {
                return vec![warning(&words(*errno))];
            }
            Err(_) => return Vec::new(),
        };
        match is_of_type(known, meta) {
            Some(true) => {}
            Some(false) => return vec![warning("File type mismatch")],
            None => return Vec::new(),
        }
        let content = self.owned.claims[claim].content;
        let is_backup = known.flags & flag::CONFIG != 0;
        let mut said = Vec::new();
        for (what, may_change) in mismatches(known, meta, unlike, content) {
            said.push(match is_backup && may_change {
                true => format!("backup file: {name}: {path} ({what})"),
                false => warning(&what),
            });
        }
        said
    }
}

/// True when it is of the type that was recorded; none when pacman does not
/// know that type.
fn is_of_type(known: &Attributes, meta: &Meta) -> Option<bool> {
    let kind = match known.mode & S_IFMT {
        S_IFREG => Kind::File,
        S_IFDIR => Kind::Directory,
        S_IFLNK => Kind::Symlink,
        _ => return None,
    };
    Some(kind == meta.kind)
}

/// What is not as recorded, each with whether that is expected of a file that
/// is kept.
fn mismatches(
    known: &Attributes,
    meta: &Meta,
    unlike: Option<&Unlike>,
    content: Content,
) -> Vec<(String, bool)> {
    let mut said = Vec::new();
    let mut ask = |bit: u32, differs: bool, what: &str, may_change: bool| {
        if known.verify & bit != 0 && differs {
            said.push((format!("{what} mismatch"), may_change));
        }
    };
    let kind = known.mode & S_IFMT;
    let differs = |bit: u32| unlike.is_some_and(|unlike| unlike.bits & bit != 0);
    ask(verify::USER, known.uid != Some(meta.uid), "UID", false);
    ask(verify::GROUP, known.gid != Some(meta.gid), "GID", false);
    let mode = known.mode & 0o7777;
    ask(
        verify::MODE,
        mode != meta.mode & 0o7777,
        "Permissions",
        false,
    );
    ask(verify::LINK, differs(verify::LINK), "Symlink path", false);
    let is_late = kind != S_IFDIR && meta.mtime != known.mtime;
    ask(verify::MTIME, is_late, "Modification time", true);
    let is_other_size = kind == S_IFREG && meta.size != known.size;
    ask(verify::SIZE, is_other_size, "Size", true);
    let is_changed = differs(verify::DIGEST);
    let is_unreadable = unlike.is_some_and(|unlike| unlike.is_unreadable);
    let mut sum = |name: &str| match is_unreadable {
        true => said.push((format!("failed to calculate {name} checksum"), false)),
        false if is_changed => said.push((format!("{name} checksum mismatch"), true)),
        false => {}
    };
    if known.has_md5 && content != Content::Unsaid {
        sum("MD5");
    }
    if matches!(content, Content::Sum(Digest::Sha256(_))) {
        sum("SHA256");
    }
    said
}

fn total(count: usize) -> String {
    counted(count, "total file")
}

fn counted(count: usize, what: &str) -> String {
    let end = if count == 1 { "" } else { "s" };
    format!("{count} {what}{end}")
}
