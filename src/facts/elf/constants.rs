//! What is compiled into the loader of this root.
//!
//! Distributions differ in the directories that their loader searches without
//! being told. They are read from the loader's own bytes: glibc keeps them as
//! a row of NUL-terminated absolute paths that end in `/` (`system_dirs` in
//! elf/dl-load.c), musl as one path list. Where that fails, a table of
//! distribution families helps out.

use goblin::elf::header::{EM_386, EM_AARCH64, EM_ARM, EM_PPC64, EM_RISCV, EM_S390, EM_X86_64};

use super::object::Machine;

/// Which C library the loader belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Libc {
    /// The GNU C library.
    Glibc,
    /// musl.
    Musl,
}

/// The constants of one loader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constants {
    /// Whose loader it is.
    pub libc: Libc,
    /// Directories searched last, each ending in `/`.
    pub system_dirs: Vec<String>,
    /// What `$LIB` stands for.
    pub lib: String,
    /// What `$PLATFORM` stands for.
    pub platform: Option<String>,
    /// Where its cache lies.
    pub cache: String,
    /// The list of objects to load into every program.
    pub preload: String,
    /// It searches `glibc-hwcaps` directories (glibc 2.33 and later).
    pub has_hwcaps: bool,
    /// Its version: (2, 36).
    pub version: Option<(u32, u32)>,
    /// The directories are a guess, not read from the loader.
    pub is_guessed: bool,
}

impl Constants {
    /// Reads them from the loader's bytes; `has_directory` tells about the
    /// root, for the guess where the bytes do not say.
    pub fn read(bytes: &[u8], machine: Machine, has_directory: impl Fn(&str) -> bool) -> Self {
        let mut constants = Self::guess(machine, has_directory);
        if contains(bytes, b"musl libc") {
            constants.libc = Libc::Musl;
            constants.system_dirs = musl_path(bytes);
            constants.is_guessed = false;
            return constants;
        }
        let dirs = longest_row_of_directories(bytes);
        if let Some(first) = dirs.first() {
            constants.lib = lib_token(bytes, first);
            constants.system_dirs = dirs;
            constants.is_guessed = false;
        }
        let strings = || bytes.split(|&byte| byte == 0);
        let path_ending = |end: &[u8]| {
            let mut paths = strings().filter(|s| s.starts_with(b"/") && s.ends_with(end));
            paths
                .next()
                .map(|s| String::from_utf8_lossy(s).into_owned())
        };
        if let Some(cache) = path_ending(b"/ld.so.cache") {
            constants.cache = cache;
        }
        if let Some(preload) = path_ending(b"/ld.so.preload") {
            constants.preload = preload;
        }
        constants.has_hwcaps = contains(bytes, b"glibc-hwcaps");
        constants.version = release_version(bytes);
        constants
    }

    /// What the usual loader of such a root has compiled in.
    pub fn guess(machine: Machine, has_directory: impl Fn(&str) -> bool) -> Self {
        let triplet = triplet(machine).unwrap_or("");
        let (dirs, lib) = if !triplet.is_empty() && has_directory(&format!("/usr/lib/{triplet}")) {
            // Debian and Ubuntu.
            let lib = format!("lib/{triplet}");
            (
                vec![
                    lib.clone(),
                    format!("usr/{lib}"),
                    "lib".into(),
                    "usr/lib".into(),
                ],
                lib,
            )
        } else if machine.is_64 && has_directory("/usr/lib64/gconv") {
            // Fedora, SUSE, Gentoo; on Arch lib64 is a link to lib.
            (vec!["lib64".into(), "usr/lib64".into()], "lib64".into())
        } else {
            (vec!["lib".into(), "usr/lib".into()], "lib".into())
        };
        Self {
            libc: Libc::Glibc,
            system_dirs: dirs.iter().map(|dir| format!("/{dir}/")).collect(),
            lib,
            platform: platform(machine),
            cache: "/etc/ld.so.cache".into(),
            preload: "/etc/ld.so.preload".into(),
            has_hwcaps: true,
            version: None,
            is_guessed: true,
        }
    }
}

