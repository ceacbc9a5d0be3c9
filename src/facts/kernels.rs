//! Kernels, their initramfs and modules, and which of them GRUB starts.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::boot_files;
use super::grub::{self, Entry, Loader, Menu};
use super::grub_modules::{self, GrubModules};
use super::menus;
use crate::survey::Survey;
use crate::survey::esp::Loader as Program;
use crate::sys::root_dir::{Kind, RootDir};

/// One kernel release, by what lies on the disk for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kernel {
    /// `6.1.0-18-amd64`.
    pub release: String,
    /// Its image.
    pub image: String,
    /// True when the image looks like a whole kernel.
    pub whole: bool,
    /// What is wrong with the image, where something is.
    #[serde(default)]
    pub fault: Option<String>,
    /// The release that the image itself tells, where it does.
    #[serde(default)]
    pub own_release: Option<String>,
    /// True when there are modules for that one.
    #[serde(default)]
    pub own_modules: bool,
    /// Its initramfs, where there is one.
    pub initramfs: Option<String>,
    /// True when the initramfs begins like one; `initramfs` looks inside.
    pub initramfs_whole: bool,
    /// True when its modules and their index are there.
    pub modules: bool,
    /// True when there is a directory of modules, with or without an index.
    pub modules_directory: bool,
}

/// Everything about kernels.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kernels {
    /// The kernels in /boot, by name.
    pub kernels: Vec<Kernel>,
    /// What GRUB's configuration says.
    pub grub: Option<Menu>,
    /// What other boot loaders' configurations say.
    #[serde(default)]
    pub other_menus: Vec<Menu>,
    /// The boot loaders on the EFI system partitions of the disks.
    #[serde(default)]
    pub on_esps: Vec<Loader>,
    /// What GRUB's menu needs on a BIOS machine.
    #[serde(default)]
    pub grub_modules: Option<GrubModules>,
    /// The platforms that GRUB was installed for: `i386-pc`, `x86_64-efi`.
    #[serde(default)]
    pub grub_platforms: Vec<String>,
    /// Why /boot could not be read.
    pub unreadable: Option<String>,
}

impl Kernels {
    /// The menu that is in charge, where only one can be.
    pub fn menu(&self) -> Option<&Menu> {
        let may = |menu: &&Menu| match menu.loader {
            Loader::Extlinux => self.on_esps.is_empty() || self.grub.is_none(),
            own => self.on_esps.is_empty() || self.on_esps.contains(&own),
        };
        let mut all = self.grub.iter().chain(&self.other_menus).filter(may);
        let first = all.next()?;
        all.next().is_none().then_some(first)
    }

    /// The entry that is started without a key pressed, where that is known.
    pub fn default_entry(&self) -> Option<&Entry> {
        self.menu()?.default_entry()
    }

    /// The kernel whose image is `path`.
    pub fn by_image(&self, path: &str) -> Option<&Kernel> {
        self.kernels.iter().find(|kernel| kernel.image == path)
    }
}

/// Names of an initramfs, by distribution family.
fn initramfs_names(release: &str) -> [String; 4] {
    [
        format!("/boot/initrd.img-{release}"),
        format!("/boot/initramfs-{release}.img"),
        format!("/boot/initrd-{release}"),
        format!("/boot/initrd-{release}.img"),
    ]
}

pub(super) fn collect(root: &RootDir, survey: Option<&Survey>) -> Kernels {
    let mut kernels = Kernels {
        grub: grub::collect(root),
        other_menus: menus::others(root),
        on_esps: survey.map_or_else(Vec::new, on_esps),
        grub_modules: grub_modules::collect(root),
        grub_platforms: grub_modules::platforms(root),
        ..Kernels::default()
    };
    let entries = match root.read_dir("/boot") {
        Ok(entries) => entries,
        Err(error) => {
            kernels.unreadable = Some(error.to_string());
            return kernels;
        }
    };
    for entry in entries {
        let name = entry.name.to_string_lossy().into_owned();
        let Some(release) = name.strip_prefix("vmlinuz-") else {
            continue;
        };
        if entry.kind == Kind::Directory || !is_release(release) {
            continue;
        }
        let image = format!("/boot/{name}");
        let initramfs = initramfs_names(release)
            .into_iter()
            .find(|path| root.metadata(path).is_ok());
        let told = boot_files::release_of(root, &image);
        let own_release = told.as_ref().ok().cloned().flatten();
        kernels.kernels.push(Kernel {
            release: release.to_owned(),
            whole: told.is_ok(),
            fault: told.err(),
            own_modules: own_release
                .as_deref()
                .is_some_and(|own| has_modules(root, own, "modules.dep")),
            own_release,
            image,
            initramfs_whole: initramfs
                .as_deref()
                .is_some_and(|path| boot_files::is_initramfs(root, path)),
            initramfs,
            modules: has_modules(root, release, "modules.dep"),
            modules_directory: has_modules(root, release, "kernel"),
        });
    }
    kernels
}

/// The boot loaders of Linux on the EFI system partitions.
fn on_esps(survey: &Survey) -> Vec<Loader> {
    let parts = survey.disks.iter().flat_map(|disk| &disk.partitions);
    let esps = parts.filter(|part| part.purpose == "esp");
    let files = esps
        .filter_map(|part| part.esp.as_ref())
        .flat_map(|esp| &esp.files);
    let mut found = Vec::new();
    for program in files.filter_map(|file| file.program.as_ref()) {
        let loader = match program.loader {
            Program::Grub { .. } => Loader::Grub,
            Program::SystemdBoot => Loader::SystemdBoot,
            _ => continue,
        };
        if !found.contains(&loader) {
            found.push(loader);
        }
    }
    found
}

/// True for the name of a release, not of a leftover (`.dpkg-new`, `.old`) or
/// of a rescue entry (`0-rescue-ID`).
fn is_release(name: &str) -> bool {
    let leftover = [
        ".dpkg-new",
        ".dpkg-tmp",
        ".dpkg-bak",
        ".old",
        ".bak",
        ".efi.signed",
    ];
    name.starts_with(|c: char| c.is_ascii_digit())
        && !name.contains("-rescue-")
        && !leftover.iter().any(|end| name.ends_with(end))
}

fn has_modules(root: &RootDir, release: &str, name: &str) -> bool {
    ["/lib/modules", "/usr/lib/modules"].iter().any(|base| {
        let path = Path::new(base).join(release).join(name);
        root.metadata(path).is_ok_and(|meta| meta.size > 0)
    })
}
