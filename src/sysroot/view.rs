//! A filesystem's devices, with what lies between them and the mount: a
//! barrier against writes, or an overlay in memory that takes them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::Journal;
use super::filesystems::Filesystem;
use crate::assembly::device::Device;
use crate::assembly::without_dm;
use crate::kmod;
use crate::sys::consent::WriteToken;
use crate::sys::loopdev::Access;
use crate::sys::memory_overlay::MemoryOverlay;
use crate::sys::mount::Mounted;

/// Character sets that vfat is mounted with by default.
const FAT_CHARSETS: [&str; 4] = ["nls_cp437", "nls_ascii", "nls_iso8859_1", "nls_utf8"];

/// The devices of a filesystem as they are mounted.
#[derive(Debug)]
pub(super) struct View {
    // Dropped in this order: what stands on top first.
    overlays: Vec<MemoryOverlay>,
    devices: Vec<Device>,
    /// What became of the journal.
    pub(super) journal: Journal,
    writable: bool,
}

impl View {
    /// The devices without an overlay.
    fn plain(filesystem: &Filesystem, access: Access) -> Result<Self> {
        let devices = filesystem.volumes().map(|volume| {
            Device::open(&volume.source, volume.sector_bytes, access)
                .with_context(|| format!("a view of {}", volume.name))
        });
        let devices: Vec<Device> = devices.collect::<Result<_>>()?;
        let bare = devices.iter().any(|device| !device.is_barred());
        if access == Access::ReadOnly && bare && filesystem.signature.orphans {
            bail!(
                "mounting it would write (deleted files wait to be freed), and without a \
                 loop driver nothing keeps that off the disk"
            );
        }
        Ok(Self {
            overlays: Vec::new(),
            devices,
            journal: Journal::Clean,
            writable: access == Access::ReadWrite,
        })
    }

    /// The devices with an overlay in memory over each.
    fn overlaid(filesystem: &Filesystem) -> Result<Self> {
        if let Some(why) = without_dm(&["dm_snapshot"]) {
            bail!("{why}");
        }
        let mut view = Self::plain(filesystem, Access::ReadOnly)?;
        for device in &view.devices {
            let overlay = MemoryOverlay::over(device.path()).context("an overlay in memory")?;
            view.overlays.push(overlay);
        }
        view.journal = Journal::Replayed;
        Ok(view)
    }

    fn paths(&self) -> Vec<&Path> {
        if self.overlays.is_empty() {
            self.devices.iter().map(Device::path).collect()
        } else {
            self.overlays.iter().map(MemoryOverlay::node).collect()
        }
    }

    /// Mounts it at `point`.
    fn mount(
        &self,
        filesystem: &Filesystem,
        subvolume: Option<&str>,
        point: &Path,
        consent: Option<&WriteToken>,
    ) -> Result<Mounted> {
        let format = filesystem.signature.format.as_str();
        let paths = self.paths();
        let first = paths.first().context("it has no device")?;
        let more = options(filesystem, subvolume, &paths)?;
        let mounted = match consent {
            Some(consent) => Mounted::for_writing(first, format, point, &more, consent),
            None if self.overlays.is_empty() => Mounted::look(first, format, point, &more),
            None => Mounted::look_replayed(first, format, point, &more),
        };
        Ok(mounted?)
    }

    fn overflowed(&self) -> bool {
        self.overlays.iter().any(MemoryOverlay::overflowed)
    }

    /// Closes it and says what did not close.
    ///
    /// # Errors
    /// The kernel's.
    pub(super) fn close(mut self) -> Result<()> {
        while let Some(overlay) = self.overlays.pop() {
            overlay.close().context("closing an overlay")?;
        }
        Ok(())
    }
}

/// Opens the filesystem and mounts it. Its journal is replayed into memory when
/// looking, where the kernel can do that.
pub(super) fn open(
    filesystem: &Filesystem,
    subvolume: Option<&str>,
    point: &Path,
    consent: Option<&WriteToken>,
) -> Result<(View, Mounted)> {
    let format = filesystem.signature.format.as_str();
    // ext2 and ext3 are both read by the ext4 driver.
    let driver = if format.starts_with("ext") {
        "ext4"
    } else {
        format
    };
    let missing = kmod::ensure(&[driver]);
    if format == "vfat" {
        // The kernel asks for them by a helper that a rescue may lack.
        let _ = kmod::ensure(&FAT_CHARSETS);
    }
    let opened = open_with_driver(filesystem, subvolume, point, consent);
    match missing.first() {
        // What is built in need not show: only a refusal makes it matter.
        Some(missing) => opened
            .with_context(|| format!("this kernel may lack {}: {}", missing.name, missing.reason)),
        None => opened,
    }
}

