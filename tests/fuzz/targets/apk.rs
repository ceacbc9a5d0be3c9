//! apk's list of packages and files, and what is seen of a tiny root with it.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use lifeboot::facts::integrity;
use lifeboot::sys::root_dir::RootDir;

const DATABASE: &str = "lib/apk/db";

/// A tree in memory with one file.
static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
    let name = format!("lifeboot-fuzz-apk-{}", std::process::id());
    let root = PathBuf::from("/dev/shm").join(name);
    for directory in [DATABASE, "bin"] {
        fs::create_dir_all(root.join(directory)).expect("making the root");
    }
    fs::write(root.join("bin/su"), "").expect("writing a file");
    root
});

fuzz_target!(|bytes: &[u8]| {
    fs::write(ROOT.join(DATABASE).join("installed"), bytes).expect("writing the list");
    let root = RootDir::open(&*ROOT).expect("opening the root");
    let answer = integrity::verify(&root, &[], || None, &mut |_, _| {});
    let answer = answer.expect("there is a database");
    serde_json::to_vec(&answer.integrity).expect("facts are JSON");
});
