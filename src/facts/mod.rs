//! Stage 4, facts: everything the checks may know, collected once.
//!
//! Facts are plain data that can be saved and loaded: a captured machine is a
//! fixture. What could not be read is part of them.

use serde::{Deserialize, Serialize};

use crate::assembly::Assembly;
use crate::survey::Survey;
use crate::sysroot::{Origin, Search, Sysroot};

mod boot_files;
pub mod earlier;
pub mod elf;
pub mod grub;
pub mod init;
pub mod kernels;
pub mod layout;
pub mod mounts;
pub mod os;
pub mod packages;

use earlier::Earlier;
use elf::Loader;
use init::Init;
use kernels::Kernels;
use layout::Layout;
use mounts::Mounts;
use os::Os;
use packages::Packages;

/// What is known of the patient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Kernels and boot loader configuration.
    pub kernels: Kernels,
    /// fstab.
    pub mounts: Mounts,
    /// Earlier repairs by Lifeboot.
    pub earlier: Earlier,
    /// Parts of the collecting that failed by a fault of Lifeboot's own.
    pub failed: Vec<String>,
}

impl Facts {
    /// Collects the facts of an opened machine.
    pub fn collect(
        survey: &Survey,
        assembly: &Assembly,
        search: Search,
        sysroot: Option<&Sysroot>,
    ) -> Self {
        Self {
            survey: survey.clone(),
            assembly: assembly.clone(),
            search,
            tree: sysroot.map(|sysroot| Tree::collect(sysroot, survey, assembly)),
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
    fn collect(sysroot: &Sysroot, survey: &Survey, assembly: &Assembly) -> Self {
        let root = &sysroot.root;
        let on_disks = sysroot.info.origin != Origin::Directory;
        let mut failed = Vec::new();
        let disks = on_disks.then_some((survey, assembly));
        let ((kernels, mounts), (packages, owners)) = std::thread::scope(|scope| {
            let boot = scope.spawn(|| {
                let kernels = kernels::collect(root);
                let default = kernels.grub.as_ref().and_then(|grub| grub.default_entry());
                let mounts =
                    mounts::collect(root, disks, default.and_then(|e| e.parameter("root")));
                (kernels, mounts)
            });
            let packages = packages::collect(root);
            (joined("kernels and mounts", boot, &mut failed), packages)
        });
        let layout = layout::collect(root, &owners);
        let loader = Loader::open(root);
        let asked = kernels
            .grub
            .as_ref()
            .and_then(|grub| grub.default_entry()?.parameter("init"))
            .unwrap_or(init::USUAL)
            .to_owned();
        let init = init::collect(root, &loader, &owners, &layout, &asked);
        let unfinished_on_the_way = on_the_way(&packages, &owners, &init);
        Self {
            origin: sysroot.info.origin,
            os: os::collect(root),
            packages,
            unfinished_on_the_way,
            layout,
            init,
            kernels,
            mounts,
            earlier: earlier::collect(root),
            failed,
        }
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
