//! Kernels, their initramfs and modules, and which of them GRUB starts.

use std::collections::HashMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::boot_files;
use super::grub::{self, Entry, Loader, Menu};
use super::grub_files::{self, GrubFiles};
use super::grub_modules::{self, GrubModules};
use super::grub_settings::{self, GrubSettings};
use super::menus;
use crate::survey::Survey;
use crate::survey::esp::Loader as Program;
use crate::sys::root_dir::{self, Kind, RootDir};

/// Most names of kernels in /boot; a real one has some dozens at most.
const NAMES_MAX: usize = 1000;

/// One kernel release, by what lies on the disk for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Kernel {
    /// `6.1.0-18-amd64`: by the name of its image, or where that has none
    /// (`vmlinuz-linux`), by what the image tells.
    pub release: String,
    /// Its image.
    pub image: String,
    /// Links to it in /boot.
    #[serde(default)]
    pub links: Vec<String>,
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
    /// Where another GRUB for a BIOS machine can be had; none without disks.
    #[serde(default)]
    pub grub_files: Option<GrubFiles>,
    /// What a new menu of GRUB is written by.
    #[serde(default)]
    pub grub_settings: GrubSettings,
    /// The platforms that GRUB was installed for: `i386-pc`, `x86_64-efi`.
    #[serde(default)]
    pub grub_platforms: Vec<String>,
    /// Why /boot could not be read.
    pub unreadable: Option<String>,
}

