//! The fence: system calls, ioctls, mounts and raw writes, behind safe types.
//!
//! Everything that is `unsafe` or changes something outside this process lives
//! below this module. Functions that change the patient take a
//! [`consent::WriteToken`].

pub mod consent;
pub mod durable;
mod early;
pub mod exact;
pub mod failpoint;
pub mod image_lock;
pub mod kernel_module;
pub mod leftovers;
pub mod loopdev;
pub mod machine;
pub mod md;
pub mod mount;
pub mod node;
pub mod process;
pub mod retry;
pub mod root_dir;
pub mod supervise;
pub mod tty;
pub mod uevent;
pub mod write_root;
