//! Picks the kernel modules of the rescue image out of a Debian kernel.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Without one of these (as module or built in) a rescue is no rescue.
const REQUIRED: [&str; 5] = ["raid1", "loop", "ext4", "nvme", "overlay"];

/// Taken when the kernel has them as modules. Names differ between kernels
/// (`linear` is `md-linear` since 6.14); what a kernel lacks is left out.
const WANTED: [&[&str]; 12] = [
    // md: the other levels
    &["raid0", "raid10", "raid456", "linear", "md_linear"],
    // device-mapper: linear and striped are in dm_mod
    &[
        "dm_mod",
        "dm_snapshot",
        "dm_bufio",
        "dm_mirror",
        "dm_raid",
        "dm_crypt",
    ],
    // ciphers of LUKS, and what makes them fast
    &[
        "xts",
        "ecb",
        "cbc",
        "ctr",
        "essiv",
        "aes_generic",
        "aesni_intel",
        "cryptd",
        "crypto_simd",
    ],
    &["serpent_generic", "twofish_generic", "camellia_generic"],
    // digests: LUKS, dm-crypt's essiv, checksums of btrfs
    &[
        "sha256_generic",
        "sha256_ssse3",
        "sha512_generic",
        "sha512_ssse3",
        "rmd160",
        "wp512",
    ],
    &[
        "crc32c_generic",
        "crc32c_intel",
        "xxhash_generic",
        "blake2b_generic",
    ],
    // filesystems
    &["xfs", "btrfs", "vfat", "squashfs"],
    // character sets of vfat
    &["nls_ascii", "nls_cp437", "nls_iso8859_1", "nls_utf8"],
    // the variables of UEFI
    &["efivarfs"],
    // SATA and SCSI disks
    &["ahci", "ata_piix", "sd_mod", "sr_mod"],
    // virtual machines
    &["virtio_pci", "virtio_blk", "virtio_scsi"],
    // USB
    &["xhci_pci", "usb_storage"],
];

/// What depmod wants beside the modules.
const LISTS: [&str; 3] = [
    "modules.builtin",
    "modules.builtin.modinfo",
    "modules.order",
];

/// The modules of one kernel release inside a tree.
#[derive(Debug)]
pub struct Modules {
    folder: PathBuf,
    /// Module file -> files it needs, as in modules.dep.
    needs: BTreeMap<String, Vec<String>>,
    /// Module name -> its file.
    files: BTreeMap<String, String>,
    /// Alias without wildcard -> module names.
    aliases: BTreeMap<String, Vec<String>>,
    /// Module name -> names to load before or after it.
    soft: BTreeMap<String, Vec<String>>,
    builtin: BTreeSet<String>,
}

impl Modules {
    /// Reads the lists of `root`'s kernel `release`.
    pub fn of(root: &Path, release: &str) -> Result<Self> {
        let folder = root.join("usr/lib/modules").join(release);
        let read = |name: &str| {
            let path = folder.join(name);
            fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))
        };
        let mut modules = Self {
            needs: BTreeMap::new(),
            files: BTreeMap::new(),
            aliases: BTreeMap::new(),
            soft: BTreeMap::new(),
            builtin: read("modules.builtin")?.lines().map(name_of).collect(),
            folder: folder.clone(),
        };
        for line in read("modules.dep")?.lines() {
            let (file, needs) = line
                .split_once(':')
                .context("modules.dep without a colon")?;
            modules.files.insert(name_of(file), file.to_owned());
            let needs = needs.split_whitespace().map(str::to_owned).collect();
            modules.needs.insert(file.to_owned(), needs);
        }
        for line in read("modules.alias")?.lines() {
            if let ["alias", alias, name] = words(line)[..] {
                let names = modules.aliases.entry(plain(alias)).or_default();
                names.push(plain(name));
            }
        }
        for line in read("modules.softdep")?.lines() {
            if let ["softdep", name, others @ ..] = &words(line)[..] {
                let others = others.iter().filter(|word| !word.ends_with(':'));
                let soft = modules.soft.entry(plain(name)).or_default();
                soft.extend(others.map(|other| plain(other)));
            }
        }
        Ok(modules)
    }

    /// The files to put into an image, relative to the modules' folder:
    /// wanted modules, all that these need, and what depmod wants.
    pub fn selection(&self) -> Result<BTreeSet<String>> {
        for name in REQUIRED {
            if !self.files.contains_key(name) && !self.builtin.contains(name) {
                bail!("{}: no module {name}", self.folder.display());
            }
        }
        let mut chosen = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut todo: Vec<String> = REQUIRED
            .iter()
            .chain(WANTED.into_iter().flatten())
            .map(|name| (*name).to_owned())
            .collect();
        while let Some(name) = todo.pop() {
            if !seen.insert(name.clone()) {
                continue;
            }
            todo.extend(self.aliases.get(&name).into_iter().flatten().cloned());
            let Some(file) = self.files.get(&name) else {
                continue;
            };
            if chosen.insert(file.clone()) {
                todo.extend(self.soft.get(&name).into_iter().flatten().cloned());
                let needs = self.needs.get(file).into_iter().flatten();
                todo.extend(needs.map(|need| name_of(need)));
            }
        }
        chosen.extend(
            LISTS
                .iter()
                .filter(|list| self.folder.join(list).is_file())
                .map(|list| (*list).to_owned()),
        );
        Ok(chosen)
    }

    /// Copies the files of a selection into the folder `to`.
    pub fn copy_to(&self, selection: &BTreeSet<String>, to: &Path) -> Result<()> {
        for file in selection {
            let target = to.join(file);
            let parent = target.parent().unwrap_or(to);
            fs::create_dir_all(parent).with_context(|| format!("creating {}", parent.display()))?;
            fs::copy(self.folder.join(file), &target)
                .with_context(|| format!("copying {}", target.display()))?;
        }
        Ok(())
    }
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

/// `kernel/drivers/md/dm-mod.ko.xz` -> `dm_mod`
fn name_of(file: &str) -> String {
    let base = file.rsplit('/').next().unwrap_or(file);
    plain(base.split_once(".ko").map_or(base, |(name, _)| name))
}

fn plain(name: &str) -> String {
    name.replace('-', "_")
}