impl Kernel {
    /// The release that it is once it runs: where its modules are looked for.
    pub fn runs_as(&self) -> &str {
        let own = self.own_release.as_deref();
        own.filter(|_| self.own_modules).unwrap_or(&self.release)
    }
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

/// Names of an initramfs, by distribution family, for an image called
/// `vmlinuz-NAME`, or `vmlinuz`.
fn initramfs_names(name: &str) -> [String; 4] {
    let dash = if name.is_empty() { "" } else { "-" };
    [
        format!("/boot/initrd.img{dash}{name}"),
        format!("/boot/initramfs{dash}{name}.img"),
        format!("/boot/initrd{dash}{name}"),
        format!("/boot/initrd{dash}{name}.img"),
    ]
}

pub(super) fn collect(root: &RootDir, survey: Option<&Survey>) -> Kernels {
    let modules = grub_modules::collect(root);
    let mut kernels = Kernels {
        grub: grub::collect(root),
        other_menus: menus::others(root),
        on_esps: survey.map_or_else(Vec::new, on_esps),
        grub_files: survey.and_then(|own| grub_files::collect(root, own, modules.as_ref())),
        grub_modules: modules,
        grub_settings: grub_settings::collect(root),
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
    let Some((images, links)) = names(root, &entries) else {
        kernels.unreadable = Some(format!("more than {NAMES_MAX} names of kernels"));
        return kernels;
    };
    for menu in kernels.grub.iter_mut().chain(&mut kernels.other_menus) {
        menu.follow(&links);
    }
    let menus: Vec<&Menu> = kernels.grub.iter().chain(&kernels.other_menus).collect();
    let found = images
        .into_iter()
        .filter_map(|(image, name)| look(root, &menus, &links, image, &name));
    let found: Vec<Kernel> = found.collect();
    kernels.kernels = found;
    kernels
}

/// Pairs of an image and what follows `vmlinuz-`, and of a link and its image;
/// none where there are too many.
type Names = (Vec<(String, String)>, Vec<(String, String)>);

fn names(root: &RootDir, entries: &[root_dir::Entry]) -> Option<Names> {
    let (mut images, mut links) = (Vec::new(), Vec::new());
    let mut named = Vec::new();
    for entry in entries {
        let file = entry.name.to_string_lossy();
        let Some(name) = name_of(&file) else {
            continue;
        };
        if images.len() + named.len() >= NAMES_MAX {
            return None;
        }
        let (image, name) = (format!("/boot/{file}"), name.to_owned());
        match entry.kind {
            Kind::File => images.push((image, name)),
            Kind::Symlink => {
                // One that leads nowhere is no kernel.
                if let Ok(end) = root.resolve(&image) {
                    named.push((end.path.to_string_lossy().into_owned(), image, name));
                }
            }
            Kind::Directory | Kind::Special => {}
        }
    }
    // Of several names for one that is called otherwise, or lies elsewhere,
    // that with a release counts.
    named.sort_by_key(|(_, _, name)| !is_release(name));
    let mut known: HashMap<String, String> = images
        .iter()
        .map(|(image, _)| (image.clone(), image.clone()))
        .collect();
    for (end, image, name) in named {
        if let Some(first) = known.get(&end) {
            links.push((image, first.clone()));
        } else {
            known.insert(end, image.clone());
            images.push((image, name));
        }
    }
    Some((images, links))
}

fn look(
    root: &RootDir,
    menus: &[&Menu],
    links: &[(String, String)],
    image: String,
    name: &str,
) -> Option<Kernel> {
    let told = boot_files::release_of(root, &image);
    let own_release = told.as_ref().ok().cloned().flatten();
    let release = match is_release(name) {
        true => name.to_owned(),
        false => own_release.clone()?,
    };
    let by_name = initramfs_names(name)
        .into_iter()
        .find(|path| root.metadata(path).is_ok());
    let initramfs = by_name.or_else(|| {
        let named = menus.iter().find_map(|menu| menu.initramfs_of(&image));
        named.map(str::to_owned)
    });
    let own = links.iter().filter(|(_, target)| *target == image);
    Some(Kernel {
        whole: told.is_ok(),
        fault: told.err(),
        own_modules: own_release
            .as_deref()
            .is_some_and(|own| has_modules(root, own, "modules.dep")),
        own_release,
        links: own.map(|(link, _)| link.clone()).collect(),
        initramfs_whole: initramfs
            .as_deref()
            .is_some_and(|path| boot_files::is_initramfs(root, path)),
        initramfs,
        modules: has_modules(root, &release, "modules.dep"),
        modules_directory: has_modules(root, &release, "kernel"),
        image,
        release,
    })
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

fn is_release(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_digit())
}

/// What follows `vmlinuz-`; nothing for a leftover (`.dpkg-new`, `.old`) or a
/// rescue entry (`0-rescue-ID`).
fn name_of(file: &str) -> Option<&str> {
    let leftover = [
        ".dpkg-new",
        ".dpkg-tmp",
        ".dpkg-bak",
        ".old",
        ".bak",
        ".efi.signed",
    ];
    let name = match file.strip_prefix("vmlinuz")? {
        "" => "",
        rest => rest.strip_prefix('-')?,
    };
    let is_one = !name.contains("-rescue-") && !leftover.iter().any(|end| name.ends_with(end));
    is_one.then_some(name)
}

fn has_modules(root: &RootDir, release: &str, name: &str) -> bool {
    ["/lib/modules", "/usr/lib/modules"].iter().any(|base| {
        let path = Path::new(base).join(release).join(name);
        root.metadata(path).is_ok_and(|meta| meta.size > 0)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use super::*;

    /// The header of an x86 kernel that calls itself `release`.
    fn kernel(release: &str) -> Vec<u8> {
        let mut image = vec![0; 1056];
        image[0x1F1] = 1;
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image[0x20E] = 0x80;
        image[0x280..][..release.len()].copy_from_slice(release.as_bytes());
        image
    }

    fn boot(files: &[(&str, &[u8])]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let boot = folder.path().join("boot");
        for (path, bytes) in files {
            let path = boot.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        (folder, boot)
    }

    #[test]
    fn a_kernel_without_a_release_in_its_name_tells_it_itself() {
        let (folder, _) = boot(&[
            ("vmlinuz-linux", &kernel("6.9.1-arch1-1 (x) #1")),
            ("initramfs-linux.img", b"070701"),
            ("../lib/modules/6.9.1-arch1-1/modules.dep", b"x"),
        ]);
        let root = RootDir::open(folder.path()).unwrap();
        let found = collect(&root, None).kernels;
        assert_eq!(found[0].release, "6.9.1-arch1-1");
        assert_eq!(
            found[0].initramfs.as_deref(),
            Some("/boot/initramfs-linux.img")
        );
        assert!(found[0].modules && found[0].initramfs_whole);
    }

    #[test]
    fn the_menu_names_an_initramfs_that_no_name_leads_to() {
        let menu = b"set default=0\nmenuentry x {\nlinux /boot/vmlinuz-6.1 root=/dev/sda1\n\
            initrd /boot/intel-ucode.img /boot/initramfs.img\n}\n";
        let (folder, _) = boot(&[
            ("vmlinuz-6.1", &kernel("6.1 (x)")),
            ("initramfs.img", b"070701"),
            ("intel-ucode.img", b"070701"),
            ("grub/grub.cfg", menu),
        ]);
        let root = RootDir::open(folder.path()).unwrap();
        let found = collect(&root, None).kernels;
        assert_eq!(found[0].initramfs.as_deref(), Some("/boot/initramfs.img"));
    }

    #[test]
    fn links_are_names_of_a_kernel_and_no_kernels() {
        let menu = b"set default=0\nmenuentry x {\nlinux /boot/vmlinuz-4.19-xen\n}\n";
        let (folder, at) = boot(&[
            ("vmlinuz-4.19.0+1", &kernel("4.19.0+1 (x)")),
            ("vmlinuz-4.19.0+1.old", b"x"),
            ("vmlinuz-0-rescue-1", b"x"),
            ("grub/grub.cfg", menu),
        ]);
        symlink("vmlinuz-4.19.0+1", at.join("vmlinuz-4.19-xen")).unwrap();
        symlink("vmlinuz-4.4.0", at.join("vmlinuz-4.4-xen")).unwrap();
        // openSUSE's lie with their modules.
        let modules = folder.path().join("usr/lib/modules/6.4.0-default");
        fs::create_dir_all(&modules).unwrap();
        fs::write(modules.join("vmlinuz"), kernel("6.4.0-default (x)")).unwrap();
        let there = "../usr/lib/modules/6.4.0-default/vmlinuz";
        symlink(there, at.join("vmlinuz-6.4.0-default")).unwrap();
        symlink("vmlinuz-6.4.0-default", at.join("vmlinuz")).unwrap();
        // One that is called otherwise is known by its link alone.
        fs::write(at.join("bzImage"), kernel("5.4 (x)")).unwrap();
        symlink("bzImage", at.join("vmlinuz-5.4")).unwrap();
        let root = RootDir::open(folder.path()).unwrap();
        let kernels = collect(&root, None);
        let [only, own, elsewhere] = kernels.kernels.as_slice() else {
            unreachable!("{kernels:?}")
        };
        assert_eq!(own.image, "/boot/vmlinuz-5.4");
        assert_eq!(elsewhere.image, "/boot/vmlinuz-6.4.0-default");
        assert_eq!(elsewhere.links, ["/boot/vmlinuz"]);
        assert_eq!(only.links, ["/boot/vmlinuz-4.19-xen"]);
        let grub = kernels.grub.as_ref().unwrap();
        let entry = grub.default_entry().unwrap();
        assert_eq!(kernels.by_image(&entry.kernel), Some(only));
    }
}
