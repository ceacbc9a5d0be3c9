//! A whole disk of arbitrary bytes: partition tables and everything that is
//! recognised on them.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| lifeboot_fuzz::survey(bytes));
