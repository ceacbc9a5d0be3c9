//! Where a missing library, or another version of it, lies instead.
//!
//! Only for the message: half of an upgrade often leaves the library in
//! another directory or under its next version.

use super::ldconf;
use super::search::Search;
use super::tokens::directory_of;

/// Most places named.
const PATHS_MAX: usize = 8;

/// Directories that packages use for libraries besides the loader's own.
const USUAL: [&str; 8] = [
    "/usr/lib/systemd",
    "/usr/local/lib",
    "/usr/lib64",
    "/usr/lib",
    "/lib64",
    "/lib",
    "/usr/lib64/systemd",
    "/usr/local/lib64",
];

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Elsewhere {
    pub(super) paths: Vec<String>,
    pub(super) not_in_cache: Option<String>,
}

/// Looks for `name` and its other versions in the usual directories.
pub(super) fn look(search: &Search<'_>, name: &str) -> Elsewhere {
    let mut found = Elsewhere::default();
    let name = name.rsplit('/').next().unwrap_or(name);
    let stem = stem(name);
    if stem.len() < "libx".len() {
        return found;
    }
    let configured = ldconf::directories(search.files.root);
    let mut seen: Vec<String> = Vec::new();
    for directory in directories(search, &configured) {
        let Ok(resolved) = search.files.root.resolve(&directory) else {
            continue;
        };
        let real = resolved.path.to_string_lossy().into_owned();
        if seen.contains(&real) {
            continue; // the same directory by another name
        }
        for other in search.files.names_in(&real).iter() {
            if self::stem(other) == stem && found.paths.len() < PATHS_MAX {
                found.paths.push(format!("{real}/{other}"));
            }
            let is_configured = configured.contains(&directory);
            if is_configured && other == name && found.not_in_cache.is_none() {
                found.not_in_cache = Some(format!("{real}/{other}"));
            }
        }
        seen.push(real);
    }
    // The very name first, then the rest.
    found
        .paths
        .sort_by_key(|path| !path.ends_with(&format!("/{name}")));
    found
}

fn directories(search: &Search<'_>, configured: &[String]) -> Vec<String> {
    let system = search.constants.system_dirs.iter();
    let mut directories: Vec<String> = configured.to_vec();
    directories.extend(
        system
            .clone()
            .map(|dir| dir.trim_end_matches('/').to_owned()),
    );
    directories.extend(system.map(|dir| format!("{dir}systemd")));
    directories.extend(USUAL.map(str::to_owned));
    if let Some(cache) = search.cache {
        let mut cached: Vec<_> = cache.paths().map(|p| directory_of(p).to_owned()).collect();
        cached.sort();
        cached.dedup();
        directories.extend(cached);
    }
    directories
}

/// What all versions of a library have in common: `libsystemd-shared` of
/// `libsystemd-shared-252.so`, `libssl` of `libssl.so.3`.
fn stem(name: &str) -> &str {
    let Some(at) = name.find(".so") else {
        return "";
    };
    let after = &name[at + ".so".len()..];
    if !after.is_empty() && !after.starts_with('.') {
        return "";
    }
    let base = &name[..at];
    match base.rsplit_once('-') {
        Some((front, version)) if is_version(version) => front,
        _ => base,
    }
}

fn is_version(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_digit() || c == '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_one_library_have_one_stem() {
        for (name, expected) in [
            ("libssl.so.3", "libssl"),
            ("libssl.so", "libssl"),
            ("libsystemd-shared-252.so", "libsystemd-shared"),
            ("libsystemd-shared-257.4.so", "libsystemd-shared"),
            ("libgtk-x11-2.0.so.0", "libgtk-x11"),
            ("ld-linux-x86-64.so.2", "ld-linux-x86"),
            ("libfoo.sox", ""),
            ("README", ""),
        ] {
            assert_eq!(stem(name), expected, "{name}");
        }
    }
}
