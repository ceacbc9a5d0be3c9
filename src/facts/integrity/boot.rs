//! Which files the boot needs, whatever path leads to them, and where no file
//! is to be expected.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::Scope;
use super::compare::Ids;
use crate::facts::Tree;
use crate::facts::critical::Critical;
use crate::facts::init::Init;
use crate::facts::layout::Layout;
use crate::facts::mounts::Mounts;
use crate::sys::root_dir::RootDir;

/// The files of the boot-critical closure.
#[derive(Debug, Default)]
pub(in crate::facts) struct BootFiles {
    ids: Ids,
    paths: HashSet<String>,
}

impl BootFiles {
    pub(in crate::facts) fn of(root: &RootDir, init: &Init, critical: &Critical) -> Self {
        let mut files = Self::default();
        let closure = init.best_closure();
        let objects = closure.objects.iter();
        objects.for_each(|o| files.add(root, &[&o.path, &o.real_path]));
        closure
            .path
            .iter()
            .chain(&init.trail)
            .for_each(|path| files.add(root, &[path]));
        for step in &critical.steps {
            step.file.iter().for_each(|file| files.add(root, &[file]));
        }
        for program in &critical.programs {
            files.add(root, &[&program.path]);
            program
                .real_path
                .iter()
                .for_each(|path| files.add(root, &[path]));
            for needed in &program.files {
                files.add(root, &[&needed.path]);
                needed
                    .through
                    .iter()
                    .for_each(|path| files.add(root, &[path]));
            }
            for fault in &program.faults {
                files.add(root, &[fault.problem.culprit()]);
            }
        }
        files
    }

    /// Only the files at these paths.
    pub(super) fn at(root: &RootDir, paths: &[String]) -> Self {
        let mut files = Self::default();
        paths.iter().for_each(|path| files.add(root, &[path]));
        files
    }

    fn add(&mut self, root: &RootDir, paths: &[&str]) {
        for path in paths {
            if path.starts_with('/') && self.paths.insert((*path).to_owned()) {
                let meta = root.metadata(path);
                self.ids.extend(meta.ok().map(|meta| (meta.dev, meta.ino)));
            }
        }
    }

    pub(super) fn ids(&self) -> &Ids {
        &self.ids
    }

    /// True for a file of the boot: by what it is, or by either spelling of
    /// its path on a merged /usr.
    pub(super) fn has(&self, path: &str, id: Option<(u64, u64)>) -> bool {
        let merged = path
            .strip_prefix("/usr")
            .map_or_else(|| format!("/usr{path}"), str::to_owned);
        id.is_some_and(|id| self.ids.contains(&id))
            || self.paths.contains(path)
            || self.paths.contains(&merged)
    }
}

/// Where a tree has nothing that packages own, for a reason told elsewhere.
pub(in crate::facts) fn hidden(layout: &Layout, mounts: &Mounts) -> Vec<PathBuf> {
    let suspects = layout
        .suspects
        .iter()
        .map(|suspect| PathBuf::from(&suspect.path));
    let targets = mounts.lines.iter().map(|line| &line.entry.target);
    let unmounted = targets
        .filter(|target| *target != Path::new("/"))
        .filter(|target| mounts.lacks(&target.to_string_lossy()))
        .cloned();
    suspects.chain(unmounted).collect()
}

impl Scope {
    /// What a diagnosis knows of the tree.
    pub(super) fn of(root: &RootDir, tree: &Tree) -> Self {
        Self {
            whole: true,
            hidden: hidden(&tree.layout, &tree.mounts),
            boot: BootFiles::of(root, &tree.init, &tree.critical),
        }
    }
}
