//! Brings single damaged or missing files of installed packages back from the
//! same version of their package. Nothing else of the package is touched, so
//! neither its dependencies nor its maintainer scripts matter.

use std::collections::{BTreeMap, BTreeSet};

use super::closed_set::Lacking;
use super::unpack_packages::{self, Unpack};
use super::{Kind, Outline, Risk, Wanted, restore_execute_bits, restore_init_link};
use crate::facts::integrity::{Damage, Damaged};
use crate::facts::packages::{Dpkg, Package, Packages};
use crate::facts::toolbox::AtHand;
use crate::facts::toolbox::supply::label;
use crate::facts::{Facts, Tree};
use crate::finding::Finding;

pub(super) const KIND: Kind = Kind {
    name: "restore-package-files",
    removes: &[
        "kernel/kernel-missing",
        "kernel/image-damaged",
        "bootloader/default-entry-broken",
        "init/init-missing",
        "init/init-not-executable",
        "init/interpreter-missing",
        "init/elf-damaged",
        "init/library-missing",
        "init/library-empty",
        "init/library-link-broken",
        "services/program-broken",
        "reach/login-broken",
        "packages/dpkg-cannot-run",
        "packages/programs-broken",
        FILES_MISSING,
        FILES_DAMAGED,
    ],
    plan,
};

const FILES_MISSING: &str = "packages/files-missing";
const FILES_DAMAGED: &str = "packages/files-damaged";

/// Files that a title names.
const NAMED_MAX: usize = 2;

/// Damaged files by the label of their package.
type ByPackage<'t> = BTreeMap<&'t str, BTreeSet<&'t str>>;

/// True for findings about many files, of which some may be brought back and
/// others not.
pub(super) fn is_about_many(id: &str) -> bool {
    id == FILES_MISSING || id == FILES_DAMAGED
}

/// True when what keeps dpkg from running is brought back file by file: nothing
/// has to be unpacked and configured then.
pub(super) fn mends_dpkg(tree: &Tree) -> bool {
    let Packages::Dpkg(dpkg) = &tree.packages else {
        return false;
    };
    let broken = &tree.toolbox.broken;
    if broken.is_empty() || dpkg.is_interrupted() || !dpkg.faults.is_empty() {
        return false;
    }
    let all = damaged(tree);
    let mends = |culprit: &str| {
        let files = named(&all, &BTreeSet::from([file_name(culprit)]));
        !files.is_empty() && files.keys().all(|label| source(tree, dpkg, label).is_ok())
    };
    broken.iter().all(|tool| mends(tool.problem.culprit()))
}

fn plan(facts: &Facts, finding: &Finding) -> Option<Outline> {
    let tree = facts.tree.as_ref()?;
    let Packages::Dpkg(dpkg) = &tree.packages else {
        return None;
    };
    // A damaged database is brought back first.
    if !dpkg.faults.is_empty() {
        return None;
    }
    // A lost link is made without a package.
    let is_made = |finding| (restore_init_link::KIND.plan)(facts, finding).is_some();
    if finding.id == "init/init-missing" && is_made(finding) {
        return None;
    }
    // So is an execute bit given.
    if (restore_execute_bits::KIND.plan)(facts, finding).is_some() {
        return None;
    }
    let mends_dpkg = mends_dpkg(tree);
    if finding.id == "packages/dpkg-cannot-run" && !mends_dpkg {
        return None;
    }
    let mut files = files_of(tree, finding);
    if !mends_dpkg {
        // What another repair unpacks is whole afterwards.
        let unpacked = unpack_packages::names(tree);
        files.retain(|label, _| !unpacked.contains(label.split(':').next().unwrap_or(label)));
    }
    if files.is_empty() {
        return None;
    }
    Some(outline(tree, dpkg, finding, &files))
}

