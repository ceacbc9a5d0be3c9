//! An initramfs: archives in any packing, and what they unpack to, walked as a
//! root with links in it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lifeboot::facts::elf::Loader;
use lifeboot::facts::initramfs::archive::unpack;
use lifeboot::sys::root_dir::RootDir;

fuzz_target!(|bytes: &[u8]| {
    let taken = unpack(bytes, bytes.len() as u64);
    if let Some(fault) = &taken.fault {
        assert!(fault.at <= fault.of);
    }
    let root = RootDir::in_memory(taken.content.tree, "fuzz").expect("memory");
    for path in ["/init", "/sbin/mdadm", "/lib/modules", "/bin/sh"] {
        let _ = root.resolve(path);
        let _ = root.read_dir(path);
    }
    let closure = Loader::open(&root).closure("/init");
    serde_json::to_vec(&closure).expect("facts are JSON");
});
