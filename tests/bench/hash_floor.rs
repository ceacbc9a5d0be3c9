//! The least that a verification can take: reads and hashes the files of a
//! list, by all processors, and does nothing else. `scripts/bench-verify` sets
//! Lifeboot beside it; the digest and the size of a read are Lifeboot's own.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::fs::File;
use std::io::Read;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use md5::{Digest, Md5};

fn main() {
    let list = std::fs::read_to_string(std::env::args().nth(1).unwrap()).unwrap();
    let files: Vec<&str> = list.lines().collect();
    let (next, bytes) = (AtomicUsize::new(0), AtomicU64::new(0));
    let workers = std::thread::available_parallelism().unwrap().get();
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                let mut piece = vec![0; 256 * 1024];
                while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut file = File::open(path).unwrap();
                    let mut md5 = Md5::new();
                    loop {
                        let count = file.read(&mut piece).unwrap();
                        if count == 0 {
                            break;
                        }
                        md5.update(&piece[..count]);
                        bytes.fetch_add(count as u64, Ordering::Relaxed);
                    }
                    std::hint::black_box(md5.finalize());
                }
            });
        }
    });
    println!("{} files, {} bytes", files.len(), bytes.into_inner());
}
