//! What the checks of packages' files have in common: which damage is not told
//! by another check, and how it is summed up.

use std::collections::HashSet;

use super::{Check, some};
use crate::facts::Tree;
use crate::facts::elf::Problem;
use crate::facts::integrity::{Damage, Damaged, Manager, PackageDamage};
use crate::finding::{Evidence, Finding, Severity};

/// Packages that a finding names.
const PACKAGES_MAX: usize = 6;

/// The directories of programs and libraries; a link there is one of them.
const PROGRAMS: [&str; 6] = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];

/// Files of one package that one finding is about.
pub(super) struct Group<'t> {
    pub(super) package: &'t PackageDamage,
    pub(super) files: Vec<&'t Damaged>,
    /// Further ones, of which no list was kept.
    pub(super) more: usize,
}

/// The damage that `wanted` picks and no other check tells, by package.
pub(super) fn untold<'t>(tree: &'t Tree, wanted: fn(&Damage) -> bool) -> Vec<Group<'t>> {
    let told = Told::of(tree);
    let packages = tree.integrity.damaged.iter();
    let groups = packages.map(|package| {
        let files = package.files.iter();
        let is_ours =
            |file: &&Damaged| wanted(&file.damage) && matters(file) && !told.has(tree, &file.path);
        let files: Vec<&Damaged> = files.filter(is_ours).collect();
        // Those that are not listed are like those that are.
        let all_are = files.len() == package.files.len();
        let more = if all_are { package.more } else { 0 };
        Group {
            package,
            files,
            more,
        }
    });
    groups.filter(|group| !group.files.is_empty()).collect()
}

/// A path without a checksum is a directory or a link; only links between
/// programs and libraries are missed.
fn matters(file: &Damaged) -> bool {
    let inside = file.path.trim_start_matches('/');
    let inside = inside.strip_prefix("usr/").unwrap_or(inside);
    let (directory, name) = inside.split_once('/').unwrap_or((inside, ""));
    let is_program = PROGRAMS.contains(&directory)
        && (!name.contains('/') && !directory.starts_with("lib") || name.contains(".so"));
    file.has_sum || is_program
}

/// File names at fault in what other checks tell.
struct Told<'t>(HashSet<&'t str>);

impl<'t> Told<'t> {
    fn of(tree: &'t Tree) -> Self {
        let first = tree.init.closure.problems.iter();
        let first = first.chain(&tree.init.best_closure().problems);
        let programs = tree.critical.programs.iter();
        let faults = programs.flat_map(|p| p.faults.iter().map(|fault| &fault.problem));
        let outside = tree.outside.broken.iter().map(|broken| &broken.problem);
        let problems = first.chain(faults).chain(outside);
        let culprits = problems.flat_map(|problem| [problem.culprit(), end_of(problem)]);
        let around = &tree.surroundings;
        let links = around.links.iter().map(|link| link.path.as_str());
        let unlike = around
            .pairs
            .iter()
            .filter(|pair| pair.loader_version != pair.libc_version);
        let pairs = unlike.flat_map(|pair| [pair.real_loader.as_str(), pair.libc.as_str()]);
        let empty = around.empty.iter().map(String::as_str);
        let paths = culprits.chain(links).chain(pairs).chain(empty);
        Self(paths.filter_map(|path| path.rsplit('/').next()).collect())
    }

    fn has(&self, tree: &Tree, path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or_default();
        // libzstd.so.1 is told when libzstd.so.1.5.4 is gone.
        let mut names = name.match_indices('.').map(|(at, _)| &name[..at]);
        self.0.contains(name)
            || (name.contains(".so.") && names.any(|name| self.0.contains(name)))
            || is_kernels(tree, path)
    }
}

/// Where the way to something missing ends, if that is another place.
fn end_of(problem: &Problem) -> &str {
    match problem {
        Problem::ProgramMissing { at, .. } | Problem::InterpreterMissing { at, .. } => at,
        other => other.culprit(),
    }
}

/// The kernel that is booted, and modules, have checks of their own.
fn is_kernels(tree: &Tree, path: &str) -> bool {
    let kernels = &tree.kernels;
    let entry = kernels.default_entry();
    let is_booted = entry.is_some_and(|entry| path.ends_with(entry.kernel.as_str()));
    let is_image = path.starts_with("/boot/vmlinuz");
    let mut without = kernels.kernels.iter().filter(|kernel| !kernel.modules);
    let is_of = |release: &str| {
        let path = path.strip_prefix("/usr").unwrap_or(path);
        let inside = path.strip_prefix("/lib/modules/");
        inside.is_some_and(|inside| inside.starts_with(release))
    };
    (is_image && (is_booted || kernels.kernels.is_empty()))
        || without.any(|kernel| is_of(&kernel.release))
}

/// One finding for all groups: `what` follows the number of files.
pub(super) fn finding(
    check: &Check,
    severity: Severity,
    manager: Manager,
    groups: &[Group<'_>],
    [one, several]: [&str; 2],
) -> Finding {
    let count: usize = groups.iter().map(|g| g.files.len() + g.more).sum();
    let first = groups.first().and_then(|group| group.files.first());
    let names: Vec<String> = groups.iter().map(|g| g.package.package.clone()).collect();
    let title = match (count, first) {
        (1, Some(file)) => format!("{} of {} {one}", file.path, some(&names, 1)),
        _ => format!("{count} files of {} {several}", some(&names, 3)),
    };
    let shown = groups.iter().take(PACKAGES_MAX);
    let evidence = shown.filter_map(|group| {
        let first = group.files.first()?;
        let boot = if first.is_critical {
            ", and the boot needs it"
        } else {
            ""
        };
        let mut seen = format!("{}{boot}", first.damage.words());
        let others = group.files.len() + group.more - 1;
        if others > 0 {
            seen = format!("{seen}; {others} more of {}", group.package.package);
        }
        Some(Evidence::seen(&first.path, seen))
    });
    let mut finding = check
        .finding(severity, "packages", title)
        .with(evidence)
        .by_hand(format!(
            "lifeboot packages --verify, and in a chroot of the patient: \
             {} {}",
            manager.reinstall(),
            names
                .iter()
                .take(PACKAGES_MAX)
                .cloned()
                .collect::<Vec<_>>()
                .join(" ")
        ));
    if groups.len() > PACKAGES_MAX {
        let more = groups.len() - PACKAGES_MAX;
        finding = finding.with([Evidence::seen("and", format!("{more} packages more"))]);
    }
    finding
}

/// True when the boot needs one of the files.
pub(super) fn any_critical(groups: &[Group<'_>]) -> bool {
    let mut files = groups.iter().flat_map(|group| &group.files);
    files.any(|file| file.is_critical)
}
