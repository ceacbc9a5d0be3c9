//! From one program of UEFI to the next, up to this system's boot menu.
//!
//! Sources: shim 15.8, `shim.c` and `fallback.c`; GRUB 2.12,
//! `grub-core/kern/efi/init.c`; Debian's `debian/build-efi-images`.

use std::collections::BTreeMap;

use super::super::bios_boot::{Goal, goal};
use super::super::grub_cannot_read::refused;
use super::{EspAt, UefiBoot, goal_of_uuid};
use crate::survey::esp::{EspFile, Loader, Program};
use crate::survey::{Esp, GrubCore};

/// Programs that start each other; shim, its fallback, shim again and GRUB.
const STEPS_MAX: usize = 5;

/// Where a chain of programs ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum End {
    /// The boot menu of this system.
    Own,
    /// That of another one on these disks.
    Another,
    /// Nobody knows.
    Unknown(String),
    /// Before that.
    Broken(Fault),
}

/// Why it ends before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Fault {
    /// A program is not there.
    Missing { path: String },
    /// It is no program, or cut off; why.
    Damaged { path: String, why: String },
    /// It is for another machine than its name says, or than this one.
    WrongMachine {
        path: String,
        machine: String,
        expected: String,
    },
    /// Secure Boot is on, and it has no signature.
    Unsigned { path: String },
    /// GRUB finds no configuration where it looks.
    NoConfig { path: String, wanted: String },
    /// Its driver refuses the filesystem of /boot; with these features.
    CannotRead { path: String, features: String },
    /// GRUB looks for its menu on a filesystem that is on no disk.
    UnknownUuid { path: String, uuid: String },
}

impl Fault {
    /// True when the firmware gets control back and tries the next entry; GRUB
    /// stays at its prompt.
    pub(super) fn gives_back(&self) -> bool {
        !matches!(
            self,
            Self::NoConfig { .. } | Self::UnknownUuid { .. } | Self::CannotRead { .. }
        )
    }
}

impl UefiBoot<'_> {
    /// Follows the program at `path`, which must be for `machine`.
    pub(super) fn walk(&self, at: EspAt<'_>, path: &str, machine: Option<&str>) -> End {
        self.step(at, path, machine, STEPS_MAX)
    }

    fn step(&self, at: EspAt<'_>, path: &str, machine: Option<&str>, left: usize) -> End {
        let Some(left) = left.checked_sub(1) else {
            return End::Unknown("its programs start each other".into());
        };
        let program = match self.program(at.esp, path, machine) {
            Ok(program) => program,
            Err(end) => return end,
        };
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        match &program.loader {
            Loader::Shim { next } => {
                let helper = format!("{folder}/{}", next.replace("grub", "fb"));
                let at_fallback = folder.eq_ignore_ascii_case("/EFI/BOOT");
                match at_fallback && at.esp.file(&helper).is_some() {
                    true => self.by_lists(at, left),
                    false => self.step(at, &format!("{folder}/{next}"), machine, left),
                }
            }
            Loader::ShimFallback => self.by_lists(at, left),
            Loader::Grub {
                prefix,
                config,
                refuses,
                ..
            } => {
                let core = GrubCore {
                    prefix: prefix.clone(),
                    config: config.clone(),
                    ..GrubCore::default()
                };
                match self.grub(at, path, folder, &core) {
                    End::Own => self.if_read(path, refuses),
                    end => end,
                }
            }
            Loader::SystemdBoot => End::Own,
            Loader::Linux { .. } => {
                End::Unknown("it is a kernel, whose command line the firmware gives".into())
            }
            Loader::Other => End::Unknown("it is a program that this version does not know".into()),
        }
    }

    /// The program at `path`, if the firmware would start it.
    fn program<'e>(
        &self,
        esp: &'e Esp,
        path: &str,
        machine: Option<&str>,
    ) -> Result<&'e Program, End> {
        let broken = |fault| Err(End::Broken(fault));
        let path = path.to_owned();
        let Some(file) = esp.file(&path) else {
            return match &esp.unreadable {
                Some(why) => Err(End::Unknown(why.clone())),
                None => broken(Fault::Missing { path }),
            };
        };
        if let Some(why) = damage(file) {
            return broken(Fault::Damaged { path, why });
        }
        let Some(program) = &file.program else {
            return Err(End::Unknown("it was not read".into()));
        };
        if let Some(expected) = machine.filter(|machine| *machine != program.machine) {
            return broken(Fault::WrongMachine {
                path,
                machine: program.machine.clone(),
                expected: expected.to_owned(),
            });
        }
        if self.wants_signatures() && !program.signed {
            return broken(Fault::Unsigned { path });
        }
        Ok(program)
    }

    /// What shim's fallback makes of the lists in the vendors' directories: an
    /// entry for each of them, and it starts the first.
    fn by_lists(&self, at: EspAt<'_>, left: usize) -> End {
        let lists = at.esp.files.iter().filter(|file| is_list(&file.path));
        let named = lists.filter_map(|list| {
            let folder = list.path.rsplit_once('/')?.0;
            // UTF-16: the zero bytes between are left out.
            let text = list.text.as_ref()?.replace(['\0', '\u{FFFD}'], "");
            let program = text.lines().next()?.split(',').next()?.trim().to_owned();
            Some(format!("{folder}/{program}"))
        });
        let ends: Vec<End> = named.map(|path| self.step(at, &path, None, left)).collect();
        match ends.as_slice() {
            [] => End::Unknown("shim finds no list of what to start".into()),
            [one] => one.clone(),
            many if many.iter().all(|end| *end == many[0]) => many[0].clone(),
            _ => End::Unknown("shim finds several lists of what to start".into()),
        }
    }

    /// Where a GRUB goes: by the commands in it, its prefix, or the
    /// configuration that it finds on the partition.
    fn grub(&self, at: EspAt<'_>, path: &str, folder: &str, core: &GrubCore) -> End {
        let lost = |uuid: String, path: &str| {
            End::Broken(Fault::UnknownUuid {
                path: path.to_owned(),
                uuid,
            })
        };
        let config = core.config.as_deref().unwrap_or_default();
        if let Some(uuid) = searched(config) {
            return self.end_of(goal_of_uuid(self.facts, self.info, &uuid), || {
                lost(uuid, path)
            });
        }
        let prefix = core.prefix.as_deref().unwrap_or_default();
        if prefix.starts_with('(') {
            return self.end_of(goal(self.facts, self.info, Some(at.disk), core), || {
                lost(prefix.to_owned(), path)
            });
        }
        let wanted = format!("{prefix}/grub.cfg");
        let places = [
            format!("{prefix}/x86_64-efi/grub.cfg"),
            wanted.clone(),
            format!("{folder}/grub.cfg"),
        ];
        let Some(stub) = places.iter().find_map(|place| at.esp.file(place)) else {
            if !prefix.to_ascii_uppercase().starts_with("/EFI/") {
                return End::Unknown(format!("GRUB in it looks in {prefix}"));
            }
            return End::Broken(Fault::NoConfig {
                path: path.to_owned(),
                wanted,
            });
        };
        let Some(text) = &stub.text else {
            let why = stub.unreadable.clone().unwrap_or_default();
            return End::Unknown(format!("{}: {why}", stub.path));
        };
        match searched(text) {
            Some(uuid) => self.end_of(goal_of_uuid(self.facts, self.info, &uuid), || {
                lost(uuid, &stub.path)
            }),
            None => End::Unknown(format!("{} names no filesystem by its UUID", stub.path)),
        }
    }

    /// The menu, unless the filesystem that holds it has what GRUB refuses.
    fn if_read(&self, path: &str, refuses: &BTreeMap<String, u32>) -> End {
        match refused(self.facts, self.info, refuses) {
            Some(features) => End::Broken(Fault::CannotRead {
                path: path.to_owned(),
                features,
            }),
            None => End::Own,
        }
    }

    fn end_of(&self, goal: Goal, nowhere: impl FnOnce() -> End) -> End {
        match goal {
            Goal::Own => End::Own,
            Goal::Another => End::Another,
            Goal::Nowhere => nowhere(),
            Goal::Unknown => End::Unknown("not everything on the disks is known".into()),
        }
    }
}

