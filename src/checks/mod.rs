//! Stage 5, checks: many small questions to the facts, each in a file.
//!
//! A check is a pure function of [`Facts`]: it opens no file, runs nothing and
//! looks at no clock. `docs/checks.md` tells how to add one.

use std::panic::{self, AssertUnwindSafe};

use crate::facts::Facts;
use crate::finding::{Findings, Stage};

mod absent_member_expected;
mod alternative_broken;
mod archives_incomplete;
mod array_data_doubtful;
mod array_degraded;
mod array_inactive;
mod array_name_unknown;
mod array_needs_newer_kernel;
mod array_recreated;
mod array_reshaping;
mod array_running;
mod array_unusable;
mod arrays_unknown;
mod authorized_keys_refused;
mod bad_blocks_recorded;
mod bare_kernel;
mod bios_boot;
mod bios_loaders;
mod boot_mode;
mod btrfs_scan_missing;
mod common;
mod container_unknown;
mod cryptsetup_missing;
mod crypttab_device_missing;
mod database_info_emptied;
mod default_entry_broken;
mod default_target_wrong;
mod dhcp_client_missing;
mod disk_dropped_out;
mod disk_failing;
mod disk_io_errors;
mod disk_overheating;
mod disk_unreadable;
mod disk_worn;
mod dpkg_cannot_run;
mod driver_missing;
mod early_containers;
mod early_images;
mod early_words;
mod elf_damaged;
mod files_damaged;
mod files_missing;
mod files_replaced;
mod filesystem_device_stale;
mod filesystem_errors;
mod filesystem_full;
mod filesystem_incomplete;
mod firewall_shuts_ssh;
mod fstab_device_missing;
mod fstab_invalid;
mod fstab_type_wrong;
mod gateway_outside;
mod grub_cannot_read;
mod grub_config_missing;
mod grub_core_mismatch;
mod grub_missing_on_disk;
mod grub_modules_missing;
mod grub_prefix_unknown;
mod half_installed;
mod host_keys_unusable;
mod init_missing;
mod init_not_executable;
mod initramfs_damaged;
mod initramfs_init_broken;
mod initramfs_missing;
mod initramfs_wrong_kernel;
mod interface_absent;
mod interpreter_missing;
mod journal_device_missing;
mod journal_not_replayed;
mod kernel_image_damaged;
mod kernel_missing;
mod last_panic;
mod leftover_files;
mod leg_stale;
mod legs_diverged;
mod library_empty;
mod library_link_broken;
mod library_missing;
mod library_not_readable;
mod library_shadowed;
mod library_version_missing;
mod loader_cache_damaged;
mod loader_cache_stale;
mod loader_version_mismatch;
mod login_broken;
mod lvm_missing;
mod maintainer_script_empty;
mod mdadm_missing;
mod member_mounted_directly;
mod member_of_two_arrays;
mod mode_changed;
mod modules_missing;
mod mount_point_missing;
mod mounted_for_writing;
mod network_config_invalid;
mod network_none;
mod no_disks;
mod no_system;
mod nobody_can_log_in;
mod nologin_left;
mod offline_update_waiting;
mod only_stale_leg;
mod package_database_damaged;
mod package_files;
mod pacman_interrupted;
mod part_not_mounted;
mod partition_table_damaged;
mod permissions_changed;
mod policy_left_behind;
mod preload_ignored;
mod preload_unusual;
mod privilege_separation_missing;
mod program_broken;
mod programs_broken;
mod release_end_of_life;
mod releases_mixed;
mod repair_interrupted;
mod rescue_mode_differs;
mod resume_device_missing;
mod root_parameter_wrong;
mod rpm_database_damaged;
mod rpm_duplicates;
mod rpm_interrupted;
mod setuid_lost;
mod several_systems;
mod ssh_socket_port;
mod sshd;
mod sshd_config_rejected;
mod sshd_off;
mod surroundings;
pub(crate) mod survival;
mod system_directory_replaced;
mod uefi_boot;
mod upgrade_interrupted;
mod usr_merge_link_missing;
mod usr_merge_link_replaced;
mod volume_group_incomplete;
mod volume_locked;
mod volume_not_opened;

