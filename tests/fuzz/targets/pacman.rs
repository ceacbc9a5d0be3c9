//! pacman's lists of files and its configuration, and what is seen of a tiny
//! root whose database holds these bytes.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use lifeboot::facts::integrity;
use lifeboot::facts::packages::mtree;
use lifeboot::sys::root_dir::RootDir;

const PACKAGE: &str = "var/lib/pacman/local/a-1-1";

/// A tree in memory with one package.
static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
    let name = format!("lifeboot-fuzz-pacman-{}", std::process::id());
    let root = PathBuf::from("/dev/shm").join(name);
    for directory in [PACKAGE, "etc", "usr/bin"] {
        fs::create_dir_all(root.join(directory)).expect("making the root");
    }
    fs::write(root.join("usr/bin/su"), "").expect("writing a file");
    let desc = "%NAME%\na\n\n%VERSION%\n1-1\n\n";
    fs::write(root.join(PACKAGE).join("desc"), desc).expect("writing the package");
    root
});

fuzz_target!(|bytes: &[u8]| {
    mtree::parse(bytes, 1000);
    let package = ROOT.join(PACKAGE);
    // What is not packed is read as it is.
    for name in ["mtree", "files"] {
        fs::write(package.join(name), bytes).expect("writing a file");
    }
    fs::write(ROOT.join("etc/pacman.conf"), bytes).expect("writing the options");
    let root = RootDir::open(&*ROOT).expect("opening the root");
    let answer = integrity::verify(&root, &[], || None, &mut |_, _| {});
    let answer = answer.expect("there is a database");
    serde_json::to_vec(&answer.integrity).expect("facts are JSON");
});
