//! The files that `grub-install --no-nvram --force-extra-removable` or `bootctl
//! install` puts on an EFI system partition, from what the patient's packages
//! brought (GRUB 2.06, `util/grub-install.c` with Debian's `install-signed.patch`
//! and `grub-install-removable-shim.patch`; systemd 257, `bootctl-install.c`).

use super::esp_files::{EspSource, Wanted};
use crate::checks::esps::{EspAt, Esps};
use crate::facts::Tree;
use crate::facts::efi_programs::MACHINES;
use crate::survey::esp::{EspFile, Loader};

/// All that could be put on it, the likeliest first.
pub(super) fn sets(esps: &Esps<'_>, tree: &Tree, at: EspAt<'_>) -> Vec<Vec<Wanted>> {
    let mut sets = Vec::new();
    for (suffix, arch) in MACHINES {
        let packaged = Packaged {
            esps,
            tree,
            at,
            suffix,
            arch,
        };
        // systemd-boot has its menu on the partition itself.
        let mut files = at.esp.files.iter();
        let has_entries = files.any(|file| {
            let path = file.path.to_ascii_lowercase();
            path.starts_with("/loader/entries/") || path.starts_with("/efi/linux/")
        });
        if has_entries {
            sets.extend(packaged.systemd_boot());
        }
        sets.extend(packaged.signed());
        sets.extend(packaged.core());
        sets.extend(packaged.monolithic());
    }
    sets
}

/// The loaders for one kind of machine.
struct Packaged<'a, 'f> {
    esps: &'a Esps<'f>,
    tree: &'a Tree,
    at: EspAt<'a>,
    suffix: &'a str,
    arch: &'a str,
}

impl Packaged<'_, '_> {
    fn find(&self, path: &str) -> Option<&EspFile> {
        self.tree.efi_programs.iter().find(|file| file.path == path)
    }

    fn want(&self, file: &EspFile, to: String) -> Wanted {
        Wanted::of(to, EspSource::Patient(file.path.clone()), file)
    }

    /// Where the firmware looks without an entry.
    fn fallback(&self) -> String {
        format!("/EFI/BOOT/BOOT{}.EFI", self.suffix.to_ascii_uppercase())
    }

    /// The directory that this GRUB looks in, or that of the distribution.
    fn vendor(&self, grub: &EspFile) -> Option<String> {
        let prefix = grub
            .program
            .as_ref()
            .and_then(|program| match &program.loader {
                Loader::Grub { prefix, .. } => prefix.as_deref(),
                _ => None,
            });
        let name = prefix.and_then(|prefix| prefix.strip_prefix("/EFI/"));
        let name = name.map(str::to_owned);
        let own = || self.esps.own_vendor(self.at.esp);
        let id = || self.tree.os.id.clone().filter(|id| !id.is_empty());
        let name = name.or_else(own).or_else(id)?;
        let plain = name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
        (plain && !name.is_empty()).then(|| format!("/EFI/{name}"))
    }

    /// The small configuration that leads to the menu in /boot.
    fn stub(&self) -> Option<String> {
        let (part, uuid) = (self.esps.boot_part()?, self.esps.boot_uuid()?);
        let menu = self
            .tree
            .kernels
            .grub
            .as_ref()
            .map(|menu| menu.path.as_str());
        let folder = menu.and_then(|path| path.strip_suffix("/grub.cfg"));
        let folder = folder.unwrap_or("/boot/grub");
        let folder = match part.target.as_os_str() == "/boot" {
            true => folder.strip_prefix("/boot")?,
            false => folder,
        };
        let subvolume = match &part.subvolume {
            Some(name) => format!("/{}", name.trim_matches('/')),
            None => String::new(),
        };
        // A hint, where GRUB may look first.
        let hint = match &part.array {
            Some(uuid) => {
                let digits = uuid.chars().filter(char::is_ascii_hexdigit);
                format!(
                    "mduuid/{} ",
                    digits.collect::<String>().to_ascii_lowercase()
                )
            }
            None => String::new(),
        };
        Some(format!(
            "search.fs_uuid {uuid} root {hint}\nset prefix=($root)'{subvolume}{folder}'\n\
             configfile $prefix/grub.cfg\n"
        ))
    }

    fn signed(&self) -> Option<Vec<Wanted>> {
        let Self { suffix, arch, .. } = self;
        let grub = format!("/usr/lib/grub/{arch}-efi-signed/grub{suffix}.efi.signed");
        let grub = self.find(&grub)?;
        let (vendor, stub) = (self.vendor(grub)?, self.stub()?);
        let stub = Wanted::text(format!("{vendor}/grub.cfg"), stub);
        let Some(shim) = self.find(&format!("/usr/lib/shim/shim{suffix}.efi.signed")) else {
            return Some(vec![
                self.want(grub, format!("{vendor}/grub{suffix}.efi")),
                stub,
                self.want(grub, self.fallback()),
            ]);
        };
        let name = format!("grub{suffix}.efi");
        let mut all = vec![
            self.want(grub, format!("{vendor}/{name}")),
            stub,
            self.want(shim, format!("{vendor}/shim{suffix}.efi")),
            self.want(grub, format!("/EFI/BOOT/{name}")),
            self.want(shim, self.fallback()),
        ];
        if let Some(keys) = self.find(&format!("/usr/lib/shim/mm{suffix}.efi.signed")) {
            let name = format!("mm{suffix}.efi");
            all.push(self.want(keys, format!("{vendor}/{name}")));
            all.push(self.want(keys, format!("/EFI/BOOT/{name}")));
        }
        if let Some(fallback) = self.find(&format!("/usr/lib/shim/fb{suffix}.efi.signed")) {
            all.push(self.want(fallback, format!("{vendor}/fb{suffix}.efi")));
        }
        let list = format!("BOOT{}.CSV", suffix.to_ascii_uppercase());
        if let Some(file) = self.find(&format!("/usr/lib/shim/{list}")) {
            all.push(self.want(file, format!("{vendor}/{list}")));
        }
        Some(all)
    }

    /// What `grub-install` made the last time.
    fn core(&self) -> Option<Vec<Wanted>> {
        let folders = ["/boot/grub", "/boot/grub2"];
        let mut cores = folders
            .map(|folder| format!("{folder}/{}-efi/core.efi", self.arch))
            .into_iter();
        let core = cores.find_map(|path| self.find(&path))?;
        Some(vec![
            self.want(
                core,
                format!("{}/grub{}.efi", self.vendor(core)?, self.suffix),
            ),
            self.want(core, self.fallback()),
        ])
    }

    fn monolithic(&self) -> Option<Vec<Wanted>> {
        let Self { suffix, arch, .. } = self;
        let grub = format!("/usr/lib/grub/{arch}-efi/monolithic/grub{suffix}.efi");
        let grub = self.find(&grub)?;
        let vendor = self.vendor(grub)?;
        Some(vec![
            self.want(grub, format!("{vendor}/grub{suffix}.efi")),
            Wanted::text(format!("{vendor}/grub.cfg"), self.stub()?),
            self.want(grub, self.fallback()),
        ])
    }

    fn systemd_boot(&self) -> Option<Vec<Wanted>> {
        let path = format!("/usr/lib/systemd/boot/efi/systemd-boot{}.efi", self.suffix);
        let signed = self.find(&format!("{path}.signed"));
        let program = signed.or_else(|| self.find(&path))?;
        Some(vec![
            self.want(
                program,
                format!("/EFI/systemd/systemd-boot{}.efi", self.suffix),
            ),
            self.want(program, self.fallback()),
        ])
    }
}
