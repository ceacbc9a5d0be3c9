//! ELF objects, the loader's cache, and a program that is loaded in a tiny
//! root where every file holds the same hostile bytes.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use lifeboot::facts::elf::ldcache::LdCache;
use lifeboot::facts::elf::{CpuLevel, Loader, Object, scan};
use lifeboot::sys::root_dir::RootDir;

/// A tree in memory with room for one program, its loader and a library.
static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
    let name = format!("lifeboot-fuzz-{}", std::process::id());
    let root = PathBuf::from("/dev/shm").join(name);
    for directory in ["bin", "lib64", "etc"] {
        fs::create_dir_all(root.join(directory)).expect("making the root");
    }
    root
});

fuzz_target!(|bytes: &[u8]| {
    let _ = LdCache::parse(bytes);
    if Object::parse(bytes).is_err() {
        return;
    }
    for name in ["bin/app", "lib64/ld-linux-x86-64.so.2", "lib64/libs.so"] {
        fs::write(ROOT.join(name), bytes).expect("writing a file");
    }
    fs::write(ROOT.join("etc/ld.so.cache"), bytes).expect("writing the cache");
    let root = RootDir::open(&*ROOT).expect("opening the root");
    let loader = Loader::with_cpu(&root, CpuLevel::V1);
    serde_json::to_vec(&scan::scan(&loader)).expect("facts are JSON");
    loader.closure("/bin/app");
});