/// Debian's name for a machine (Debian wiki, "Multiarch/Tuples").
pub(super) fn triplet(machine: Machine) -> Option<&'static str> {
    Some(match (machine.code, machine.is_64) {
        (EM_X86_64, true) => "x86_64-linux-gnu",
        (EM_X86_64, false) => "x86_64-linux-gnux32",
        (EM_386, false) => "i386-linux-gnu",
        (EM_AARCH64, true) => "aarch64-linux-gnu",
        (EM_ARM, false) => "arm-linux-gnueabihf",
        (EM_RISCV, true) => "riscv64-linux-gnu",
        (EM_PPC64, true) => "powerpc64le-linux-gnu",
        (EM_S390, true) => "s390x-linux-gnu",
        _ => return None,
    })
}

/// Where the usual loader of a machine lies (the psABIs). A library on its own
/// does not say.
pub(super) fn usual_interpreter(machine: Machine) -> Option<&'static str> {
    Some(match (machine.code, machine.is_64) {
        (EM_X86_64, true) => "/lib64/ld-linux-x86-64.so.2",
        (EM_X86_64, false) => "/libx32/ld-linux-x32.so.2",
        (EM_386, false) => "/lib/ld-linux.so.2",
        (EM_AARCH64, true) => "/lib/ld-linux-aarch64.so.1",
        (EM_ARM, false) => "/lib/ld-linux-armhf.so.3",
        (EM_RISCV, true) => "/lib/ld-linux-riscv64-lp64d.so.1",
        (EM_PPC64, true) => "/lib64/ld64.so.2",
        (EM_S390, true) => "/lib/ld64.so.1",
        _ => return None,
    })
}

/// What the kernel passes as `AT_PLATFORM`, where it passes one.
fn platform(machine: Machine) -> Option<String> {
    let name = match (machine.code, machine.is_64) {
        (EM_X86_64, _) => "x86_64",
        (EM_386, false) => "i686",
        (EM_AARCH64, true) => "aarch64",
        _ => return None,
    };
    Some(name.to_owned())
}

fn longest_row_of_directories(bytes: &[u8]) -> Vec<String> {
    let mut longest: Vec<String> = Vec::new();
    let mut row: Vec<String> = Vec::new();
    for string in bytes.split(|&byte| byte == 0) {
        if let Some(directory) = library_directory(string) {
            row.push(directory.to_owned());
            continue;
        }
        if row.len() > longest.len() {
            longest = std::mem::take(&mut row);
        }
        row.clear();
    }
    longest
}

fn library_directory(string: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(string).ok()?;
    let is_path = text.len() > 2 && text.starts_with('/') && text.ends_with('/');
    let is_clean = text.bytes().all(|byte| byte.is_ascii_graphic());
    let is_lib = text.split('/').any(|part| part.starts_with("lib"));
    (is_path && is_clean && is_lib).then_some(text)
}

/// `$LIB` is the first system directory without its prefix; the loader has it
/// as a string of its own, too.
fn lib_token(bytes: &[u8], first_dir: &str) -> String {
    let whole = first_dir.trim_matches('/');
    let without_usr = whole.strip_prefix("usr/").unwrap_or(whole);
    let last = whole.rsplit('/').next().unwrap_or(whole);
    let stands_alone = |token: &&str| {
        bytes
            .split(|&byte| byte == 0)
            .any(|s| s == token.as_bytes())
    };
    [without_usr, last]
        .into_iter()
        .find(stands_alone)
        .unwrap_or(without_usr)
        .to_owned()
}

/// musl's built-in path (`ldso/dynlink.c`).
fn musl_path(bytes: &[u8]) -> Vec<String> {
    let found = bytes
        .split(|&byte| byte == 0)
        .filter_map(|string| std::str::from_utf8(string).ok())
        .find(|text| text.starts_with('/') && text.contains(":/") && text.contains("lib"));
    let path = found.unwrap_or("/lib:/usr/local/lib:/usr/lib");
    path.split(':').map(|dir| format!("{dir}/")).collect()
}

/// From "... stable release version 2.36."
pub(super) fn release_version(bytes: &[u8]) -> Option<(u32, u32)> {
    const LABEL: &[u8] = b"release version ";
    // From the end: the strings stand behind the code.
    let at = bytes.windows(LABEL.len()).rposition(|part| part == LABEL)?;
    let rest = bytes.get(at + LABEL.len()..)?;
    let text: String = rest.iter().take(16).map(|&byte| char::from(byte)).collect();
    let mut numbers = text.split(|c: char| !c.is_ascii_digit());
    let major = numbers.next()?.parse().ok()?;
    let minor = numbers.next()?.parse().ok()?;
    Some((major, minor))
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
#[path = "constants_tests.rs"]
mod tests;
