//! NetworkManager's connections.
//!
//! Source: nm-settings-keyfile(5); NetworkManager, nms-keyfile-utils.c
//! (`nms_keyfile_utils_check_file_permissions`): a file that others may read or
//! that is not root's is passed over.

use super::ini::Ini;
use super::{Interface, MOST, Said, Stack};
use crate::facts::place::Place;
use crate::sys::root_dir::{Kind, RootDir};

const FOLDERS: [&str; 2] = [
    "/etc/NetworkManager/system-connections",
    "/usr/lib/NetworkManager/system-connections",
];

pub(super) fn read(root: &RootDir) -> Said {
    let mut said = Said::default();
    for folder in FOLDERS {
        for entry in root
            .read_dir(folder)
            .unwrap_or_default()
            .into_iter()
            .take(MOST)
        {
            let name = entry.name.to_string_lossy();
            let path = format!("{folder}/{name}");
            let left_aside = name.starts_with('.') || name.ends_with('~');
            if entry.kind != Kind::File || left_aside {
                continue;
            }
            let Ok(meta) = root.metadata(&path) else {
                continue;
            };
            let Some(text) = said.read(root, &path) else {
                continue;
            };
            // Those of the vendor may be read by everybody.
            let own = folder.starts_with("/etc/");
            if own && (meta.uid != 0 || meta.mode & 0o077 != 0) {
                let why = format!(
                    "owner {}, mode {:04o}: NetworkManager wants root's and 0600",
                    meta.uid, meta.mode
                );
                said.refuse(Stack::NetworkManager, &path, 0, why);
                if let Some(refused) = said.invalid.last_mut().filter(|own| own.path == path) {
                    refused.rights = rights(root, &path);
                }
                continue;
            }
            said.interfaces.extend(interface(&path, &text));
        }
    }
    said
}

/// Its mode and owner, where nobody but root can have put it there: then it is
/// root's word, whoever owns it now.
fn rights(root: &RootDir, path: &str) -> Option<Place> {
    let (folder, _) = path.rsplit_once('/')?;
    let folder = root.metadata(folder).ok()?;
    let is_closed = folder.uid == 0 && folder.mode & 0o022 == 0;
    Place::read(root, path).filter(|place| is_closed && place.path == path)
}

fn interface(path: &str, text: &str) -> Option<Interface> {
    let ini = Ini::parse(text);
    let kind = ini.value("connection", "type")?;
    let name = ini.value("connection", "interface-name");
    let ethernet = matches!(kind, "ethernet" | "802-3-ethernet");
    let by_mac = ["ethernet", "802-3-ethernet"]
        .iter()
        .any(|section| ini.value(section, "mac-address").is_some());
    let automatic = ini.value("connection", "autoconnect");
    Some(Interface {
        name: name.unwrap_or("*").to_owned(),
        place: path.to_owned(),
        stack: Stack::NetworkManager,
        at_boot: automatic.is_none_or(|value| value != "false"),
        is_card: ethernet && name.is_some() && !by_mac,
        dhcp: ini.value("ipv4", "method") == Some("auto"),
        // It adds a route to a gateway outside by itself.
        lost_gateway: None,
    })
}
