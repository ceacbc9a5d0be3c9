//! Whether a folder of the rescue system lies in the patient's tree.

use std::io;
use std::path::Path;

use nix::fcntl::{self, OFlag};
use nix::sys::stat::{self, Mode};

use super::root_dir::RootDir;

/// Folders within each other that are looked through.
const DEPTH_MAX: usize = 4096;

/// True when `folder` is the root, or lies below it; by any name.
///
/// # Errors
/// The kernel's.
pub fn is_inside(root: &RootDir, folder: &Path) -> io::Result<bool> {
    let top = stat::fstat(root.fd())?;
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut here = fcntl::open(folder, flags, Mode::empty())?;
    let mut last = None;
    for _ in 0..DEPTH_MAX {
        let found = stat::fstat(&here)?;
        let id = (found.st_dev, found.st_ino);
        if id == (top.st_dev, top.st_ino) {
            return Ok(true);
        }
        // The top of everything is above itself.
        if last == Some(id) {
            return Ok(false);
        }
        last = Some(id);
        here = fcntl::openat(&here, "..", flags, Mode::empty())?;
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_link_from_outside_is_seen_through() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir_all(at("root/a/b")).unwrap();
        std::fs::create_dir(at("beside")).unwrap();
        std::os::unix::fs::symlink(at("root/a"), at("link")).unwrap();
        let root = RootDir::open(at("root")).unwrap();
        for (name, expected) in [("root", true), ("root/a/b", true), ("link", true)] {
            assert_eq!(is_inside(&root, &at(name)).unwrap(), expected, "{name}");
        }
        assert!(!is_inside(&root, &at("beside")).unwrap());
        assert!(!is_inside(&root, Path::new("/")).unwrap());
    }
}
