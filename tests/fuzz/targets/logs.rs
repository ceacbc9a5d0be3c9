//! A root in memory whose logs all hold the same hostile bytes.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use lifeboot::facts::history::{self, timeline};
use lifeboot::report::history_text::{Selection, history as page};
use lifeboot::sys::root_dir::RootDir;

const LOGS: [&str; 12] = [
    "etc/localtime",
    "root/.bash_history",
    "var/log/apt/history.log",
    "var/log/apt/term.log",
    "var/log/auth.log",
    "var/log/dist-upgrade/main.log",
    "var/log/dnf.log",
    "var/log/dnf.rpm.log",
    "var/log/dpkg.log",
    "var/log/pacman.log",
    "var/log/wtmp",
    "var/log/yum.log",
];

static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
    let name = format!("lifeboot-fuzz-{}", std::process::id());
    let root = PathBuf::from("/dev/shm").join(name);
    for log in LOGS {
        let folder = root.join(log);
        fs::create_dir_all(folder.parent().expect("a folder")).expect("making the root");
    }
    root
});

fuzz_target!(|bytes: &[u8]| {
    for log in LOGS {
        fs::write(ROOT.join(log), bytes).expect("writing a log");
    }
    let root = RootDir::open(&*ROOT).expect("opening the root");
    let found = history::of(&root);
    timeline::summary(&found);
    let all = Selection {
        all: true,
        since: None,
    };
    for line in page(&found, all).lines() {
        // Characters, not bytes: names may have any letters.
        assert!(line.chars().count() <= 80, "{line}");
    }
    serde_json::to_vec(&found).expect("facts are JSON");
});