use common::{boot_unseen, dpkg, is_between, on_its_disks, rpm, some, tree_with_usr, usr_unseen};

pub(crate) use array_name_unknown::{Misnamed, misnamed};
pub(crate) use bios_loaders::{BiosLoaders, Good, Storage};
pub(crate) use uefi_boot::candidates as esps;

/// One check.
#[derive(Debug)]
pub struct Check {
    /// `stage/kebab-name`: a public contract, never reused.
    pub id: &'static str,
    /// The link of the boot chain that it looks at.
    pub stage: Stage,
    /// Its page, as `lifeboot explain` prints it.
    pub page: &'static str,
    /// The question itself.
    pub run: fn(&Facts, &mut Findings),
}

/// Every check, in the order of the boot chain.
pub const CHECKS: &[&Check] = &[
    &no_disks::CHECK,
    &disk_unreadable::CHECK,
    &disk_failing::CHECK,
    &disk_io_errors::CHECK,
    &disk_dropped_out::CHECK,
    &disk_worn::CHECK,
    &disk_overheating::CHECK,
    &last_panic::CHECK,
    &rescue_mode_differs::CHECK,
    &uefi_boot::missing::CHECK,
    &uefi_boot::unreadable::CHECK,
    &uefi_boot::loader_missing::CHECK,
    &uefi_boot::loader_damaged::CHECK,
    &uefi_boot::loader_wrong_machine::CHECK,
    &uefi_boot::unsigned::CHECK,
    &uefi_boot::entry_dangling::CHECK,
    &uefi_boot::out_of_step::CHECK,
    &uefi_boot::config_missing::CHECK,
    &uefi_boot::uuid_unknown::CHECK,
    &grub_missing_on_disk::CHECK,
    &grub_prefix_unknown::CHECK,
    &grub_modules_missing::CHECK,
    &grub_core_mismatch::CHECK,
    &grub_cannot_read::CHECK,
    &grub_config_missing::CHECK,
    &default_entry_broken::CHECK,
    &root_parameter_wrong::CHECK,
    &kernel_missing::CHECK,
    &kernel_image_damaged::CHECK,
    &modules_missing::CHECK,
    &initramfs_missing::CHECK,
    &initramfs_damaged::CHECK,
    &initramfs_wrong_kernel::CHECK,
    &initramfs_init_broken::CHECK,
    &driver_missing::CHECK,
    &mdadm_missing::CHECK,
    &arrays_unknown::CHECK,
    &cryptsetup_missing::CHECK,
    &container_unknown::CHECK,
    &lvm_missing::CHECK,
    &btrfs_scan_missing::CHECK,
    &resume_device_missing::CHECK,
    &partition_table_damaged::CHECK,
    &array_inactive::CHECK,
    &array_running::CHECK,
    &array_unusable::CHECK,
    &array_reshaping::CHECK,
    &journal_device_missing::CHECK,
    &legs_diverged::CHECK,
    &member_mounted_directly::CHECK,
    &only_stale_leg::CHECK,
    &array_degraded::CHECK,
    &absent_member_expected::CHECK,
    &array_name_unknown::CHECK,
    &array_data_doubtful::CHECK,
    &leg_stale::CHECK,
    &array_recreated::CHECK,
    &member_of_two_arrays::CHECK,
    &bad_blocks_recorded::CHECK,
    &array_needs_newer_kernel::CHECK,
    &filesystem_incomplete::CHECK,
    &filesystem_device_stale::CHECK,
    &journal_not_replayed::CHECK,
    &volume_group_incomplete::CHECK,
    &volume_locked::CHECK,
    &volume_not_opened::CHECK,
    &no_system::CHECK,
    &several_systems::CHECK,
    &part_not_mounted::CHECK,
    &mounted_for_writing::CHECK,
    &filesystem_errors::CHECK,
    &repair_interrupted::CHECK,
    &system_directory_replaced::CHECK,
    &usr_merge_link_missing::CHECK,
    &usr_merge_link_replaced::CHECK,
    &init_missing::CHECK,
    &init_not_executable::CHECK,
    &mount_point_missing::CHECK,
    &interpreter_missing::CHECK,
    &library_missing::CHECK,
    &library_version_missing::CHECK,
    &elf_damaged::CHECK,
    &loader_version_mismatch::CHECK,
    &library_empty::CHECK,
    &library_link_broken::CHECK,
    &library_not_readable::CHECK,
    &loader_cache_damaged::CHECK,
    &loader_cache_stale::CHECK,
    &library_shadowed::CHECK,
    &preload_ignored::CHECK,
    &preload_unusual::CHECK,
    &fstab_invalid::CHECK,
    &fstab_device_missing::CHECK,
    &fstab_type_wrong::CHECK,
    &default_target_wrong::CHECK,
    &crypttab_device_missing::CHECK,
    &filesystem_full::CHECK,
    &program_broken::CHECK,
    &login_broken::CHECK,
    &sshd_off::CHECK,
    &sshd_config_rejected::CHECK,
    &host_keys_unusable::CHECK,
    &privilege_separation_missing::CHECK,
    &ssh_socket_port::CHECK,
    &nobody_can_log_in::CHECK,
    &authorized_keys_refused::CHECK,
    &nologin_left::CHECK,
    &network_none::CHECK,
    &network_config_invalid::CHECK,
    &interface_absent::CHECK,
    &gateway_outside::CHECK,
    &dhcp_client_missing::CHECK,
    &firewall_shuts_ssh::CHECK,
    &programs_broken::CHECK,
    &package_database_damaged::CHECK,
    &rpm_database_damaged::CHECK,
    &database_info_emptied::CHECK,
    &files_missing::CHECK,
    &files_damaged::CHECK,
    &files_replaced::CHECK,
    &permissions_changed::CHECK,
    &setuid_lost::CHECK,
    &mode_changed::CHECK,
    &upgrade_interrupted::CHECK,
    &dpkg_cannot_run::CHECK,
    &half_installed::CHECK,
    &releases_mixed::CHECK,
    &leftover_files::CHECK,
    &maintainer_script_empty::CHECK,
    &alternative_broken::CHECK,
    &archives_incomplete::CHECK,
    &policy_left_behind::CHECK,
    &release_end_of_life::CHECK,
    &pacman_interrupted::CHECK,
    &rpm_interrupted::CHECK,
    &rpm_duplicates::CHECK,
    &offline_update_waiting::CHECK,
];

/// The check with this id.
pub fn by_id(id: &str) -> Option<&'static Check> {
    CHECKS.iter().copied().find(|check| check.id == id)
}

/// Asks every check; one that fails is told as something unknown, and the
/// others are asked all the same.
pub fn run(facts: &Facts) -> Findings {
    let mut all = Findings::default();
    for what in facts.tree.iter().flat_map(|tree| &tree.failed) {
        all.could_not_tell(
            Stage::Root,
            format!("facts about {what}"),
            "collecting them failed; this is a fault of lifeboot, please report it",
        );
    }
    for check in CHECKS {
        let mut answer = Findings::default();
        let asked = panic::catch_unwind(AssertUnwindSafe(|| (check.run)(facts, &mut answer)));
        if asked.is_err() {
            answer.could_not_tell(
                check.stage,
                format!("the check {}", check.id),
                "it failed itself; this is a fault of lifeboot, please report it",
            );
        }
        all.found.append(&mut answer.found);
        all.unknown.append(&mut answer.unknown);
    }
    all.found
        .sort_by_key(|finding| (std::cmp::Reverse(finding.severity), finding.stage));
    all
}
