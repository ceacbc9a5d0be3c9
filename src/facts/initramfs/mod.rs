//! The initramfs of a kernel, unpacked in memory and examined as a root.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use self::drivers::Need;
use super::boot_files;
use super::kernels::{Kernel, Kernels};
use super::mounts::{self, Device, Mounts};
use crate::assembly::Assembly;
use crate::kmod::index::Index;
use crate::survey::Survey;
use crate::sys::root_dir::RootDir;
use crate::sysroot::SysrootInfo;

pub mod archive;
pub mod bare;
pub mod drivers;
pub mod image;
pub mod layers;

pub use bare::Bare;
pub use image::{Builder, Image};
pub use layers::Layers;

/// Images that are unpacked: that of the kernel that is started by default,
/// and of the newest other one. Each takes some tenths of a second.
const IMAGES_MAX: usize = 2;

/// What is known of the images.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Initramfs {
    /// The images that were unpacked; the first one is started by default.
    pub images: Vec<Image>,
    /// Releases whose images were not.
    pub not_unpacked: Vec<String>,
    /// Kernels that have none.
    #[serde(default)]
    pub bare: Vec<Bare>,
    /// What the kernel or an image waits for to resume from, where it says so:
    /// where that is said, the device, and what it means on these disks.
    pub resume: Option<(String, String, Device)>,
    /// Files of a build that did not end, and copies, in /boot.
    pub leftovers: Vec<String>,
    /// Bytes that are free on the filesystem of /boot, and inodes.
    pub room: Option<(u64, u64)>,
}

impl Initramfs {
    /// The image of a kernel, where it was unpacked.
    pub fn of(&self, release: &str) -> Option<&Image> {
        self.images.iter().find(|image| image.release == release)
    }
}

/// Where the images and their surroundings come from.
#[derive(Clone, Copy)]
pub(super) struct Sources<'a> {
    pub(super) root: &'a RootDir,
    pub(super) info: &'a SysrootInfo,
    pub(super) survey: &'a Survey,
    pub(super) assembly: &'a Assembly,
    /// True when the disks are the patient's.
    pub(super) on_disks: bool,
    pub(super) kernels: &'a Kernels,
    pub(super) mounts: &'a Mounts,
}

pub(super) fn collect(sources: Sources<'_>) -> Initramfs {
    let Sources { root, kernels, .. } = sources;
    let mut wanted = in_order(root, kernels);
    let rest = wanted.split_off(wanted.len().min(IMAGES_MAX));
    let images: Vec<Image> = wanted
        .into_par_iter()
        .map(|(release, path)| examine(sources, &release, &path))
        .collect();
    Initramfs {
        resume: resume(sources, images.first()),
        bare: bare::collect(sources),
        images,
        not_unpacked: rest.into_iter().map(|(release, _)| release).collect(),
        leftovers: leftovers(root),
        room: root.room("/boot").ok().map(|room| {
            let files = if room.files == 0 {
                u64::MAX
            } else {
                room.files_free
            };
            (room.bytes_free, files)
        }),
    }
}

/// The releases and the images of their kernels: the default one first, then
/// the newest.
fn in_order(root: &RootDir, kernels: &Kernels) -> Vec<(String, String)> {
    let mut all: Vec<&Kernel> = kernels.kernels.iter().filter(|k| k.whole).collect();
    all.sort_by_cached_key(|kernel| std::cmp::Reverse(parts(&kernel.release)));
    let default = kernels.default_entry();
    let mut wanted: Vec<(String, String)> = Vec::new();
    if let Some(entry) = default {
        let own = entry.initramfs.iter().rev();
        let named = own.clone().find(|file| file.contains("/initr"));
        let release = match kernels.by_image(&entry.kernel) {
            Some(kernel) => kernel.runs_as().to_owned(),
            None => told(root, &entry.kernel).unwrap_or_else(|| name_of(&entry.kernel)),
        };
        if let Some(path) = named.or_else(|| entry.initramfs.last()) {
            wanted.push((release, path.clone()));
        }
    }
    for kernel in all {
        if let Some(path) = &kernel.initramfs
            && wanted
                .iter()
                .all(|(release, _)| release != kernel.runs_as())
        {
            wanted.push((kernel.runs_as().to_owned(), path.clone()));
        }
    }
    wanted
}

