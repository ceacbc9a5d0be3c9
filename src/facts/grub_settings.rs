//! What a new menu of GRUB is written by: `/etc/default/grub`, as
//! `grub-mkconfig` reads it (GRUB 2.12, `util/grub-mkconfig.in`).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::shell;
use crate::sys::root_dir::{Kind, RootDir};

const FILE_BYTES_MAX: u64 = 64 << 10;

/// Files in /etc/default/grub.d and /etc/grub.d.
const FILES_MAX: usize = 64;

/// Permission bits of a menu that was never there.
pub const MENU_MODE: u32 = 0o644;

/// The settings that are read.
const NAMES: [&str; 7] = [
    "GRUB_CMDLINE_LINUX",
    "GRUB_CMDLINE_LINUX_DEFAULT",
    "GRUB_DISTRIBUTOR",
    "GRUB_SERIAL_COMMAND",
    "GRUB_TERMINAL",
    "GRUB_TERMINAL_INPUT",
    "GRUB_TERMINAL_OUTPUT",
];

/// The settings, and where the menu lies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct GrubSettings {
    /// The directory of the menu: /boot/grub or /boot/grub2.
    pub folder: Option<String>,
    /// Permission bits and owner of the menu; none where it is not there.
    pub menu: Option<Old>,
    /// What is set, and clear.
    pub values: BTreeMap<String, String>,
    /// A script of the operator's that puts a password before the menu.
    pub password: Option<String>,
}

/// What lies in the place of the menu.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Old {
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

pub(super) fn collect(root: &RootDir) -> GrubSettings {
    let mut folders = ["/boot/grub", "/boot/grub2"].into_iter();
    let folder = folders.find(|path| root.read_dir(path).is_ok());
    let menu = folder.and_then(|folder| {
        let meta = root.symlink_metadata(format!("{folder}/grub.cfg")).ok()?;
        let mode = match meta.kind {
            Kind::File => meta.mode & 0o7777,
            _ => MENU_MODE,
        };
        Some(Old {
            mode,
            uid: meta.uid,
            gid: meta.gid,
        })
    });
    let read = |path: &str| root.read_text(path, FILE_BYTES_MAX).unwrap_or_default();
    let mut text = read("/etc/default/grub");
    for path in files(root, "/etc/default/grub.d", ".cfg") {
        text.push('\n');
        text.push_str(&read(&path));
    }
    let context = shell::Context {
        path: None,
        library_path: None,
        real_path: &|_| None,
        read: &|_| None,
    };
    let value = |name: &str| Some((name.to_owned(), shell::variable(&text, &context, name)?));
    let mut scripts = files(root, "/etc/grub.d", "").into_iter();
    GrubSettings {
        folder: folder.map(str::to_owned),
        menu,
        values: NAMES.into_iter().filter_map(value).collect(),
        password: scripts.find(|path| has_password(&read(path))),
    }
}

/// True for a line that GRUB would ask a password by.
fn has_password(text: &str) -> bool {
    text.lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .any(|line| line.contains("password_pbkdf2 ") || line.contains("set superusers"))
}

/// The files of a directory with this ending, by name.
fn files(root: &RootDir, folder: &str, ending: &str) -> Vec<String> {
    let listed = root.read_dir(folder).unwrap_or_default().into_iter();
    let names = listed.map(|entry| entry.name.to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(ending)).collect();
    names.sort();
    names.truncate(FILES_MAX);
    names
        .iter()
        .map(|name| format!("{folder}/{name}"))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;

    #[test]
    fn settings_of_all_files_are_read_as_a_shell_would() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("boot/grub2/grub.cfg", "");
        write(
            "etc/default/grub",
            "GRUB_CMDLINE_LINUX='a b'\nGRUB_DISTRIBUTOR=`lsb_release`\n",
        );
        write(
            "etc/default/grub.d/50-x.cfg",
            "GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX console=ttyS0\"\n",
        );
        write("etc/grub.d/40_custom", "# set superusers\n");
        let root = RootDir::open(folder.path()).unwrap();
        let found = collect(&root);
        assert_eq!(found.folder.as_deref(), Some("/boot/grub2"));
        assert_eq!(found.menu.map(|old| old.mode), Some(0o644));
        let value = |name: &str| found.values.get(name).map(String::as_str);
        assert_eq!(value("GRUB_CMDLINE_LINUX"), Some("a b console=ttyS0"));
        assert_eq!(value("GRUB_DISTRIBUTOR"), None);
        assert_eq!(found.password, None);
        write("etc/grub.d/01_users", "cat <<E\nset superusers=\"x\"\nE\n");
        let password = collect(&root).password;
        assert_eq!(password.as_deref(), Some("/etc/grub.d/01_users"));
    }
}
