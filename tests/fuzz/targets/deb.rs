//! A binary package: its members, its control file, and everything it brings.
#![no_main]

use std::io::{self, Cursor};

use libfuzzer_sys::fuzz_target;
use lifeboot::facts::packages::deb::Deb;

/// So many bytes of each file are unpacked; the fuzzer has a limit of time.
const FILE_MAX: u64 = 1 << 20;

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut deb) = Deb::open(Cursor::new(bytes), bytes.len() as u64) else {
        return;
    };
    let _ = deb.control();
    let _ = deb.each_control(|_, _| Ok(true));
    let mut files = 0;
    let _ = deb.each_file(|_, content| {
        io::copy(&mut io::Read::take(content, FILE_MAX), &mut io::sink())?;
        files += 1;
        Ok(files < 1000)
    });
});
