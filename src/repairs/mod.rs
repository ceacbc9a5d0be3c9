//! Stage 6, plan: repairs for findings, with what each would do.
//!
//! A repair is worked out from the facts alone. What it does to files is made
//! of the journal's primitive actions, so it can be finished or taken back;
//! work on arrays cannot, and says so.

use serde::Serialize;

use crate::facts::Facts;
use crate::finding::Finding;
use crate::journal::Action;

mod array_work;
mod choose_entry;
mod close_connection;
pub mod closed_set;
mod comment_fstab_line;
mod comment_sshd_option;
mod copy_boot_loader;
mod correct_fstab_device;
mod correct_fstab_type;
mod correct_interfaces;
mod correct_root_parameter;
mod cost;
mod edit;
mod enable_service;
mod esp_files;
mod finish_packages;
mod give_rights;
mod host_keys;
mod install_loaders;
mod make_core;
mod make_mount_points;
mod name_card;
mod pass_over_container;
mod plan;
mod program;
mod put_loaders_on_esp;
mod rebuild_initramfs;
mod rejoin_leg;
mod remove_nologin;
mod restore_array_entry;
mod restore_default_target;
mod restore_execute_bits;
mod restore_init_link;
mod restore_merged_link;
mod restore_package_files;
mod restore_package_lists;
mod restore_package_status;
mod restore_separation;
mod restore_shell;
mod restore_system_directory;
mod restore_user;
mod root_filesystem;
mod start_degraded;
mod table_line;
mod trust_keys;
mod unpack_packages;
mod wanted;
mod write_menu;

pub use array_work::ArrayWork;
pub use copy_boot_loader::{LoaderCopy, LoaderSource};
pub use edit::Edit;
pub use esp_files::{EspPut, EspSource, EspWork};
pub use plan::{Plan, plan};
pub use program::Program;
pub use unpack_packages::Unpack;
pub use wanted::{Download, Wanted};

use edit::EditKind;

/// What can go wrong when a repair is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Risk {
    /// Only moves that are taken back exactly.
    Safe,
    /// May need a second look.
    Medium,
    /// May make things worse.
    Dangerous,
}

impl Risk {
    /// The word used in reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Medium => "medium",
            Self::Dangerous => "dangerous",
        }
    }
}

/// A finding, named without its evidence.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Key {
    /// `stage/kebab-name`.
    pub id: String,
    /// The path or device that it is about.
    pub subject: String,
}

impl Key {
    /// The name of a finding.
    pub fn of(finding: &Finding) -> Self {
        Self {
            id: finding.id.clone(),
            subject: finding.subject.clone(),
        }
    }
}

/// A kind of repair: one file beside this one.
#[derive(Debug)]
struct Kind {
    /// Its name, for people and scripts.
    name: &'static str,
    /// The findings that it removes, by id.
    removes: &'static [&'static str],
    /// Works out what to do about one finding; none when it cannot help here.
    plan: fn(&Facts, &Finding) -> Option<Outline>,
}

/// What a kind of repair would do about one finding.
#[derive(Debug)]
struct Outline {
    title: String,
    risk: Risk,
    actions: Vec<Action>,
    unpack: Vec<Unpack>,
    programs: Vec<Program>,
    loaders: Vec<LoaderCopy>,
    esp: Option<EspWork>,
    work: Option<ArrayWork>,
    wants: Vec<Wanted>,
    download: Option<Download>,
    minutes: u32,
    /// Why it cannot be done here.
    refused: Option<String>,
}

/// Renames take no time to speak of; a minute is the operator's.
const MINUTES: u32 = 1;

impl Default for Outline {
    /// Nothing to do, at no risk.
    fn default() -> Self {
        Self {
            title: String::new(),
            risk: Risk::Safe,
            actions: Vec::new(),
            unpack: Vec::new(),
            programs: Vec::new(),
            loaders: Vec::new(),
            esp: None,
            work: None,
            wants: Vec::new(),
            download: None,
            minutes: MINUTES,
            refused: None,
        }
    }
}

