//! Lifeboot: what stops this Linux server from booting, and how to get it back.
//!
//! The modules stand in the order in which data flows; nothing imports from a
//! later one (`tests/fences.rs` keeps it so). `docs/architecture.md` tells the
//! whole story.

// Below the stages: what every one of them may use. The journal stands here
// because it is read with the facts, planned with, and written at the end.
pub mod date;
pub mod kmod;
pub mod outcome;
pub mod sys;

pub mod journal;

// The stages. The empty lines keep rustfmt from sorting them.
pub mod survey;

pub mod assembly;

pub mod sysroot;

pub mod facts;

pub mod finding;

pub mod checks;

pub mod repairs;

pub mod fetch;

pub mod rehearsal;

pub mod verdict;

pub mod salvage;

pub mod report;

// Above the stages.
pub mod cli;
pub mod commands;
pub mod init;
