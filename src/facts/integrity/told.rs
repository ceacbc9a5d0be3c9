//! From everything that differs to what is worth telling.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use super::attributes::Unlike;
use super::compare::{Compared, Wrong};
use super::damage::{Damage, Damaged};
use super::look::Seen;
use super::modes;
use super::owned::{Owned, Owner};
use super::{Configuration, Fault, Integrity, Manager, PackageDamage, Scope, Unshipped};
use crate::facts::packages::dpkg_files::excludes::Excludes;
use crate::facts::packages::{Package, State};
use crate::sys::root_dir::RootDir;

/// Files that are listed for one package, and in all.
const FILES_MAX: usize = 200;
const ALL_FILES_MAX: usize = 5000;

/// Where packages of rpm's, pacman's and apk's have files that are changed and
/// not marked as configuration.
const CHANGING: [&str; 1] = ["/etc"];

/// What images are stripped of, and localepurge and people remove.
const DOCUMENTATION: [&str; 9] = [
    "/usr/share/doc",
    "/usr/share/doc-base",
    "/usr/share/groff",
    "/usr/share/help",
    "/usr/share/info",
    "/usr/share/linda",
    "/usr/share/lintian",
    "/usr/share/locale",
    "/usr/share/man",
];

/// Where directories come and go, and no package has a file with a checksum.
const VOLATILE: [&str; 11] = [
    "/dev", "/home", "/media", "/mnt", "/proc", "/root", "/run", "/srv", "/sys", "/tmp", "/var",
];

/// How a difference is taken.
enum Taken {
    Told,
    Configuration,
    LeftOut,
    Documentation,
    Volatile,
    Hidden,
    BetweenVersions,
    Nothing,
}

pub(super) fn summary(root: &RootDir, compared: Compared, scope: &Scope) -> Integrity {
    let Compared {
        owned,
        seen,
        wrong,
        unlike,
        read,
        unread,
    } = compared;
    let excludes = Excludes::of(root);
    let mut integrity = Integrity {
        manager: owned.manager,
        packages: owned.packages.len(),
        paths: owned.claims.len(),
        read: read.0,
        bytes: read.1,
        unread,
        without_sums: without_sums(&owned),
        faults: faults(&owned),
        ..Integrity::default()
    };
    let mut damaged: BTreeMap<u32, Vec<Damaged>> = BTreeMap::new();
    let mut configuration: BTreeMap<u32, Vec<Damaged>> = BTreeMap::new();
    let hidden = real_places(root, &scope.hidden);
    let followed = owned_ends(&owned, &wrong);
    for Wrong {
        claim,
        damaged: mut file,
    } in wrong
    {
        let package = owned.claims[claim].package;
        let not_told = &mut integrity.not_told;
        // What is missing behind a link is told itself.
        if let Damage::DanglingLink { at, through, .. } = &file.damage
            && (followed.contains(at)
                || through
                    .iter()
                    .chain([at])
                    .any(|at| hidden.has(Path::new(at))))
        {
            continue;
        }
        let owner = &owned.owner(claim).package;
        match taken(&file, owner, owned.manager, &excludes, &hidden) {
            Taken::Told => {
                let id = seen[claim].ok().map(|meta| (meta.dev, meta.ino));
                file.is_critical = scope.boot.has(&file.path, id);
                damaged.entry(package).or_default().push(file);
            }
            Taken::Configuration => configuration.entry(package).or_default().push(file),
            Taken::LeftOut => not_told.left_out += 1,
            Taken::Documentation => not_told.documentation += 1,
            Taken::Volatile => not_told.volatile += 1,
            Taken::Hidden => not_told.hidden += 1,
            Taken::BetweenVersions => not_told.between_versions += 1,
            Taken::Nothing => {}
        }
    }
    // Other managers record modes, and say which are wrong.
    if owned.manager == Manager::Dpkg {
        let is_hidden = |path: &Path| hidden.has(path);
        integrity.permissions = modes::judge(root, &owned, &seen, scope, &is_hidden);
    }
    integrity.unshipped = unshipped(root, &owned, &seen, &unlike, &hidden);
    integrity.damaged = by_package(&owned, damaged);
    let configuration = configuration.into_iter().map(|(package, mut files)| {
        files.truncate(FILES_MAX);
        let package = label(&owned, package);
        Configuration { package, files }
    });
    integrity.configuration = configuration.collect();
    integrity
}

