//! Files made to hurt: nothing may panic, and everything must end.

use std::fs;
use std::time::{Duration, Instant};

use lifeboot::facts::elf::{Loader, Object};
use lifeboot::sys::root_dir::RootDir;

use crate::fixture::Fixture;

/// A small generator (xorshift64), so that a failure can be repeated.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }
}

/// A library with every table that is read, and where its dynamic section and
/// version tables lie.
fn sample(fixture: &Fixture) -> Vec<u8> {
    fixture.write("v.map", "V1 { global: *; };\n");
    let script = "-Wl,--version-script,@/v.map";
    let rpath = "-Wl,-rpath,$ORIGIN/x:@/y";
    fixture.compile(
        "libs.so",
        "#include <stdio.h>\nint f(void){return puts(\"x\");}",
        &["-shared", "-fPIC", "-Wl,-soname,libs.so", script, rpath],
    );
    fs::read(fixture.at("libs.so")).unwrap()
}

fn mutate(good: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    const ODD: [u8; 6] = [0, 1, 0x7f, 0x80, 0xfe, 0xff];
    let mut bytes = good.to_vec();
    for _ in 0..=numbers.below(6) {
        // Most of what matters is at the start and in the data segment.
        let at = match numbers.below(3) {
            0 => numbers.below(0x400.min(good.len())),
            1 => good.len() / 4 * 3 - numbers.below(good.len() / 4),
            _ => numbers.below(good.len()),
        };
        let value = ODD[numbers.below(ODD.len())];
        let length = [1, 1, 2, 4, 8][numbers.below(5)];
        for byte in bytes.iter_mut().skip(at).take(length) {
            *byte = value;
        }
    }
    if numbers.below(8) == 0 {
        bytes.truncate(numbers.below(good.len()));
    }
    bytes
}

#[test]
fn changed_bytes_never_panic_and_always_end() {
    let fixture = Fixture::new();
    let good = sample(&fixture);
    assert!(Object::parse(&good[..]).is_ok());
    let mut numbers = Numbers(0x0005_eed0_f11f_eb07);
    let start = Instant::now();
    let mut sound = 0;
    for _ in 0..20_000 {
        let bytes = mutate(&good, &mut numbers);
        sound += usize::from(Object::parse(&bytes[..]).is_ok());
    }
    assert!(
        sound > 0,
        "every change is refused: the changes are too coarse"
    );
    assert!(start.elapsed() < Duration::from_secs(60));
}

#[test]
fn every_field_of_header_and_dynamic_section_may_be_wrong() {
    let fixture = Fixture::new();
    let good = sample(&fixture);
    for at in 0..good.len().min(0x1000) {
        for value in [0, 1, 0xff, good[at] ^ 0x80] {
            let mut bytes = good.clone();
            bytes[at] = value;
            let _ = Object::parse(&bytes[..]);
        }
    }
}

#[test]
fn a_program_of_changed_libraries_ends() {
    let fixture = Fixture::new();
    let good = sample(&fixture);
    fixture.program("app", &["@/libs.so", "-Wl,-rpath,@"]);
    let mut numbers = Numbers(0xbad5_eed0);
    let root = RootDir::open("/").unwrap();
    for _ in 0..300 {
        fixture.write("libs.so", mutate(&good, &mut numbers));
        let _ = Loader::open(&root).closure(&fixture.at("app"));
    }
}

#[test]
fn headers_that_promise_too_much_are_cheap() {
    let fixture = Fixture::new();
    let good = sample(&fixture);
    // A hole of a terabyte behind a sound header, and segments that claim it.
    let mut bytes = good.clone();
    let segment = 64 + 56;
    bytes[segment..segment + 4].copy_from_slice(&2u32.to_le_bytes());
    bytes[segment + 8..segment + 16].copy_from_slice(&0x1000u64.to_le_bytes());
    bytes[segment + 32..segment + 40].copy_from_slice(&(1u64 << 39).to_le_bytes());
    fixture.write("libs.so", &bytes);
    let file = fs::OpenOptions::new()
        .write(true)
        .open(fixture.at("libs.so"))
        .unwrap();
    if file.set_len(1 << 40).is_err() {
        return; // this filesystem has no such holes
    }
    let start = Instant::now();
    let root = RootDir::open("/").unwrap();
    let _ = Loader::open(&root).library(&fixture.at("libs.so"));
    assert!(start.elapsed() < Duration::from_secs(5));
}
