//! A root in which every file of dpkg and apt holds hostile bytes: read,
//! judged, and asked about by every check of packages.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use lifeboot::facts::packages::{self, Depth};
use lifeboot::report::packages_text;
use lifeboot::sys::root_dir::RootDir;

/// Between two files.
const CUT: u8 = 0x1e;

/// The files, each with a piece of the bytes.
const FILES: [&str; 17] = [
    "var/lib/dpkg/status",
    "var/log/apt/history.log",
    "var/log/dpkg.log",
    "var/lib/apt/lists/x_debian_dists_trixie_main_binary-amd64_Packages",
    "var/lib/apt/lists/x_debian_dists_trixie_InRelease",
    "etc/apt/sources.list",
    "etc/apt/sources.list.d/x.sources",
    "etc/apt/preferences",
    "etc/apt/apt.conf",
    "usr/lib/os-release",
    "var/lib/dpkg/updates/0000",
    "var/lib/dpkg/status-old",
    "var/backups/dpkg.status.1.gz",
    "var/lib/dpkg/info/libc6:amd64.list",
    "var/lib/dpkg/alternatives/awk",
    "var/lib/apt/extended_states",
    "var/cache/apt/archives/libc6_2.41-12_amd64.deb",
];

static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
    let name = format!("lifeboot-fuzz-{}", std::process::id());
    let root = PathBuf::from("/dev/shm").join(name);
    for file in FILES {
        let path = root.join(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("making the root");
    }
    root
});

fuzz_target!(|bytes: &[u8]| {
    let mut pieces = bytes.split(|byte| *byte == CUT);
    for file in FILES {
        fs::write(ROOT.join(file), pieces.next().unwrap_or_default()).expect("writing a file");
    }
    let root = RootDir::open(&*ROOT).expect("opening the root");
    let (found, _) = packages::collect(&root, Depth::Digests);
    serde_json::to_vec(&found).expect("facts are JSON");
    packages_text::packages(&found);
});