/// Every kind of repair that changes lines of files. Files are put as a whole,
/// so these are done first, all lines of a file together.
const EDITS: &[&EditKind] = &[
    &restore_array_entry::KIND,
    &pass_over_container::KIND,
    &correct_fstab_device::KIND,
    &correct_fstab_type::KIND,
    &correct_root_parameter::KIND,
    &comment_fstab_line::KIND,
    &comment_sshd_option::KIND,
    &correct_interfaces::KIND,
    &restore_shell::KIND,
    &restore_user::KIND,
    &choose_entry::LINE,
];

/// Every other kind of repair, in the order in which they are done: files first,
/// then arrays, so that a resync copies what was repaired.
const REPAIRS: &[&Kind] = &[
    &restore_system_directory::KIND,
    &restore_merged_link::KIND,
    &restore_package_lists::KIND,
    &restore_package_status::KIND,
    &restore_init_link::KIND,
    &restore_execute_bits::KIND,
    &restore_separation::KIND,
    &make_mount_points::KIND,
    &restore_default_target::KIND,
    &remove_nologin::KIND,
    &enable_service::KIND,
    &name_card::KIND,
    &close_connection::KIND,
    &trust_keys::KIND,
    &host_keys::KIND,
    &give_rights::KIND,
    &restore_package_files::KIND,
    &unpack_packages::KIND,
    &finish_packages::KIND,
    &rebuild_initramfs::KIND,
    &choose_entry::KIND,
    &write_menu::KIND,
    &copy_boot_loader::KIND,
    &put_loaders_on_esp::KIND,
    &start_degraded::KIND,
    &rejoin_leg::KIND,
];

/// One repair, worked out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Repair {
    /// The kind of repair.
    pub name: String,
    /// What it does, in a sentence.
    pub title: String,
    /// The finding that it removes.
    pub removes: Key,
    /// Findings that should vanish with it, because they follow from it.
    pub expected: Vec<Key>,
    /// What can go wrong.
    pub risk: Risk,
    /// Minutes that it takes.
    pub minutes: u32,
    /// Lines that it changes. All lines of a file are changed together, first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<Edit>,
    /// The changes of files, in order.
    pub actions: Vec<Action>,
    /// Packages that Lifeboot unpacks by itself after them, in a rehearsal.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unpack: Vec<Unpack>,
    /// Programs of the patient that are run after that: in a rehearsal, and
    /// what they changed there is made on the patient.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub programs: Vec<Program>,
    /// The disks that get a boot loader, after all files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub loaders: Vec<LoaderCopy>,
    /// Files that an EFI system partition gets, after all others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub esp: Option<EspWork>,
    /// Work on an array, which cannot be taken back. It is done only when the
    /// operator asked for this repair by name or agreed to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub work: Option<ArrayWork>,
    /// Packages that are not at hand, for what it leaves undone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub wants: Vec<Wanted>,
    /// What its programs lack, by apt's index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub download: Option<Download>,
}

impl Repair {
    /// One without name and steps, which are to be filled in.
    pub fn of_nothing(removes: Key, risk: Risk, minutes: u32) -> Self {
        Self {
            name: String::new(),
            title: String::new(),
            removes,
            expected: Vec::new(),
            risk,
            minutes,
            edits: Vec::new(),
            actions: Vec::new(),
            unpack: Vec::new(),
            programs: Vec::new(),
            loaders: Vec::new(),
            esp: None,
            work: None,
            wants: Vec::new(),
            download: None,
        }
    }

    /// True when this finding goes with it.
    pub fn covers(&self, key: &Key) -> bool {
        self.removes == *key || self.expected.contains(key)
    }

    /// True when the finding may stay, about other files.
    pub fn may_be_partial(&self) -> bool {
        !self.unpack.is_empty() && restore_package_files::is_about_many(&self.removes.id)
    }

    /// What is told of it when it cannot be done, and why.
    pub fn refused(self, why: String) -> Refused {
        Refused {
            title: self.title,
            removes: self.removes,
            why,
            wants: self.wants,
        }
    }
}

/// A repair that cannot be done on this tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Refused {
    /// What it would do.
    pub title: String,
    /// The finding that it would remove.
    pub removes: Key,
    /// Why it cannot be done.
    pub why: String,
    /// Packages that are not at hand, and with which it could.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub wants: Vec<Wanted>,
}