/// Modes, owners and links that are not as shipped, in words.
fn unshipped(
    root: &RootDir,
    owned: &Owned,
    seen: &[Seen],
    unlike: &[(usize, Unlike)],
    hidden: &Hidden,
) -> Vec<Unshipped> {
    let told = unlike.iter().filter_map(|(claim, unlike)| {
        let attributes = owned.attributes(*claim)?;
        let meta = seen[*claim].ok()?;
        let what = attributes.words(*unlike, root, owned.path(*claim), &meta);
        let path = owned.shown(*claim);
        let is_told = !what.is_empty() && !hidden.has(Path::new(&path));
        is_told.then(|| Unshipped {
            package: label(owned, owned.claims[*claim].package),
            path,
            what,
        })
    });
    told.take(ALL_FILES_MAX).collect()
}

fn is_in(path: &str, places: &[&str]) -> bool {
    let path = Path::new(path);
    places.iter().any(|place| path.starts_with(place))
}

/// Where a link's way ends.
fn end_of(damage: &Damage) -> Option<&str> {
    match damage {
        Damage::DanglingLink { at, .. } => Some(at),
        _ => None,
    }
}

/// Of the places where links lead to in vain, those that packages own, under
/// either spelling of a merged /usr.
fn owned_ends(owned: &Owned, wrong: &[Wrong]) -> HashSet<String> {
    let ends = wrong
        .iter()
        .filter_map(|wrong| end_of(&wrong.damaged.damage));
    let ends: HashSet<&str> = ends.collect();
    let mut found = HashSet::new();
    if ends.is_empty() {
        return found;
    }
    for claim in 0..owned.claims.len() {
        let path = owned.shown(claim);
        for spelled in [format!("/usr{path}"), path] {
            if ends.contains(spelled.as_str()) {
                found.insert(spelled);
            }
        }
    }
    found
}

fn taken(
    file: &Damaged,
    package: &Package,
    manager: Manager,
    excludes: &Excludes,
    hidden: &Hidden,
) -> Taken {
    let is_missing = matches!(file.damage, Damage::Missing { .. });
    let path = Path::new(&file.path);
    if hidden.has(path) {
        Taken::Hidden
    } else if matches!(file.damage, Damage::NotYet) || !package.on_disk() {
        Taken::Nothing
    } else if is_missing && excludes.leaves_out(&file.path) {
        Taken::LeftOut
    } else if file.is_conffile {
        Taken::Configuration
    } else if is_missing && is_in(&file.path, &DOCUMENTATION) {
        Taken::Documentation
    } else if is_missing && !file.has_sum && is_in(&file.path, &VOLATILE) {
        Taken::Volatile
    } else if package.state == State::HalfInstalled && !file.damage.is_loss() {
        Taken::BetweenVersions
    } else if manager != Manager::Dpkg && is_in(&file.path, &CHANGING) {
        Taken::Configuration
    } else if manager != Manager::Dpkg && is_in(&file.path, &VOLATILE) && !file.damage.is_loss() {
        Taken::Volatile
    } else {
        Taken::Told
    }
}

/// Places behind which nothing is to be expected, under both spellings.
#[derive(Debug, Default)]
struct Hidden(Vec<PathBuf>);

impl Hidden {
    fn has(&self, path: &Path) -> bool {
        self.0.iter().any(|place| path.starts_with(place))
    }
}

