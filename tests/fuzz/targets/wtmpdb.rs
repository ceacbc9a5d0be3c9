//! A hostile database of SQLite in the place of wtmpdb's, and in its log.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use lifeboot::facts::history::{self, timeline};
use lifeboot::sys::root_dir::RootDir;

const PLACE: &str = "var/lib/wtmpdb";

/// Between a database of SQLite and its log.
const CUT: &[u8] = b"-wal-";

static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
    let name = format!("lifeboot-fuzz-wtmpdb-{}", std::process::id());
    let root = PathBuf::from("/dev/shm").join(name);
    fs::create_dir_all(root.join(PLACE)).expect("making the root");
    root
});

fuzz_target!(|bytes: &[u8]| {
    let cut = bytes.windows(CUT.len()).position(|piece| piece == CUT);
    let (database, log) = match cut {
        Some(at) => (&bytes[..at], &bytes[at + CUT.len()..]),
        None => (bytes, &[][..]),
    };
    let place = ROOT.join(PLACE);
    fs::write(place.join("wtmp.db"), database).expect("writing the database");
    fs::write(place.join("wtmp.db-wal"), log).expect("writing the log");
    let root = RootDir::open(&*ROOT).expect("opening the root");
    let found = history::of(&root);
    timeline::summary(&found);
    serde_json::to_vec(&found).expect("facts are JSON");
});
