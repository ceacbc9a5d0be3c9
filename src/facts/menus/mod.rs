//! Boot menus besides grub.cfg, and what decides which entry is started.

use super::grub::{Loader, Menu};
use crate::sys::root_dir::RootDir;

mod bls;
pub(super) mod bls_of_grub;
pub(super) mod choice;
mod extlinux;
pub(super) mod grub_env;
mod systemd_boot;
pub(super) mod way;

/// The menus of systemd-boot and extlinux, files of their entries looked at.
pub(super) fn others(root: &RootDir) -> Vec<Menu> {
    let found = [systemd_boot::collect(root), extlinux::collect(root)];
    let mut menus: Vec<Menu> = found.into_iter().flatten().collect();
    for menu in &mut menus {
        menu.look_at_files(root, menu.loader == Loader::Extlinux);
        let default = menu.default_entry();
        if default.is_none_or(|own| own.missing.is_empty()) {
            menu.way = None;
        }
    }
    menus
}
