//! The dynamic loader, asked about a root that is not running.
//!
//! [`Loader`] answers what `ld.so` of a root would load for a program, where it
//! would find each library and what it would refuse, from the files alone:
//! nothing of the root is ever executed, and every file in it may be hostile.
//!
//! From the bytes up: [`image`] reads ranges of a file, [`object`] makes one
//! ELF file of them, `files` opens paths of the root once, [`constants`] tells
//! which loader the root has, `search` and `musl` find one library as it does,
//! `closure` loads a whole program, [`loader`] is the door to all of it.

mod closure;
pub mod constants;
pub mod cpu;
pub mod damage;
mod elsewhere;
mod fields;
mod files;
pub mod image;
pub mod ldcache;
pub mod ldconf;
pub mod loader;
mod musl;
pub mod object;
mod preload;
pub mod problem;
mod program;
mod script;
mod search;
mod tokens;
mod versions;

pub use cpu::CpuLevel;
pub use damage::Damage;
pub use loader::Loader;
pub use object::Object;
pub use problem::{Closure, Link, Loaded, Problem};
