//! dpkg's files that only a verification needs: checksums, diversions,
//! overridden modes, and what was left out on purpose.

pub mod conffiles;
pub mod diversions;
pub mod excludes;
pub mod md5sums;
pub mod statoverride;

/// An MD5 digest.
pub type Md5Sum = [u8; 16];

/// A path of dpkg's without its leading `/` and `./`, as dpkg compares them
/// (`path_skip_slash_dotslash` in lib/dpkg/path.c); one `/` at the end is
/// dropped, too.
pub fn relative(mut path: &[u8]) -> &[u8] {
    while let Some(rest) = path.strip_prefix(b"/").or(path.strip_prefix(b"./")) {
        path = rest;
    }
    path.strip_suffix(b"/").unwrap_or(path)
}

/// True when a relative path could lead up: no list of a healthy dpkg has one.
pub fn leads_up(path: &[u8]) -> bool {
    path.split(|byte| *byte == b'/').any(|name| name == b"..")
}
