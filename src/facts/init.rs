//! What the kernel will start as PID 1, and everything it needs to start.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::elf::{Closure, Loader, Problem};
use super::intact;
use super::layout::Layout;
use super::packages::Ownership;
use crate::sys::root_dir::{Kind, RootDir};

/// What the kernel and every initramfs try unless told otherwise.
pub const USUAL: &str = "/sbin/init";

/// Where init systems keep their program.
const PROGRAMS: [&str; 2] = ["/usr/lib/systemd/systemd", "/lib/systemd/systemd"];

/// Without these systemd stops (`mount_table` in src/shared/mount-setup.c), and
/// only a root that can be written lets it make them.
const MOUNT_POINTS: [&str; 4] = ["/dev", "/proc", "/run", "/sys"];

/// Names beside a lost one that are looked at.
const RENAMED_MAX: usize = 16;

/// PID 1 of the patient.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Init {
    /// The path that will be started: `init=` or `/sbin/init`.
    pub asked: String,
    /// What starting it would load, and what goes wrong.
    pub closure: Closure,
    /// Every place that the way from `asked` to the program touches.
    pub trail: Vec<String>,
    /// Where the program lies when `asked` does not lead to it.
    pub instead: Option<String>,
    /// What starting that would load.
    pub instead_closure: Option<Closure>,
    /// The program beside its own name, where dpkg's checksum proves that it is
    /// the one, and nothing else beside it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renamed: Option<Renamed>,
    /// Directories that PID 1 mounts the kernel's filesystems on and that are
    /// missing, where it is systemd.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_mount_points: Vec<String>,
    /// True when something says that this tree has an init at all; a
    /// container's root has none.
    pub expected: bool,
}

/// A program that somebody gave another name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Renamed {
    /// Where it is.
    pub from: String,
    /// Where its package has it.
    pub to: String,
}

impl Init {
    /// True when `asked` leads to a program.
    pub fn found(&self) -> bool {
        !self.closure.problems.iter().any(|problem| {
            matches!(problem, Problem::ProgramMissing { .. })
                || matches!(problem, Problem::LinkLoop { path, .. } if *path == self.asked)
        })
    }

    /// The closure that tells most: of `asked`, or of what lies elsewhere.
    pub fn best_closure(&self) -> &Closure {
        match &self.instead_closure {
            Some(closure) if !self.found() => closure,
            _ => &self.closure,
        }
    }
}

pub(super) fn collect(
    root: &RootDir,
    loader: &Loader<'_>,
    owners: &Ownership,
    layout: &Layout,
    (asked, is_writable): (&str, bool),
) -> Init {
    let closure = loader.closure(asked);
    let mut init = Init {
        asked: asked.to_owned(),
        trail: trail(root, asked, &closure),
        closure,
        ..Init::default()
    };
    let owned = owners.owner_merged(Path::new("/sbin/init")).is_some();
    if !init.found() {
        init.instead = elsewhere(root, layout, asked);
        init.instead_closure = init
            .instead
            .as_deref()
            .map(|path| loader.closure(path))
            .filter(|closure| !closure.problems.iter().any(|p| layout.misleads(p)));
        init.renamed = renamed(root, loader, owners, &init.closure);
    }
    let by_systemd = init.closure.path.as_deref();
    if by_systemd.is_some_and(|path| path.ends_with("/systemd")) && !is_writable {
        init.missing_mount_points = missing(root);
    }
    init.expected = owned || init.instead.is_some() || root.symlink_metadata(asked).is_ok();
    init
}

/// The program at the end of the way that breaks off, under a name that begins
/// like its own: `systemd.orig`.
fn renamed(
    root: &RootDir,
    loader: &Loader<'_>,
    owners: &Ownership,
    closure: &Closure,
) -> Option<Renamed> {
    let mut problems = closure.problems.iter();
    let to = problems.find_map(|problem| match problem {
        Problem::ProgramMissing { at, .. } => Some(Path::new(at)),
        _ => None,
    })?;
    // Not where anything stands in its place.
    if root.symlink_metadata(to).is_ok() {
        return None;
    }
    let folder = root.resolve(to.parent()?).ok()?.path;
    let (name, to) = (to.file_name()?.to_str()?, to.to_str()?);
    let entries = root.read_dir(&folder).ok()?.into_iter();
    let beside = entries.filter_map(|entry| {
        let own = entry.name.to_str()?;
        let rest = own.strip_prefix(name)?;
        let is_other = rest.starts_with(['.', '-', '_', '~']);
        let path = folder.join(own);
        // `systemd-journald` is another program.
        let is_owned = owners.owner_merged(&path).is_some();
        (is_other && entry.kind == Kind::File && !is_owned).then_some(path)
    });
    let mut same = beside
        .take(RENAMED_MAX)
        .filter(|path| intact::is_of(root, owners, path, Path::new(to)));
    let only = same.next().filter(|_| same.next().is_none())?;
    let from = only.to_str()?.to_owned();
    let to = folder.join(name).to_str()?.to_owned();
    loader
        .closure(&from)
        .starts()
        .then_some(Renamed { from, to })
}

fn missing(root: &RootDir) -> Vec<String> {
    let is_missing = |path: &&str| {
        let found = root.symlink_metadata(path);
        found.is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
    };
    let all = MOUNT_POINTS.into_iter().filter(is_missing);
    all.map(str::to_owned).collect()
}

/// The places passed from `asked` to its program, interpreter and libraries.
fn trail(root: &RootDir, asked: &str, closure: &Closure) -> Vec<String> {
    let mut trail = vec![asked.to_owned()];
    let links = match root.resolve(asked) {
        Ok(found) => {
            trail.push(found.path.display().to_string());
            found.links
        }
        Err(end) => {
            trail.push(end.at.display().to_string());
            end.links
        }
    };
    trail.extend(links.iter().map(|(at, _)| at.display().to_string()));
    trail.extend(closure.interpreter.clone());
    for object in &closure.objects {
        trail.push(object.path.clone());
        trail.push(object.real_path.clone());
    }
    for problem in &closure.problems {
        if let Problem::InterpreterMissing { at, links, .. } = problem {
            trail.push(at.clone());
            trail.extend(links.iter().map(|link| link.at.clone()));
        }
    }
    trail.sort();
    trail.dedup();
    trail
}

/// The init program where a renamed directory took it, or under the name that
/// its package gives it.
fn elsewhere(root: &RootDir, layout: &Layout, asked: &str) -> Option<String> {
    let links = match root.resolve(asked) {
        Ok(found) => found.links,
        Err(end) => end.links,
    };
    let mut names: Vec<PathBuf> = vec![PathBuf::from(asked)];
    names.extend(links.into_iter().map(|(_, target)| target));
    names.extend(PROGRAMS.map(PathBuf::from));
    let renamed = names.iter().flat_map(|name| {
        let name = layout.real_name(name);
        layout.suspects.iter().flat_map(move |suspect| {
            let rest = name.strip_prefix(&suspect.path).map(Path::to_owned);
            let siblings = suspect.siblings.iter();
            siblings.filter_map(move |s| Some(Path::new(&s.path).join(rest.as_ref().ok()?)))
        })
    });
    renamed
        .chain(PROGRAMS.map(PathBuf::from))
        .find(|path| {
            root.metadata(path)
                .is_ok_and(|meta| meta.kind == Kind::File && meta.is_executable())
        })
        .map(|path| path.display().to_string())
}