/// What is put back, and what cannot be.
fn outline(tree: &Tree, dpkg: &Dpkg, finding: &Finding, files: &ByPackage<'_>) -> Outline {
    let mut unpack = Vec::new();
    let mut left = Left::default();
    for (label, paths) in files {
        match source(tree, dpkg, label) {
            Ok(archive) => unpack.push(Unpack {
                files: paths.iter().map(|path| (*path).to_owned()).collect(),
                ..Unpack::of(archive)
            }),
            Err(why) => left.add(label, why),
        }
    }
    let whole = left.labels.is_empty() || is_about_many(&finding.id);
    if unpack.is_empty() || !whole {
        let named = files.iter();
        return Outline {
            risk: Risk::Safe,
            title: title(named.map(|(label, paths)| ((*label).to_owned(), paths))),
            wants: left.wanted.clone(),
            refused: Some(left.reasons()),
            ..Outline::default()
        };
    }
    let brought = files
        .iter()
        .filter(|(label, _)| !left.labels.contains(label));
    let mut title = title(brought.map(|(label, paths)| (version(dpkg, label), paths)));
    if !left.labels.is_empty() {
        title += &format!(
            "; not those of {}, of which no package is at hand",
            left.labels.join(", ")
        );
    }
    Outline {
        risk: Risk::Safe,
        title,
        unpack,
        wants: left.wanted,
        ..Outline::default()
    }
}

/// Packages whose files cannot be put back.
#[derive(Default)]
struct Left<'l> {
    labels: Vec<&'l str>,
    others: Vec<String>,
    lacking: Lacking,
    wanted: Vec<Wanted>,
}

impl<'l> Left<'l> {
    fn add(&mut self, label: &'l str, why: Why) {
        self.labels.push(label);
        match why {
            Why::Other(why) => self.others.push(why),
            Why::NotAtHand(mut lacking, wanted) => {
                self.lacking.packages.append(&mut lacking.packages);
                self.lacking.damaged.append(&mut lacking.damaged);
                self.wanted.push(wanted);
            }
        }
    }

    fn reasons(mut self) -> String {
        if !self.wanted.is_empty() {
            let network = "lifeboot repair --network";
            self.others
                .push(unpack_packages::why(&self.lacking, network));
        }
        self.others.join("; ")
    }
}

/// `mount 2.38.1-5`
fn version(dpkg: &Dpkg, label: &str) -> String {
    let version = dpkg.labelled(label).map(|package| package.version.as_str());
    format!("{label} {}", version.unwrap_or_default())
}

/// `bring back /usr/bin/mount from mount 2.38.1-5`
fn title<'f>(files: impl Iterator<Item = (String, &'f BTreeSet<&'f str>)>) -> String {
    let (mut names, mut paths) = (Vec::new(), Vec::new());
    for (name, files) in files {
        names.push(name);
        paths.extend(files.iter().copied());
    }
    let paths = match paths.len() {
        0..=NAMED_MAX => paths.join(" and "),
        count => format!("{count} files"),
    };
    let names = match names.len() {
        0..=NAMED_MAX => names.join(" and "),
        count => format!("{count} packages"),
    };
    format!("bring back {paths} from {names}")
}

/// The files that a finding is about.
fn files_of<'t>(tree: &'t Tree, finding: &'t Finding) -> ByPackage<'t> {
    let all = damaged(tree);
    let lost = |damage: &Damage, id: &str| match damage {
        Damage::Missing { .. } => id == FILES_MISSING,
        Damage::Empty | Damage::NulBytes { .. } | Damage::Truncated { .. } => id == FILES_DAMAGED,
        _ => false,
    };
    let mut names = BTreeSet::new();
    match finding.id.as_str() {
        id @ (FILES_MISSING | FILES_DAMAGED) => {
            let told = tree.integrity.damaged.iter().flat_map(|package| {
                let files = package.files.iter();
                let files = files.filter(|file| lost(&file.damage, id) && matters(file));
                files.map(|file| file_name(&file.path))
            });
            names.extend(told);
        }
        "packages/dpkg-cannot-run" => {
            let broken = tree.toolbox.broken.iter();
            names.extend(broken.map(|tool| file_name(tool.problem.culprit())));
        }
        "packages/programs-broken" => {
            let broken = tree.outside.broken.iter();
            names.extend(broken.map(|broken| file_name(broken.problem.culprit())));
        }
        "kernel/kernel-missing" => {
            let files = all.iter().map(|(_, file)| file.path.as_str());
            let kernels = files.filter(|path| path.starts_with("/boot/vmlinu"));
            names.extend(kernels.map(file_name));
        }
        _ => {
            let told = finding.evidence.iter().map(|e| e.source.as_str());
            names.extend(told.chain([finding.subject.as_str()]).map(file_name));
            // A long list of programs is not told in full.
            if finding.evidence.iter().any(|e| e.source == "and") {
                let programs = tree.critical.programs.iter();
                let faults = programs.flat_map(|program| &program.faults);
                names.extend(faults.map(|fault| file_name(fault.problem.culprit())));
            }
        }
    }
    let mut files = named(&all, &names);
    if is_about_many(&finding.id) {
        // Somebody may have changed the others on purpose.
        let is_lost = |path: &str| {
            let mut same = all.iter().filter(|(_, file)| file.path == path);
            same.any(|(_, file)| lost(&file.damage, &finding.id))
        };
        for paths in files.values_mut() {
            paths.retain(|path| is_lost(path));
        }
        files.retain(|_, paths| !paths.is_empty());
    }
    files
}