fn open_with_driver(
    filesystem: &Filesystem,
    subvolume: Option<&str>,
    point: &Path,
    consent: Option<&WriteToken>,
) -> Result<(View, Mounted)> {
    if consent.is_some() {
        refuse_what_writing_would_harm(filesystem)?;
        let view = View::plain(filesystem, Access::ReadWrite)?;
        let mounted = view.mount(filesystem, subvolume, point, consent)?;
        return Ok((view, mounted));
    }
    let mut journal = Journal::Clean;
    if let Some(why) = not_to_be_replayed(filesystem) {
        journal = Journal::NotReplayed { why: why.into() };
    } else if filesystem.signature.dirty {
        match replayed(filesystem, subvolume, point) {
            Ok(opened) => return Ok(opened),
            Err(error) => {
                journal = Journal::NotReplayed {
                    why: format!("{error:#}"),
                };
            }
        }
    }
    let mut view = View::plain(filesystem, Access::ReadOnly)?;
    view.journal = journal;
    let mounted = view.mount(filesystem, subvolume, point, None)?;
    Ok((view, mounted))
}

/// What must not be mounted for writing, whatever was agreed to.
fn refuse_what_writing_would_harm(filesystem: &Filesystem) -> Result<()> {
    if filesystem.missing_devices > 0 {
        bail!(
            "{} lacks {} of its devices: what is written now would be on the others only; \
             look for them first",
            filesystem.name,
            filesystem.missing_devices
        );
    }
    if filesystem.signature.external_journal {
        bail!(
            "{} has its journal on another device: repair it in the running system, or \
             mount it by hand and name it with --root",
            filesystem.name
        );
    }
    Ok(())
}

/// Why a journal that waits must stay as it is: the kernel would write to a
/// device that has no overlay, as it finds that by itself.
fn not_to_be_replayed(filesystem: &Filesystem) -> Option<&'static str> {
    let signature = &filesystem.signature;
    if !signature.dirty {
        None
    } else if signature.external_journal {
        Some("its journal lies on another device, which a replay would write to")
    } else if filesystem.missing_devices > 0 {
        Some("not all of its devices are here, and a replay could write to the others")
    } else {
        None
    }
}

fn replayed(
    filesystem: &Filesystem,
    subvolume: Option<&str>,
    point: &Path,
) -> Result<(View, Mounted)> {
    let view = View::overlaid(filesystem)?;
    let mounted = view.mount(filesystem, subvolume, point, None);
    if view.overflowed() {
        if let Ok(mounted) = mounted {
            mounted.unmount()?;
        }
        let room: u64 = view.overlays.iter().map(MemoryOverlay::bytes).sum();
        bail!("the replay needs more than {} MiB of memory", room >> 20);
    }
    Ok((view, mounted.context("the replay failed")?))
}

/// Mounts once more what is open already: another subvolume.
pub(super) fn again(
    view: &View,
    filesystem: &Filesystem,
    subvolume: Option<&str>,
    point: &Path,
    consent: Option<&WriteToken>,
) -> Result<Mounted> {
    // One superblock cannot be for writing here and for reading there.
    if consent.is_some() && !view.writable {
        bail!("it is open for reading already");
    }
    view.mount(filesystem, subvolume, point, consent)
}

/// Options of btrfs: its devices and the subvolume.
fn options(filesystem: &Filesystem, subvolume: Option<&str>, paths: &[&Path]) -> Result<String> {
    if filesystem.signature.format != "btrfs" {
        return Ok(String::new());
    }
    let mut options: Vec<String> = Vec::new();
    match subvolume {
        // A comma would end the option and begin one of the patient's choice.
        Some(name) if name.contains(',') => bail!("the subvolume's name has a comma in it"),
        Some("") => options.push("subvolid=5".into()),
        Some(name) => options.push(format!("subvol=/{name}")),
        None => {}
    }
    if paths.len() > 1 {
        let device = |path: &&Path| format!("device={}", PathBuf::from(path).display());
        options.extend(paths.iter().map(device));
    }
    if filesystem.missing_devices > 0 {
        options.push("degraded".into());
    }
    Ok(options.join(","))
}
