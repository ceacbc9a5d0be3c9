use super::*;

const X86_64: Machine = Machine {
    is_64: true,
    is_little_endian: true,
    code: EM_X86_64,
};

fn read(bytes: &[u8]) -> Constants {
    Constants::read(bytes, X86_64, |_| false)
}

#[test]
fn a_debian_loader_tells_its_directories() {
    let constants = read(
        b"\0/etc/ld.so.cache\0x\0lib/x86_64-linux-gnu\0/proc/self/\0/lib/x86_64-linux-gnu/\0\
          /usr/lib/x86_64-linux-gnu/\0/lib/\0/usr/lib/\0\0ld.so stable release version 2.36.\n\
          Usage: glibc-hwcaps\0/etc/ld.so.preload\0",
    );
    assert_eq!(
        constants.system_dirs,
        [
            "/lib/x86_64-linux-gnu/",
            "/usr/lib/x86_64-linux-gnu/",
            "/lib/",
            "/usr/lib/"
        ]
    );
    assert_eq!(constants.lib, "lib/x86_64-linux-gnu");
    assert_eq!(constants.version, Some((2, 36)));
    assert!(constants.has_hwcaps && !constants.is_guessed);
}

#[test]
fn other_families_have_other_directories() {
    let fedora = read(b"\0lib64\0/lib64/\0/usr/lib64/\0");
    assert_eq!(
        (fedora.lib.as_str(), fedora.system_dirs.len()),
        ("lib64", 2)
    );
    assert!(!fedora.has_hwcaps);
    let arch = read(b"\0lib\0/usr/lib/\0");
    assert_eq!((arch.lib.as_str(), arch.system_dirs.len()), ("lib", 1));
    let nix =
        read(b"\0lib\0/nix/store/abc-glibc-2.40/lib/\0/nix/store/abc-glibc/etc/ld.so.cache\0");
    assert_eq!(nix.lib, "lib");
    assert_eq!(nix.cache, "/nix/store/abc-glibc/etc/ld.so.cache");
}

#[test]
fn musl_is_known_by_its_content() {
    let musl = read(b"musl libc (x86_64)\nVersion %s\n\0/lib:/usr/local/lib:/usr/lib\0");
    assert_eq!(musl.libc, Libc::Musl);
    assert_eq!(musl.system_dirs, ["/lib/", "/usr/local/lib/", "/usr/lib/"]);
}

#[test]
fn without_bytes_the_family_is_guessed() {
    let debian = Constants::guess(X86_64, |dir| dir == "/usr/lib/x86_64-linux-gnu");
    assert_eq!(debian.system_dirs[0], "/lib/x86_64-linux-gnu/");
    let fedora = Constants::guess(X86_64, |dir| dir == "/usr/lib64/gconv");
    assert_eq!(fedora.system_dirs, ["/lib64/", "/usr/lib64/"]);
    let arch = Constants::guess(X86_64, |_| false);
    assert_eq!(arch.system_dirs, ["/lib/", "/usr/lib/"]);
    assert!(arch.is_guessed);
}
