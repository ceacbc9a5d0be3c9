//! Gives programs of the boot their execute bits back, where dpkg's checksums
//! prove that they are what their packages shipped.

use super::{Kind, Outline, Risk};
use crate::facts::elf::Problem;
use crate::facts::{Facts, Tree};
use crate::finding::Finding;
use crate::journal::Action;

pub(super) const KIND: Kind = Kind {
    name: "restore-execute-bits",
    removes: &["init/init-not-executable", "services/program-broken"],
    plan,
};

fn plan(facts: &Facts, finding: &Finding) -> Option<Outline> {
    let tree = facts.tree.as_ref()?;
    let told = without_bit(tree, finding);
    let is_known = |path: &&str| tree.intact.iter().any(|place| place.path == **path);
    if told.is_empty() || !told.iter().all(is_known) {
        return None;
    }
    let places = tree.intact.iter();
    let places = places.filter(|place| told.contains(&place.path.as_str()));
    let actions: Vec<Action> = places
        .map(|place| Action::Attributes {
            path: (&place.path).into(),
            // Whoever may read it may start it.
            mode: place.mode | (place.mode & 0o444) >> 2,
            uid: place.uid,
            gid: place.gid,
            xattrs: Vec::new(),
        })
        .collect();
    let title = match actions.as_slice() {
        [one] => format!("{one}: it is as its package shipped it"),
        more => format!(
            "give {} programs, each as its package shipped it, the execute bit",
            more.len()
        ),
    };
    Some(Outline {
        title,
        risk: Risk::Safe,
        actions,
        ..Outline::default()
    })
}

/// The files without the bit that a finding is about; nothing where it is about
/// something else.
fn without_bit<'t>(tree: &'t Tree, finding: &Finding) -> Vec<&'t str> {
    if finding.id == "init/init-not-executable" {
        let problems = tree.init.best_closure().problems.iter();
        let mut paths = problems.filter_map(path_of);
        return paths
            .find(|path| *path == finding.subject)
            .into_iter()
            .collect();
    }
    let is_named = |path: &str| {
        let mut sources = finding.evidence.iter().map(|e| e.source.as_str());
        finding.subject == path || sources.any(|source| source == path)
    };
    let mut named = false;
    let mut paths = Vec::new();
    for program in &tree.critical.programs {
        for fault in &program.faults {
            let Some(path) = path_of(&fault.problem) else {
                continue;
            };
            named |= is_named(&program.path) || is_named(path);
            paths.push(path);
        }
    }
    paths.sort_unstable();
    paths.dedup();
    if named { paths } else { Vec::new() }
}

fn path_of(problem: &Problem) -> Option<&str> {
    match problem {
        Problem::NotExecutable { path } => Some(path),
        _ => None,
    }
}
