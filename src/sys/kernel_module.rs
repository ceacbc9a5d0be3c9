//! The two calls that insert a kernel module (`finit_module(2)`, `init_module(2)`).

use std::fs::File;

use nix::errno::Errno;
use nix::kmod::{ModuleInitFlags, finit_module, init_module};

/// Inserts the uncompressed module in `file`; the kernel reads it itself.
pub fn insert_file(file: &File) -> Result<(), Errno> {
    finit_module(file, c"", ModuleInitFlags::empty())
}

/// Inserts a module that was read, and unpacked, into memory.
pub fn insert_image(image: &[u8]) -> Result<(), Errno> {
    init_module(image, c"")
}
