//! Programs that the boot does not need and that do not start.

use std::collections::HashSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::critical::Critical;
use super::elf::{Closure, Loader, Problem, SEARCH_PATH, scan};
use super::layout::Layout;
use super::packages::Ownership;

/// One program that does not start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Broken {
    /// Where it lies.
    pub path: String,
    /// The package that owns it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub package: Option<String>,
    /// The first thing that keeps it from starting.
    pub problem: Problem,
}

/// Every program of the root, apart from the boot's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Outside {
    /// Programs that were asked about, the boot's among them.
    pub programs: usize,
    /// Libraries and plugins.
    pub libraries: usize,
    /// The programs that do not start, by path.
    pub broken: Vec<Broken>,
    /// True when there were more files than are looked at.
    pub cut_short: bool,
}

pub(super) fn collect(
    loader: &Loader<'_>,
    owners: &Ownership,
    layout: &Layout,
    critical: &Critical,
) -> Outside {
    let scan = scan::scan(loader);
    let programs = critical.programs.iter();
    let of_the_boot: HashSet<&str> = programs.filter_map(|p| p.real_path.as_deref()).collect();
    let others = scan.broken.into_iter().filter_map(|closure| {
        let path = closure.path.unwrap_or(closure.program);
        let is_cause = |problem: &Problem| problem.is_fatal() && !layout.misleads(problem);
        let problem = closure.problems.into_iter().find(is_cause)?;
        (!of_the_boot.contains(path.as_str())).then(|| Broken {
            package: owners.owner_merged(Path::new(&path)).map(str::to_owned),
            path,
            problem,
        })
    });
    let mut broken: Vec<Broken> = others.collect();
    let scripts = scan.scripts.into_iter();
    broken.extend(scripts.filter_map(|closure| script(closure, owners, layout)));
    Outside {
        programs: scan.programs,
        libraries: scan.libraries,
        broken,
        cut_short: scan.cut_short,
    }
}

/// A script whose interpreter an installed package should have put there; one
/// that no package promised is missing by choice.
fn script(closure: Closure, owners: &Ownership, layout: &Layout) -> Option<Broken> {
    let mut problems = closure.problems.into_iter();
    let problem = problems.find(|problem| {
        let Problem::InterpreterMissing { interpreter, .. } = problem else {
            return false;
        };
        let is_owned = |path: &str| owners.owner_merged(Path::new(path)).is_some();
        let promised = if interpreter.starts_with('/') {
            is_owned(interpreter)
        } else {
            SEARCH_PATH
                .iter()
                .any(|dir| is_owned(&format!("{dir}/{interpreter}")))
        };
        promised && !layout.misleads(problem)
    })?;
    let path = closure.path.unwrap_or(closure.program);
    Some(Broken {
        package: owners.owner_merged(Path::new(&path)).map(str::to_owned),
        path,
        problem,
    })
}
