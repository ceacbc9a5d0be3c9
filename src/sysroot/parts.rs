//! Mounting `/usr`, `/var`, `/boot` and the like where fstab says.

use anyhow::{Context, Result, bail};

use super::filesystems::{self, Filesystem, Match};
use super::fstab::{self, Entry};
use super::open::{Opener, Purpose, part};
use super::{Journal, MissingPart, Sysroot, in_use};

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
        let mut all = all.to_vec();
        if let Ok(crypttab) = sysroot.root.read_text("/etc/crypttab", LIMIT) {
            filesystems::name_by_crypttab(&mut all, &crypttab);
        }
        for entry in entries {
            let mounted = match filesystems::find(&all, &entry.spec) {
                Match::One(_) if by_number(&entry) => Err(anyhow::anyhow!(
                    "a subvolume by number (subvolid=) is not opened; name it with subvol="
                )),
                // Only another subvolume of the root's filesystem is a part.
                Match::One(found) if found.name == root.name && subvolume(&entry).is_none() => {
                    continue;
                }
                Match::One(found) => self
                    .mount_part(sysroot, &entry, found, purpose)
                    .map(|journal| part(&entry.target, found, subvolume(&entry), journal)),
                Match::Several(names) => Err(anyhow::anyhow!(
                    "several filesystems are meant by it: {}",
                    names.join(", ")
                )),
                Match::None => Err(anyhow::anyhow!("no such filesystem on the disks")),
                Match::CannotTell => Err(anyhow::anyhow!(
                    "the name says nothing about which filesystem is meant"
                )),
            };
            match mounted {
                Ok(part) => sysroot.info.parts.push(part),
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
    ) -> Result<Journal> {
        let place = sysroot
            .root
            .resolve(&entry.target)
            .map_err(|end| std::io::Error::from(*end))
            .with_context(|| format!("the mount point {}", entry.target.display()))?;
        // No link is left in the resolved path, so joining stays inside.
        let inside = place.path.strip_prefix("/").unwrap_or(&place.path);
        let point = sysroot.info.path.join(inside);
        let consent = purpose.consent_for(&entry.target);
        if consent.is_some()
            && let Some(used) = in_use::mounts().iter().find(|used| used.is(filesystem))
        {
            bail!(
                "it is already mounted at {}; unmount it first",
                used.point.display()
            );
        }
        self.mount(filesystem, subvolume(entry), &point, consent)
    }
}

/// True for a line that names a subvolume by its number alone.
fn by_number(entry: &Entry) -> bool {
    let number = |option: &String| option.starts_with("subvolid=");
    subvolume(entry).is_none() && entry.options.iter().any(number)
}

/// The subvolume that a line asks for, without a leading slash.
fn subvolume(entry: &Entry) -> Option<&str> {
    let name = entry
        .options
        .iter()
        .find_map(|o| o.strip_prefix("subvol="))?;
    Some(name.trim_start_matches('/'))
}