/// `/EFI/VENDOR/BOOTX64.CSV`, where shim's fallback looks.
fn is_list(path: &str) -> bool {
    let mut parts = path.split('/').skip(1);
    let (efi, vendor, name) = (parts.next(), parts.next(), parts.next());
    let is = |part: Option<&str>, word: &str| part.is_some_and(|p| p.eq_ignore_ascii_case(word));
    let names = ["BOOT.CSV", "BOOTX64.CSV", "BOOTAA64.CSV", "BOOTIA32.CSV"];
    let named = names.iter().any(|list| is(name, list));
    is(efi, "EFI") && !is(vendor, "BOOT") && named && parts.next().is_none()
}

/// What is wrong with a file that should be a program.
fn damage(file: &EspFile) -> Option<String> {
    if file.bytes == 0 {
        return Some("it is empty".into());
    }
    if let Some(why) = &file.unreadable {
        return Some(why.clone());
    }
    match &file.program {
        None => Some("it is no program of UEFI".into()),
        Some(program) if program.wants > file.bytes => Some(format!(
            "it ends at byte {}, and its header wants {}",
            file.bytes, program.wants
        )),
        Some(_) => None,
    }
}

/// The UUID that the first `search` in a configuration looks for.
pub(super) fn searched(config: &str) -> Option<String> {
    config.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        let by_uuid = match words.next()? {
            "search.fs_uuid" => return words.next().map(str::to_owned),
            "search" => words
                .clone()
                .any(|word| word == "--fs-uuid" || word == "-u"),
            _ => false,
        };
        let shown = |word: &&str| word.contains('-') && !word.starts_with('-');
        let mut values = words.filter(|word| !word.starts_with("--"));
        by_uuid
            .then(|| values.rfind(shown).map(str::to_owned))
            .flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_uuid_of_a_search() {
        let uuid = Some("0d3c-11".to_owned());
        for line in [
            "search.fs_uuid 0d3c-11 root hd0,gpt2",
            "search --fs-uuid --set=root 0d3c-11",
            "search --no-floppy --fs-uuid --set=dev 0d3c-11",
            "set x=1\n  search --no-floppy --fs-uuid --set=root --hint-bios=hd0,gpt2 0d3c-11",
        ] {
            assert_eq!(searched(line), uuid, "{line}");
        }
        for line in [
            "search --label root",
            "configfile /grub.cfg",
            "search --fs-uuid",
        ] {
            assert_eq!(searched(line), None, "{line}");
        }
    }
}
