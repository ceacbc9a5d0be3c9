//! Stage 4, facts: everything the checks may know, collected once.
//!
//! Facts are plain data that can be saved and loaded: a captured machine is a
//! fixture. What could not be read is part of them.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::assembly::Assembly;
use crate::survey::Survey;
use crate::survey::esp::EspFile;
use crate::sys::root_dir::RootDir;
use crate::sysroot::{Origin, Search, Sysroot};

mod boot_files;
pub mod critical;
pub mod database;
pub mod earlier;
pub mod efi_programs;
pub mod elf;
pub mod grub;
pub mod grub_files;
pub mod grub_modules;
pub mod grub_settings;
pub mod history;
pub mod init;
pub mod initramfs;
mod intact;
pub mod integrity;
pub mod kernels;
pub mod last_panic;
pub mod layout;
mod library_path;
mod md5_sum;
pub mod mdadm_conf;
mod menus;
pub mod mounts;
pub mod os;
pub mod outside;
pub mod packages;
pub mod place;
pub mod private;
pub mod reach;
pub mod same_version;
pub mod sha256_sum;
mod shell;
pub mod text_file;
pub mod toolbox;
pub mod units;

use critical::Critical;
use earlier::Earlier;
use elf::{Loader, Surroundings};
use history::History;
use init::Init;
use initramfs::Initramfs;
use integrity::Integrity;
use kernels::Kernels;
use last_panic::Archive;
use layout::Layout;
use mdadm_conf::MdadmConf;
use mounts::Mounts;
use os::Os;
use outside::Outside;
use packages::Packages;
use private::Private;
use reach::Reach;
use same_version::SameVersion;
use toolbox::Toolbox;

/// What is known of the patient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Facts {
    /// The disks.
    pub survey: Survey,
    /// The arrays.
    pub assembly: Assembly,
    /// The search for a root.
    pub search: Search,
    /// The tree, where one was found.
    pub tree: Option<Tree>,
}

/// What is known of the root tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Tree {
    /// How it was come by.
    pub origin: Origin,
    /// The distribution.
    pub os: Os,
    /// The package database.
    pub packages: Packages,
    /// Packages that are not finished and own a part of what starts PID 1.
    pub unfinished_on_the_way: Vec<String>,
    /// The shape of the tree.
    pub layout: Layout,
    /// PID 1.
    pub init: Init,
    /// What the boot needs behind PID 1.
    #[serde(default)]
    pub critical: Critical,
    /// Programs of the boot without an execute bit that are as shipped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub intact: Vec<place::Place>,
    /// Programs that the boot does not need.
    #[serde(default)]
    pub outside: Outside,
    /// The files of packages, against what their packages say of them.
    #[serde(default)]
    pub integrity: Integrity,
    /// What surrounds the dynamic loader.
    #[serde(default)]
    pub surroundings: Surroundings,
    /// Kernels and boot loader configuration.
    pub kernels: Kernels,
    /// Boot loaders for UEFI that its packages brought.
    #[serde(default)]
    pub efi_programs: Vec<EspFile>,
    /// What is inside the initramfs.
    #[serde(default)]
    pub initramfs: Initramfs,
    /// fstab.
    pub mounts: Mounts,
    /// mdadm.conf.
    #[serde(default)]
    pub mdadm_conf: MdadmConf,
    /// What somebody who comes over the network meets.
    #[serde(default)]
    pub reach: Reach,
    /// Names that `--redact` leaves out.
    #[serde(default)]
    pub private: Private,
    /// What dpkg needs to do its work.
    #[serde(default)]
    pub toolbox: Toolbox,
    /// What damaged files can be brought back from.
    #[serde(default)]
    pub same_version: SameVersion,
    /// Earlier repairs by Lifeboot.
    pub earlier: Earlier,
    /// Panics that the system archived.
    #[serde(default)]
    pub last_panic: Archive,
    /// What happened to it, as its logs tell.
    #[serde(default)]
    pub history: History,
    /// Parts of the collecting that failed by a fault of Lifeboot's own.
    pub failed: Vec<String>,
}

impl Facts {
    /// Collects the facts of an opened machine. With `verify`, every file of a
    /// package is read, and how far that is gets told; else the boot's are.
    pub fn collect(
        survey: &Survey,
        assembly: &Assembly,
        search: Search,
        sysroot: Option<&Sysroot>,
        verify: Option<&mut integrity::Told<'_>>,
    ) -> Self {
        let tree = sysroot.map(|sysroot| Tree::collect(sysroot, survey, assembly, verify));
        let mut survey = survey.clone();
        // Collecting reads a good part of the disks, and the kernel tells what
        // it met.
        survey.hear_again();
        Self {
            survey,
            assembly: assembly.clone(),
            search,
            tree,
        }
    }

    /// Looks for packages in folders of the rescue system as well, where dpkg of
    /// the tree `root` cannot run or files of packages are damaged.
    pub fn look_into(&mut self, root: &RootDir, folders: &[&Path]) {
        if let Some(tree) = &mut self.tree
            && let Packages::Dpkg(dpkg) = &tree.packages
        {
            tree.toolbox.look_around(root, dpkg, folders);
            let damaged = &tree.integrity.damaged;
            tree.same_version.look_around(root, dpkg, damaged, folders);
        }
    }

    /// True when the patient's disks were there to be looked at.
    pub fn has_disks(&self) -> bool {
        match &self.search {
            Search::Found(info) => info.origin != Origin::Directory,
            _ => true,
        }
    }
}

