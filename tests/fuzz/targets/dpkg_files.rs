//! dpkg's lists, checksums, configuration files, diversions, overridden modes
//! and maintainer scripts, the accounts, apt's configuration, and what is seen
//! of a tiny root whose database holds these bytes.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use lifeboot::facts::integrity;
use lifeboot::facts::packages::dpkg_files::excludes::Excludes;
use lifeboot::facts::packages::dpkg_files::statoverride;
use lifeboot::sys::root_dir::RootDir;

/// A tree in memory with one package.
static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
    let name = format!("lifeboot-fuzz-dpkg-{}", std::process::id());
    let root = PathBuf::from("/dev/shm").join(name);
    for directory in ["var/lib/dpkg/info", "etc/apt", "usr/bin"] {
        fs::create_dir_all(root.join(directory)).expect("making the root");
    }
    fs::write(root.join("usr/bin/su"), "").expect("writing a file");
    root
});

fuzz_target!(|bytes: &[u8]| {
    statoverride::parse(bytes);
    Excludes::default().add(&String::from_utf8_lossy(bytes));
    let dpkg = ROOT.join("var/lib/dpkg");
    let mut status = b"Package: a\nStatus: install ok installed\nVersion: 1\n".to_vec();
    status.extend(bytes);
    fs::write(dpkg.join("status"), status).expect("writing the status");
    for name in ["info/a.list", "info/a.md5sums", "info/a.postinst", "diversions", "statoverride"] {
        fs::write(dpkg.join(name), bytes).expect("writing a file");
    }
    for name in ["passwd", "group", "apt/apt.conf"] {
        fs::write(ROOT.join("etc").join(name), bytes).expect("writing a file");
    }
    let root = RootDir::open(&*ROOT).expect("opening the root");
    let answer = integrity::verify(&root, &[], || None, &mut |_, _| {});
    let answer = answer.expect("there is a database");
    serde_json::to_vec(&answer.integrity).expect("facts are JSON");
});
