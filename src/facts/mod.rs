//! Facts: everything the checks may know, collected once.

pub mod elf;
