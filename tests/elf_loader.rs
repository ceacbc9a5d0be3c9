//! The loader's answer, compared with the real loader's: on this machine's own
//! programs, and on fixtures that the C compiler makes for each rule.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

#[path = "elf/fixture.rs"]
mod fixture;
#[path = "elf/hostile.rs"]
mod hostile;
#[path = "elf/machine.rs"]
mod machine;
#[path = "elf/musl.rs"]
mod musl;
#[path = "elf/rules.rs"]
mod rules;
#[path = "elf/start.rs"]
mod start;
#[path = "elf/symbols.rs"]
mod symbols;
#[path = "elf/told.rs"]
mod told;
