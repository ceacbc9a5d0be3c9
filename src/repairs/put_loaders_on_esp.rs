//! Makes an EFI system partition lead to this system again: its stub corrected,
//! files of the other disk's, or what the patient's packages brought.

use super::esp_files::{EspSource, EspWork, Wanted, with};
use super::{Kind, Outline, Risk, install_loaders};
use crate::checks::esps::{EspAt, Esps, is_foreign};
use crate::facts::{Facts, Tree};
use crate::finding::Finding;
use crate::survey::{Content, Esp};

pub(super) const KIND: Kind = Kind {
    name: "put-loaders-on-esp",
    removes: &[
        "firmware/esp-loader-missing",
        "firmware/esp-loader-damaged",
        "firmware/esp-loader-wrong-machine",
        "firmware/secure-boot-unsigned",
        "firmware/esps-out-of-step",
        "bootloader/esp-config-missing",
        "bootloader/esp-uuid-unknown",
    ],
    plan,
};

/// More is not copied: it is kept twice for the undo.
const BYTES_MAX: u64 = 64 << 20;

/// What would be put, and from where in the operator's words.
struct Set {
    files: Vec<Wanted>,
    what: String,
}

fn plan(facts: &Facts, finding: &Finding) -> Option<Outline> {
    let (esps, tree) = (Esps::of(facts)?, facts.tree.as_ref()?);
    if finding.id == "firmware/esps-out-of-step" {
        return out_of_step(&esps, tree, finding);
    }
    let mine = |at: &EspAt<'_>| at.disk.name == finding.subject && !esps.leads_here(*at, at.esp);
    let at = esps.all().find(mine)?;
    let mut sets = sets(&esps, tree, at).into_iter();
    let leads = |set: &Set| esps.leads_here(at, &with(at.esp, &set.files));
    Some(match sets.find(leads) {
        Some(set) => outline(at, set),
        None => Outline {
            title: format!("put a boot loader on {}", at.part.name),
            refused: Some(
                "no other EFI system partition has a whole boot loader of this system, and its \
                 packages hold none that would find /boot; install grub-efi-amd64-signed and \
                 shim-signed (or grub-efi-amd64-bin) in a chroot of the patient, then repair once \
                 more, or run grub-install there"
                    .into(),
            ),
            ..Outline::default()
        },
    })
}

/// What could be put on it, the least first.
fn sets(esps: &Esps<'_>, tree: &Tree, at: EspAt<'_>) -> Vec<Set> {
    let stubs = esps.stubs(at.esp).into_iter();
    let mut all = vec![Set {
        files: stubs
            .map(|(file, text)| Wanted::text(file.path.clone(), text))
            .collect(),
        what: format!(
            "correct the UUID of /boot in GRUB's configuration on {}",
            at.part.name
        ),
    }];
    let others = esps.all().filter(|from| {
        from.part.name != at.part.name
            && !from.disk.is_failing()
            && esps.leads_here(*from, from.esp)
    });
    all.extend(others.map(|from| Set {
        files: copied(from, at.esp),
        what: format!(
            "copy the boot loader of {} to {}",
            from.part.name, at.part.name
        ),
    }));
    let packaged = install_loaders::sets(esps, tree, at).into_iter();
    all.extend(packaged.map(|files| {
        Set {
            files: files
                .into_iter()
                .filter(|one| !one.stands_on(at.esp))
                .collect(),
            what: format!(
                "put the boot loader of the patient's packages on {}",
                at.part.name
            ),
        }
    }));
    all.retain(|set| !set.files.is_empty());
    all
}

