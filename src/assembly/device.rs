//! A stretch of a disk as a block device, with a barrier below it when looking.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::survey::Source;
use crate::sys::loopdev::{Access, LoopDevice};
use crate::sys::node;

/// A block device through which a source is read or written, and what keeps
/// it there.
#[derive(Debug)]
pub struct Device {
    path: PathBuf,
    number: (u64, u64),
    barred: bool,
    _view: Option<LoopDevice>,
}

impl Device {
    /// Opens `source`. When looking, a read-only loop device comes between:
    /// nothing above it can write, the kernel's own drivers included.
    ///
    /// # Errors
    /// The kernel's; no loop driver where one is needed.
    pub fn open(source: &Source, sector_bytes: u32, access: Access) -> io::Result<Self> {
        let whole_node = source.offset == 0 && source.is_device();
        // What this program made stands on such views already.
        let direct = whole_node && (access == Access::ReadWrite || source.is_ours());
        if direct {
            return Self::node(&source.path, source.is_ours());
        }
        match source.attach(sector_bytes, access) {
            Ok(view) => Ok(Self {
                path: view.path().to_owned(),
                number: view.number(),
                barred: access == Access::ReadOnly,
                _view: Some(view),
            }),
            // Without a loop driver, what reads it must be asked not to write:
            // an array without metadata, a mount without a journal.
            Err(_) if whole_node && !Path::new("/dev/loop-control").exists() => {
                Self::node(&source.path, false)
            }
            Err(error) => Err(error),
        }
    }

    fn node(path: &Path, barred: bool) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            number: node::device_number(&File::open(path)?)?,
            barred,
            _view: None,
        })
    }

    /// True when a read-only view lies below it, which refuses every write.
    pub fn is_barred(&self) -> bool {
        self.barred
    }

    /// Its node.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Major and minor number.
    pub fn number(&self) -> (u64, u64) {
        self.number
    }
}
