//! The fence: system calls, ioctls, mounts and raw writes, behind safe types.
//!
//! Everything that is `unsafe` or changes something outside this process lives
//! below this module. Functions that change the patient take a
//! [`consent::WriteToken`].

pub mod boot_area;
pub mod consent;
pub mod contained;
pub mod copy_folder;
pub mod diary;
pub mod direct;
pub mod dm;
pub mod durable;
mod early;
pub mod exact;
pub mod failpoint;
pub mod fiemap;
pub mod image_lock;
pub mod inside;
pub mod interrupt;
pub mod kernel_log;
pub mod kernel_module;
pub mod leftovers;
pub mod loopdev;
pub mod machine;
pub mod md;
pub mod memory_overlay;
pub mod mount;
pub mod node;
pub mod nvme;
pub mod process;
pub mod pstore;
pub mod retry;
pub mod root_dir;
pub mod scsi;
pub mod shell;
pub mod supervise;
pub mod tty;
pub mod uevent;
pub mod whole_file;
pub mod write_root;
pub mod xattr;
