//! Mounting `/usr`, `/var`, `/boot` and the like where fstab says.

use anyhow::{Context, Result};

use super::filesystems::{self, Filesystem, Match};
use super::fstab::{self, Entry};
use super::open::{Opener, Purpose, part};
use super::{MissingPart, Sysroot};

/// Parts of the tree that diagnosis and repair look at.
const PARTS: [&str; 5] = ["/usr", "/var", "/boot", "/efi", "/opt"];

impl Opener {
    /// Mounts `/usr`, `/var`, `/boot` and the like as fstab says.
    pub(super) fn mount_parts(
        &mut self,
        sysroot: &mut Sysroot,
        root: &Filesystem,
        all: &[Filesystem],
        purpose: Purpose<'_>,
    ) {
        const LIMIT: u64 = 1 << 20;
        let Ok(text) = sysroot.root.read_text("/etc/fstab", LIMIT) else {
            return;
        };
        let mut entries: Vec<Entry> = fstab::parse(&text)
            .entries
            .into_iter()
            .filter(|e| e.wants_device() && !e.is_swap() && !e.has("noauto"))
            .filter(|e| PARTS.iter().any(|part| e.target.starts_with(part)))
            .collect();
        entries.sort_by_key(|entry| entry.target.components().count());
        for entry in entries {
            let mounted = match filesystems::find(all, &entry.spec) {
                Match::One(found) if found.name == root.name => continue,
                Match::One(found) => self
                    .mount_part(sysroot, &entry, found, purpose)
                    .map(|()| found),
                Match::None => Err(anyhow::anyhow!("no such filesystem on the disks")),
                Match::CannotTell => Err(anyhow::anyhow!(
                    "the name says nothing about which filesystem is meant"
                )),
            };
            match mounted {
                Ok(found) => sysroot.info.parts.push(part(&entry.target, found)),
                Err(error) => sysroot.info.missing.push(MissingPart {
                    target: entry.target.clone(),
                    spec: entry.spec.clone(),
                    why: format!("{error:#}"),
                    optional: entry.has("nofail"),
                }),
            }
        }
    }

    fn mount_part(
        &mut self,
        sysroot: &Sysroot,
        entry: &Entry,
        filesystem: &Filesystem,
        purpose: Purpose<'_>,
    ) -> Result<()> {
        let place = sysroot
            .root
            .resolve(&entry.target)
            .map_err(|end| std::io::Error::from(*end))
            .with_context(|| format!("the mount point {}", entry.target.display()))?;
        // No link is left in the resolved path, so joining stays inside.
        let inside = place.path.strip_prefix("/").unwrap_or(&place.path);
        let point = sysroot.info.path.join(inside);
        self.mount(filesystem, &point, purpose.consent_for(&entry.target))
    }
}
