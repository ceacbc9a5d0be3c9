//! Which packages may be there in several versions at once: what dnf, yum and
//! zypp never update and always install beside (dnf.conf(5), `installonlypkgs`).

use super::Package;
use super::header::{Header, tag};
use crate::sys::root_dir::RootDir;

/// What dnf has for it unless it is told otherwise (dnf's `dnf/const.py`, and
/// libdnf's `conf/Const.hpp`), and the older names of yum.
const USUAL: [&str; 22] = [
    "kernel",
    "kernel-PAE",
    "kernel-PAE-core",
    "kernel-core",
    "kernel-debug",
    "kernel-debug-core",
    "kernel-debug-devel",
    "kernel-debug-modules",
    "kernel-devel",
    "kernel-modules",
    "kernel-modules-core",
    "kernel-modules-extra",
    "kernel-rt",
    "kernel-smp",
    "kernel-source",
    "kernel-unsupported",
    "kernel-xen",
    "installonlypkg(kernel)",
    "installonlypkg(kernel-module)",
    "installonlypkg(vm)",
    "multiversion(kernel)",
    "kernel-module",
];

/// A configuration is short.
const LIMIT: u64 = 1 << 20;

/// The names.
pub(super) struct Names(Vec<String>);

impl Names {
    /// The usual ones, and those of the patient's configuration.
    pub(super) fn of(root: &RootDir) -> Self {
        let mut names: Vec<String> = USUAL.iter().map(|name| (*name).to_owned()).collect();
        for path in ["/etc/dnf/dnf.conf", "/etc/yum.conf"] {
            if let Ok(text) = root.read_text(path, LIMIT) {
                names.extend(parse(&text));
            }
        }
        Self(names)
    }

    pub(super) fn has(&self, package: &Package, header: &Header<'_>) -> bool {
        // Keys have the same name each; kernels of every build have their own.
        if package.name == "gpg-pubkey" || package.name.starts_with("kernel") {
            return true;
        }
        let is_known = |name: &[u8]| self.0.iter().any(|known| matches(known, name));
        is_known(package.name.as_bytes()) || header.strings(tag::PROVIDES).into_iter().any(is_known)
    }
}

/// A name, or one with a `*` at its end.
fn matches(pattern: &str, name: &[u8]) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start.as_bytes()),
        None => name == pattern.as_bytes(),
    }
}

/// The values of `installonlypkgs`, between spaces or commas; the lines that
/// follow belong to it when they begin with a space.
fn parse(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        let values = match line.split_once('=') {
            Some((key, values)) if !line.starts_with([' ', '\t']) => {
                inside = key.trim() == "installonlypkgs";
                values
            }
            _ if line.starts_with([' ', '\t']) => line,
            _ => {
                inside = false;
                continue;
            }
        };
        if inside {
            let words = values.split([' ', '\t', ',']);
            names.extend(words.filter(|word| !word.is_empty()).map(str::to_owned));
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_configuration() {
        let text = "[main]\ninstallonly_limit=3\ninstallonlypkgs = a, b\n  c-*\nbest=True\n d\n";
        assert_eq!(parse(text), ["a", "b", "c-*"]);
        assert!(matches("c-*", b"c-x") && !matches("a", b"ab"));
    }
}