impl Tree {
    fn collect(
        sysroot: &Sysroot,
        survey: &Survey,
        assembly: &Assembly,
        verify: Option<&mut integrity::Told<'_>>,
    ) -> Self {
        let root = &sysroot.root;
        let on_disks = sysroot.info.origin != Origin::Directory;
        let mut failed = Vec::new();
        let disks = on_disks.then_some((survey, assembly));
        let ((kernels, mounts), (packages, owners)) = std::thread::scope(|scope| {
            let boot = scope.spawn(|| {
                let kernels = kernels::collect(root, on_disks.then_some(survey));
                let default = kernels.default_entry();
                let mut mounts =
                    mounts::collect(root, disks, default.and_then(|e| e.parameter("root")));
                if let Some(menu) = kernels.menu() {
                    mounts.read_root_files(root, &menu.path);
                }
                (kernels, mounts)
            });
            let packages = packages::collect(root, packages::Depth::Usual);
            (joined("kernels and mounts", boot, &mut failed), packages)
        });
        let layout = layout::collect(root, &owners);
        let loader = Loader::open(root);
        let asked = kernels
            .default_entry()
            .and_then(|entry| entry.parameter("init"))
            .unwrap_or(init::USUAL)
            .to_owned();
        let words = reach::command_line(&kernels).unwrap_or_default();
        let is_writable = words.split_whitespace().any(|word| word == "rw");
        let init = init::collect(root, &loader, &owners, &layout, (&asked, is_writable));
        let sources = critical::Sources {
            root,
            loader: &loader,
            owners: &owners,
            layout: &layout,
            init: &init,
            kernels: &kernels,
            mounts: &mounts,
        };
        let (critical, surroundings) = std::thread::scope(|scope| {
            let critical = scope.spawn(|| critical::collect(sources));
            let first = init.best_closure();
            let around = scope.spawn(|| elf::surroundings::collect(&loader, &owners, first));
            (
                joined("what the boot needs", critical, &mut failed),
                joined("what surrounds the loader", around, &mut failed),
            )
        });
        let intact = intact::not_executable(root, &owners, &init, &critical);
        let scope = integrity::Scope {
            whole: verify.is_some(),
            hidden: integrity::hidden(&layout, &mounts),
            boot: integrity::BootFiles::of(root, &init, &critical),
        };
        let images = initramfs::Sources {
            root,
            info: &sysroot.info,
            survey,
            assembly,
            on_disks,
            kernels: &kernels,
            mounts: &mounts,
        };
        let (outside, integrity, history, reach, initramfs) = std::thread::scope(|threads| {
            let images = threads.spawn(|| initramfs::collect(images));
            let scan = threads.spawn(|| outside::collect(&loader, &owners, &layout, &critical));
            let files = threads.spawn(|| match verify {
                Some(told) => integrity::collect(root, &scope, told),
                None => integrity::collect(root, &scope, &mut |_, _| {}),
            });
            let history = threads.spawn(|| history::collect(root, &owners, &layout));
            let reach = threads.spawn(|| reach::collect(root, reach::command_line(&kernels)));
            (
                joined("all programs", scan, &mut failed),
                joined("the files of packages", files, &mut failed),
                joined("the history", history, &mut failed),
                joined("network and logins", reach, &mut failed),
                joined("the initramfs", images, &mut failed),
            )
        });
        let unfinished_on_the_way = on_the_way(&packages, &owners, &init);
        let toolbox = toolbox::collect(root, &loader, &owners, &layout, &packages);
        let mut tree = Self {
            origin: sysroot.info.origin,
            os: os::collect(root),
            packages,
            unfinished_on_the_way,
            layout,
            init,
            critical,
            intact,
            outside,
            integrity,
            surroundings,
            kernels,
            efi_programs: efi_programs::collect(root, on_disks.then_some(survey)),
            initramfs,
            mounts,
            mdadm_conf: mdadm_conf::collect(root),
            reach,
            private: private::collect(root),
            toolbox,
            same_version: SameVersion::default(),
            earlier: earlier::collect(root),
            last_panic: last_panic::collect(root),
            history,
            failed,
        };
        tree.same_version = same_version::collect(root, &owners, &tree);
        tree
    }
}

/// What a collecting thread found; a panic in it is noted, never passed on.
fn joined<T: Default>(
    what: &str,
    thread: std::thread::ScopedJoinHandle<'_, T>,
    failed: &mut Vec<String>,
) -> T {
    thread.join().unwrap_or_else(|_| {
        failed.push(what.to_owned());
        T::default()
    })
}

/// Unfinished packages that own something of what starts PID 1.
fn on_the_way(packages: &Packages, owners: &packages::Ownership, init: &Init) -> Vec<String> {
    let Packages::Dpkg(dpkg) = packages else {
        return Vec::new();
    };
    let closure = init.best_closure();
    let mut names: Vec<&str> = closure
        .objects
        .iter()
        .flat_map(|object| [&object.path, &object.real_path])
        .chain(&closure.path)
        .chain(&init.trail)
        .filter_map(|path| owners.owner_merged(path.as_ref()))
        .collect();
    names.sort_unstable();
    names.dedup();
    dpkg.unfinished()
        .iter()
        .filter(|package| names.contains(&package.name.as_str()))
        .map(|package| format!("{} ({})", package.label(), package.state.word()))
        .collect()
}