/// Every damaged file that can be put back, with the label of its package.
fn damaged(tree: &Tree) -> Vec<(&str, &Damaged)> {
    let all = tree.integrity.damaged.iter();
    let all = all.chain(&tree.same_version.at_fault);
    let files = all.flat_map(|package| {
        let files = package.files.iter();
        files.map(|file| (package.package.as_str(), file))
    });
    files.filter(|(_, file)| can_be_put(file)).collect()
}

/// Of what has no checksum, directories and links, only links between programs
/// and libraries.
fn matters(file: &Damaged) -> bool {
    let is_program = |part: &str| file.path.contains(part);
    file.has_sum || ["/bin/", "/sbin/", ".so."].into_iter().any(is_program)
}

/// Not what cannot be read, and not where something else stands in the way.
fn can_be_put(file: &Damaged) -> bool {
    use crate::sys::root_dir::Kind::Symlink;
    !file.is_conffile
        && match &file.damage {
            Damage::Missing { why } => why.is_none(),
            Damage::Empty
            | Damage::NulBytes { .. }
            | Damage::Truncated { .. }
            | Damage::Changed => true,
            Damage::WrongType { seen, .. } => *seen == Symlink,
            Damage::DanglingLink { .. } | Damage::Unreadable { .. } | Damage::NotYet => false,
        }
}

/// Those with one of these file names: `libwrap.so.0` also names
/// `libwrap.so.0.7.6`, to which it is a link.
fn named<'t>(all: &[(&'t str, &'t Damaged)], names: &BTreeSet<&str>) -> ByPackage<'t> {
    let is_named = |path: &str| {
        let name = file_name(path);
        let mut shorter = name.match_indices('.').map(|(at, _)| &name[..at]);
        names.contains(name)
            || (name.contains(".so.") && shorter.any(|shorter| names.contains(shorter)))
    };
    let mut found = ByPackage::new();
    for (label, file) in all.iter().filter(|(_, file)| is_named(&file.path)) {
        found.entry(label).or_default().insert(&file.path);
    }
    found
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Why there is nothing to take a package's files from.
enum Why {
    NotAtHand(Lacking, Wanted),
    Other(String),
}

/// The package at hand of exactly the installed version.
fn source<'t>(tree: &'t Tree, dpkg: &Dpkg, label: &str) -> Result<&'t AtHand, Why> {
    let other = |why: &str| Err(Why::Other(format!("{label}: {why}")));
    let Some(package) = dpkg.labelled(label) else {
        return other("dpkg does not know which version is installed");
    };
    if package.is_cut_off() || package.version.is_empty() {
        return other("its unpacking was cut off: its files may be of two versions");
    }
    let without = &tree.integrity.without_sums;
    if without.contains(&package.name) {
        return other("it has no checksums in dpkg's database, to know its files by");
    }
    let at_hand = tree.same_version.at_hand.iter();
    let at_hand = at_hand.filter(|archive| archive.relations.is(package));
    let mut all: Vec<&AtHand> = at_hand.collect();
    all.sort_by_key(|archive| (!archive.checked, archive.folder.is_some()));
    let found = all.iter().find(|archive| archive.fault.is_none());
    found.copied().ok_or_else(|| {
        let wanted = Wanted {
            name: package.name.clone(),
            version: package.version.clone(),
            architecture: package.architecture.clone(),
        };
        Why::NotAtHand(lacking(package, &all), wanted)
    })
}

fn lacking(package: &Package, damaged: &[&AtHand]) -> Lacking {
    let damaged = damaged.iter().filter_map(|archive| {
        let fault = archive.fault.as_ref()?;
        Some(format!("{}: {fault}", archive.place()))
    });
    Lacking {
        packages: vec![label(
            &package.name,
            &package.version,
            &package.architecture,
        )],
        damaged: damaged.collect(),
    }
}