/// What a kernel outside of /boot, or of another name, calls itself.
fn told(root: &RootDir, path: &str) -> Option<String> {
    boot_files::release_of(root, path).ok().flatten()
}

fn name_of(path: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.strip_prefix("vmlinuz-").unwrap_or(name).to_owned()
}

/// Numbers and words of a release, so that 6.10 comes after 6.9.
fn parts(release: &str) -> Vec<(u64, String)> {
    let pieces = release.split(['.', '-', '+', '_', '~']);
    pieces
        .map(|piece| (piece.parse().unwrap_or(0), piece.to_owned()))
        .collect()
}

/// The modules of a kernel, and what of them leads to the root.
fn needs_of(sources: Sources<'_>, release: &str) -> (Option<Index>, Vec<Need>) {
    // Aliases are many, and only wanted where a controller is known.
    let mut disks = sources.survey.disks.iter();
    let aliases = disks.any(|d| !d.modaliases.is_empty());
    let index = drivers::index(sources.root, release, aliases && sources.on_disks);
    let none = Index::default();
    let (no_disks, nothing) = (Survey::default(), Assembly::default());
    let (survey, assembly) = match sources.on_disks {
        true => (sources.survey, sources.assembly),
        false => (&no_disks, &nothing),
    };
    let needs = drivers::needs(
        sources.info,
        survey,
        assembly,
        sources.mounts,
        index.as_ref().unwrap_or(&none),
    );
    (index, needs)
}

fn examine(sources: Sources<'_>, release: &str, path: &str) -> Image {
    let (index, needs) = needs_of(sources, release);
    let disks = sources
        .on_disks
        .then_some((sources.survey, sources.assembly));
    let meaning = |spec: &str| mounts::meaning(sources.root, disks, spec);
    image::examine(
        sources.root,
        release,
        path,
        index.as_ref(),
        &needs,
        &meaning,
    )
}

fn resume(sources: Sources<'_>, image: Option<&Image>) -> Option<(String, String, Device)> {
    let menu = sources.kernels.menu();
    let entry = sources.kernels.default_entry();
    if entry.is_some_and(|entry| {
        entry
            .command_line
            .split_whitespace()
            .any(|w| w == "noresume")
    }) {
        return None;
    }
    let by_kernel = entry.and_then(|entry| Some((menu?.path.clone(), entry.parameter("resume")?)));
    let (place, spec) = match by_kernel {
        Some((place, spec)) => (place, spec.to_owned()),
        None => (image?.path.clone(), image?.resume.clone()?),
    };
    // Words of initramfs-tools, no devices.
    if spec == "none" || spec == "auto" {
        return None;
    }
    let disks = sources
        .on_disks
        .then_some((sources.survey, sources.assembly));
    let meaning = mounts::meaning(sources.root, disks, &spec);
    Some((place, spec, meaning))
}

/// Names that update-initramfs, dpkg and others leave in /boot.
fn leftovers(root: &RootDir) -> Vec<String> {
    let entries = root.read_dir("/boot").unwrap_or_default();
    let names = entries
        .into_iter()
        .map(|e| e.name.to_string_lossy().into_owned());
    let ends = [
        ".new",
        ".dpkg-bak",
        ".dpkg-new",
        ".dpkg-tmp",
        ".tmp",
        ".bak",
    ];
    names
        .filter(|name| name.starts_with("initr") || name.starts_with("vmlinuz"))
        .filter(|name| ends.iter().any(|end| name.ends_with(end)))
        .map(|name| format!("/boot/{name}"))
        .take(16)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_releases_come_later() {
        assert!(parts("6.10.1-amd64") > parts("6.9.12-amd64"));
        assert!(parts("6.1.0-18-amd64") > parts("6.1.0-9-amd64"));
        assert_eq!(name_of("/boot/vmlinuz-linux"), "linux");
    }
}