/// The files below /EFI of one partition that another one lacks.
fn copied(from: EspAt<'_>, to: &Esp) -> Vec<Wanted> {
    let own = from.esp.files.iter().filter(|file| {
        let mut parts = file.path.split('/').skip(1);
        let in_efi = parts
            .next()
            .is_some_and(|top| top.eq_ignore_ascii_case("EFI"));
        in_efi && !parts.next().is_some_and(is_foreign)
    });
    let wanted = own.map(|file| {
        let source = EspSource::Esp {
            disk: from.disk.name.clone(),
            partition: from.part.number,
            path: file.path.clone(),
        };
        Wanted::of(file.path.clone(), source, file)
    });
    wanted.filter(|one| !one.stands_on(to)).collect()
}

/// The one that updates reach is right: fstab's, or the one that has what the
/// packages brought.
fn out_of_step(esps: &Esps<'_>, tree: &Tree, finding: &Finding) -> Option<Outline> {
    let mut others = esps.all().filter(|at| esps.starts_this(*at));
    let first = others.next()?;
    let other = others.find(|at| at.disk.name == finding.subject)?;
    let packaged = |at: EspAt<'_>| {
        let known = |digest| tree.efi_programs.iter().any(|own| own.sha256 == digest);
        let programs = at.esp.files.iter().filter(|file| file.is_called_program());
        programs
            .filter(|file| file.sha256.is_some() && known(file.sha256.clone()))
            .count()
    };
    let both = |ask: &dyn Fn(EspAt<'_>) -> usize| ask(first).cmp(&ask(other));
    let newer = both(&|at| usize::from(esps.is_mounted(at))).then(both(&packaged));
    let (from, to) = match newer {
        std::cmp::Ordering::Greater => (first, other),
        std::cmp::Ordering::Less => (other, first),
        std::cmp::Ordering::Equal => {
            return Some(Outline {
                title: format!("make {} and {} the same", first.part.name, other.part.name),
                refused: Some(
                    "which of the two is the newer one is not known: fstab mounts neither or both, \
                     and the packages hold the programs of neither; compare them, then copy /EFI \
                     of the newer one"
                        .into(),
                ),
                ..Outline::default()
            });
        }
    };
    let set = Set {
        files: copied(from, to.esp),
        what: format!(
            "copy the boot loader of {} to {}",
            from.part.name, to.part.name
        ),
    };
    let leads = !set.files.is_empty() && esps.leads_here(to, &with(to.esp, &set.files));
    leads.then(|| outline(to, set))
}

fn outline(at: EspAt<'_>, set: Set) -> Outline {
    let refused = possible(at, &set.files).err();
    Outline {
        title: set.what,
        risk: Risk::Medium,
        esp: Some(EspWork {
            disk: at.disk.name.clone(),
            partition: at.part.number,
            name: at.part.name.clone(),
            files: set.files.into_iter().map(|one| one.put).collect(),
        }),
        refused,
        ..Outline::default()
    }
}

pub(super) fn possible(at: EspAt<'_>, files: &[Wanted]) -> Result<(), String> {
    let (name, part) = (&at.disk.name, &at.part.name);
    if at.disk.is_failing() {
        return Err(format!("{name} fails: it is to be replaced, not repaired"));
    }
    if !at.disk.durable_name().is_durable() {
        return Err(format!(
            "{name} has neither a serial number nor an identifier in its partition table: \
             an undo could not find it again"
        ));
    }
    if let Content::RaidMember(_) = at.part.content {
        return Err(format!(
            "{part} is a member of an array: mount the array in a chroot of the patient, and run \
             grub-install"
        ));
    }
    if let Some(why) = &at.esp.unreadable {
        return Err(format!(
            "{part} cannot be read ({why}): fsck.vfat -n {part}"
        ));
    }
    if !at.part.is_writable_esp() || at.disk.table_problem.is_some() {
        return Err(format!(
            "{part} is no FAT filesystem in a whole partition table"
        ));
    }
    let bytes: u64 = files.iter().map(|one| one.put.bytes).sum();
    if bytes > BYTES_MAX {
        let mib = bytes >> 20;
        return Err(format!(
            "{mib} MiB are too much to be kept for an undo: copy /EFI by hand"
        ));
    }
    Ok(())
}
