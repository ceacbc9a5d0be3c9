//! Salvage: what makes a machine this one and not a fresh one is saved before
//! a reformat, and compared with the new machine after it.
//!
//! Reading order: `rules` (every list), `record` (the lines of the manifest),
//! `collect` (the walk), `shelf` with `packed` and `folder` (where it is put),
//! `read`, `verify`. `docs/salvage.md` tells the format.

mod accounts;
mod acl;
mod collect;
mod defaults;
mod folder;
mod manifest;
mod packed;
mod read;
pub mod record;
pub mod rules;
mod sealed;
mod shelf;
mod take;
pub mod verify;
mod walk;

pub use collect::{Options, Summary, collect};
pub use folder::Folder;
pub use packed::{Packed, Target};
pub use read::{Salvaged, open};
pub use sealed::{Recipient, Sealed, recipients};
pub use shelf::{Shelf, TOP};
