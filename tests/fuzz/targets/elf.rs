//! ELF objects, the loader's cache, and a program that is loaded in a tiny
//! root where every file holds the same hostile bytes; scripts and units that
//! tell a program where its libraries are.
#![no_main]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use lifeboot::facts::elf::ldcache::LdCache;
use lifeboot::facts::elf::{CpuLevel, Loader, Object, scan};
use lifeboot::sys::root_dir::RootDir;

/// A tree in memory with room for one program, its loader and a library.
static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
    let root = tree("root", &["bin", "lib64", "etc"]);
    for name in ["bin/app", "lib64/ld-linux-x86-64.so.2"] {
        executable(&root.join(name));
    }
    root
});

/// One with a program that lacks all its libraries, and room for a script and a
/// unit.
static TOLD: LazyLock<PathBuf> = LazyLock::new(|| {
    let root = tree("told", &["bin", "lib64", "etc/systemd/system"]);
    for name in ["bin/true", "lib64/ld-linux-x86-64.so.2"] {
        let path = root.join(name);
        fs::copy(PathBuf::from("/").join(name), &path).expect("copying a program");
        executable(&path);
    }
    executable(&root.join("bin/script"));
    root
});

fn tree(name: &str, directories: &[&str]) -> PathBuf {
    let name = format!("lifeboot-fuzz-{name}-{}", std::process::id());
    let root = PathBuf::from("/dev/shm").join(name);
    for directory in directories {
        fs::create_dir_all(root.join(directory)).expect("making the root");
    }
    root
}

fn executable(path: &PathBuf) {
    fs::OpenOptions::new().create(true).append(true).open(path).expect("making a file");
    fs::set_permissions(path, Permissions::from_mode(0o755)).expect("its mode");
}

fn ask(root: &PathBuf, program: &str) {
    let root = RootDir::open(root).expect("opening the root");
    let loader = Loader::with_cpu(&root, CpuLevel::V1);
    serde_json::to_vec(&scan::scan(&loader)).expect("facts are JSON");
    loader.closure(program);
}

fuzz_target!(|bytes: &[u8]| {
    let _ = LdCache::parse(bytes);
    if Object::parse(bytes).is_ok() {
        for name in ["bin/app", "lib64/ld-linux-x86-64.so.2", "lib64/libs.so"] {
            fs::write(ROOT.join(name), bytes).expect("writing a file");
        }
        fs::write(ROOT.join("etc/ld.so.cache"), bytes).expect("writing the cache");
        ask(&ROOT, "/bin/app");
    } else if let Ok(text) = std::str::from_utf8(bytes) {
        let script = format!("#!/bin/sh\n{text}\nLD_LIBRARY_PATH=$X exec /bin/true");
        fs::write(TOLD.join("bin/script"), script).expect("writing the script");
        let unit = format!("[Service]\nExecStart=/bin/true\nEnvironment={text}\n");
        fs::write(TOLD.join("etc/systemd/system/x.service"), unit).expect("writing the unit");
        ask(&TOLD, "/bin/true");
    }
});