/// What is in `/usr/lib` is in `/lib`, too, where that leads there or should.
fn real_places(root: &RootDir, places: &[PathBuf]) -> Hidden {
    let mut all = places.to_vec();
    for place in places {
        let Ok(inside) = place.strip_prefix("/usr") else {
            continue;
        };
        let other = Path::new("/").join(inside);
        let is_real = root
            .symlink_metadata(&other)
            .is_ok_and(|meta| meta.kind == crate::sys::root_dir::Kind::Directory);
        if inside.components().count() > 0 && !is_real {
            all.push(other);
        } else if inside.components().count() == 0 {
            let merged = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];
            all.extend(merged.map(PathBuf::from));
        }
    }
    Hidden(all)
}

fn by_package(owned: &Owned, damaged: BTreeMap<u32, Vec<Damaged>>) -> Vec<PackageDamage> {
    let mut all: Vec<PackageDamage> = damaged
        .into_iter()
        .map(|(package, mut files)| {
            files.sort_by_key(|file| Reverse((file.is_critical, file.damage.is_loss())));
            let more = files.len().saturating_sub(FILES_MAX);
            files.truncate(FILES_MAX);
            let known = &owned.packages[package as usize].package;
            PackageDamage {
                package: label(owned, package),
                version: known.version.clone(),
                state: known.state,
                files,
                more,
            }
        })
        .collect();
    all.sort_by_key(|package| {
        let critical = package.files.iter().filter(|file| file.is_critical).count();
        (
            Reverse(critical),
            Reverse(package.files.len() + package.more),
        )
    });
    let mut room = ALL_FILES_MAX;
    for package in &mut all {
        let kept = package.files.len().min(room);
        room -= kept;
        package.more += package.files.len() - kept;
        package.files.truncate(kept);
    }
    all
}

/// `name`, or `name:architecture` when there are two of that name.
fn label(owned: &Owned, package: u32) -> String {
    let Package {
        name, architecture, ..
    } = &owned.packages[package as usize].package;
    let same = owned
        .packages
        .iter()
        .filter(|owner| owner.package.name == *name);
    match same.count() {
        1 => name.clone(),
        _ => format!("{name}:{architecture}"),
    }
}

fn without_sums(owned: &Owned) -> Vec<String> {
    let mut has_files = vec![false; owned.packages.len()];
    for claim in owned.claims.iter().filter(|claim| !claim.is_conffile) {
        has_files[claim.package as usize] = true;
    }
    let packages = owned.packages.iter().zip(has_files);
    packages
        .filter(|(owner, has_files)| *has_files && !owner.has_sums && owner.package.on_disk())
        .map(|(owner, _)| owner.package.name.clone())
        .collect()
}

fn faults(owned: &Owned) -> Vec<Fault> {
    let fault = |path: &str, what: String| Fault {
        path: path.to_owned(),
        what,
    };
    let of_one = |owner: &Owner| {
        let malformed = owner
            .malformed
            .as_ref()
            .map(|(path, lines)| fault(path, format!("{lines} lines are no MD5 checksums")));
        let unreadable = owner.unreadable.as_ref();
        let unreadable =
            unreadable.map(|(path, why)| fault(path, format!("cannot be read: {why}")));
        malformed.into_iter().chain(unreadable)
    };
    let diversions = owned.diversions_unreadable.as_ref();
    let diversions = diversions.map(|why| fault("diversions", format!("cannot be read: {why}")));
    owned
        .packages
        .iter()
        .flat_map(of_one)
        .chain(diversions)
        .chain(owned.faults.iter().cloned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(file: &str, hidden: &[&str]) -> bool {
        Hidden(hidden.iter().map(PathBuf::from).collect()).has(Path::new(file))
    }

    #[test]
    fn what_is_behind_a_replaced_directory_is_hidden() {
        assert!(place("/usr/sbin/x", &["/usr/sbin"]));
        assert!(!place("/usr/sbin.d/x", &["/usr/sbin"]));
    }
}
