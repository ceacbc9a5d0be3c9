//! Files that are databases, read piece by piece and never written.

pub mod bytes;
pub mod sqlite;
mod wal;
