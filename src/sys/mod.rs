//! The fence: system calls, ioctls, mounts and raw writes, behind safe types.
//!
//! Everything that is `unsafe` or changes something outside this process lives
//! below this module. Functions that change the patient take a
//! [`consent::WriteToken`].

pub mod consent;
pub mod kernel_module;
pub mod machine;
pub mod process;
pub mod root_dir;
pub mod tty;
pub mod uevent;
