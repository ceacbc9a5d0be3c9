//! What becomes of one path: decided from what is known of it, without a look
//! at the disk.

use std::path::Path;

use super::record::{Kept, Kind};
use super::rules::{Area, DEFINITION_MAX, FILE_MAX, Rules};

/// What is known of a path before it is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'k> {
    pub(super) path: &'k Path,
    pub(super) kind: Kind,
    pub(super) size: u64,
    pub(super) area: Area,
    pub(super) is_owned: bool,
    /// It lies in /root or is a dot file of a user, and these are asked for.
    pub(super) is_home: bool,
    /// Its mode, its owner or its attributes stand out among packages' files.
    pub(super) stands_out: bool,
}

/// What is decided; a file to be taken still has to be read, and may then turn
/// out to be as shipped, or to hold a private key.
pub(super) fn decide(known: Known<'_>, rules: &Rules, with_secrets: bool) -> Option<Kept> {
    let Known { path, kind, .. } = known;
    let wanted = match known.area {
        Area::Never => return None,
        Area::Configuration => true,
        Area::Added | Area::OwnFiles => !known.is_owned && kind != Kind::Directory,
        Area::Definition => known.size <= DEFINITION_MAX,
        Area::System => false,
        Area::Data => known.is_home,
    };
    if !wanted {
        return match known.area {
            // Directories that packages do not know hold what is taken.
            Area::Added if !known.is_owned => Some(Kept::Taken),
            Area::Added | Area::OwnFiles | Area::System => {
                (known.is_owned && known.stands_out).then_some(Kept::Standing)
            }
            _ if rules.is_of_the_disks(path) => Some(Kept::Reference),
            _ => Some(Kept::Data),
        };
    }
    Some(match kind {
        Kind::Directory | Kind::Link => Kept::Taken,
        Kind::File if rules.is_generated(path) => Kept::Generated,
        Kind::File if rules.is_of_the_disks(path) => Kept::Reference,
        Kind::File if !with_secrets && rules.is_secret(path) => Kept::Secret,
        Kind::File if known.size > FILE_MAX => Kept::TooLarge,
        Kind::File => Kept::Taken,
        // A device or a FIFO is noted, and made by whoever needs it.
        _ => Kept::Data,
    })
}

/// True for what packages rarely ship: more rights, other owners.
pub(super) fn stands_out(kind: Kind, mode: u32, ids: [u32; 2], has_attributes: bool) -> bool {
    let usual = match kind {
        Kind::Directory => mode == 0o755,
        Kind::File => matches!(mode, 0o644 | 0o755),
        Kind::Link => true,
        _ => false,
    };
    !usual || ids != [0, 0] || has_attributes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::salvage::rules::area;

    fn kept(path: &str, is_owned: bool, with_secrets: bool) -> Option<Kept> {
        let path = Path::new(path);
        let known = Known {
            path,
            kind: Kind::File,
            size: 10,
            area: area(path, true),
            is_owned,
            is_home: path.starts_with("/root"),
            stands_out: path.ends_with("sudo"),
        };
        decide(known, &Rules::default(), with_secrets)
    }

    #[test]
    fn each_path_is_taken_noted_or_left() {
        assert_eq!(kept("/etc/x", true, false), Some(Kept::Taken));
        assert_eq!(kept("/etc/fstab", false, false), Some(Kept::Reference));
        assert_eq!(
            kept("/etc/ld.so.cache", false, false),
            Some(Kept::Generated)
        );
        assert_eq!(kept("/etc/shadow", false, false), Some(Kept::Secret));
        assert_eq!(kept("/etc/shadow", false, true), Some(Kept::Taken));
        assert_eq!(kept("/usr/bin/own", false, false), Some(Kept::Taken));
        assert_eq!(kept("/usr/bin/ls", true, false), None);
        assert_eq!(kept("/usr/bin/sudo", true, false), Some(Kept::Standing));
        assert_eq!(kept("/usr/share/cache", false, false), None);
        assert_eq!(kept("/srv/data", false, false), Some(Kept::Data));
        assert_eq!(kept("/root/notes", false, false), Some(Kept::Taken));
        assert_eq!(
            kept("/var/lib/dpkg/status", false, false),
            Some(Kept::Reference)
        );
    }

    #[test]
    fn what_stands_out_among_files_of_packages() {
        assert!(!stands_out(Kind::File, 0o755, [0, 0], false));
        assert!(stands_out(Kind::File, 0o4755, [0, 0], false));
        assert!(stands_out(Kind::Directory, 0o755, [0, 42], false));
        assert!(stands_out(Kind::File, 0o644, [0, 0], true));
    }
}
