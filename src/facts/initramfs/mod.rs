//! The initramfs of a kernel, unpacked in memory and examined as a root.

pub mod archive;
