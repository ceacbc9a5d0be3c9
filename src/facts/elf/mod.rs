//! The dynamic loader, asked about a root that is not running.
//!
//! [`Loader`] answers what `ld.so` of a root would load for a program, where it
//! would find each library and what it would refuse, from the files alone:
//! nothing of the root is ever executed, and every file in it may be hostile.
//!
//! From the bytes up: [`image`] reads ranges of a file, [`object`] makes one
//! ELF file of them, `files` opens paths of the root once, [`constants`] tells
//! which loader the root has, `search` and `musl` find one library as it does,
//! `closure` loads a whole program, [`symbols`] looks for what it calls, [`loader`]
//! is the door to all of it.

mod closure;
pub mod constants;
pub mod cpu;
pub mod damage;
mod elsewhere;
mod fields;
mod files;
mod given;
pub mod image;
mod judge;
mod known;
pub mod ldcache;
pub mod ldconf;
pub mod loader;
mod musl;
mod names;
pub mod object;
mod preload;
pub mod problem;
mod program;
pub mod scan;
mod script;
mod search;
mod shared;
pub mod surroundings;
pub mod symbols;
mod tokens;
mod versions;
mod walk;

pub use cpu::CpuLevel;
pub use damage::Damage;
pub use loader::Loader;
pub use object::Object;
pub use problem::{Closure, Link, Loaded, Problem};
pub use script::SEARCH_PATH;
pub use surroundings::Surroundings;
pub use symbols::{Missed, SymbolScan, Symbols, Undefined};
