//! Every program and library of a root, asked about one after the other.

use std::collections::HashMap;
use std::sync::Arc;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::given;
use super::judge::Judge;
use super::loader::Loader;
use super::problem::{Closure, Problem};
use super::script::Shebang;
use super::walk::walk;

/// What a whole root was found to be made of, and what of it is refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Scan {
    /// Programs that need the loader.
    pub programs: usize,
    /// Libraries and plugins.
    pub libraries: usize,
    /// Programs that something goes wrong with, by path.
    pub broken: Vec<Closure>,
    /// Plugins that do not load by themselves and may in the program that
    /// brings them in, and programs whose own bundle has what they miss.
    pub suspects: Vec<Closure>,
    /// Scripts in the search path that the kernel or `env` finds no interpreter
    /// for; some packages only recommend it.
    pub scripts: Vec<Closure>,
    /// Programs for a machine that this root has no loader for.
    pub foreign: usize,
    /// True when there were more files than are looked at.
    pub cut_short: bool,
    /// Directories below it that hold another system (containers, chroots,
    /// snapshots) and were left out.
    pub nested_roots: usize,
}

/// Asks about everything in the loader's root.
pub fn scan(loader: &Loader<'_>) -> Scan {
    let walked = walk(&loader.files);
    let judge = Judge::new(&walked.found);
    let (programs, libraries): (Vec<_>, Vec<_>) =
        walked.found.iter().partition(|found| found.is_program);
    let refused = programs.par_iter().filter_map(|found| {
        // What is loaded is told only of those that something is wrong with.
        let problems = loader.problems(&found.path);
        if problems.is_empty() {
            return None;
        }
        let is_foreign = judge.is_foreign(found, &problems);
        let in_bundle = |problem| judge.is_in_bundle(&found.path, problem);
        let kind = match (is_foreign, problems.iter().all(in_bundle)) {
            (true, _) => Refused::Foreign,
            (false, true) => Refused::Suspect,
            (false, false) => Refused::Broken,
        };
        Some((kind, loader.closure(&found.path)))
    });
    let mut refused: Vec<(Refused, Closure)> = refused.collect();
    given::excuse(loader, &walked.scripts, &mut refused);
    // A library in a program was judged there, with what the program gives it.
    let judged = loader.files.loaded();
    let plugins = libraries
        .par_iter()
        .filter(|found| !judged.contains(&found.id))
        .filter(|found| !loader.library_problems(&found.path).is_empty())
        .map(|found| (Refused::Suspect, loader.library(&found.path)));
    refused.extend(plugins.collect::<Vec<_>>());
    refused.sort_by(|(_, a), (_, b)| a.program.cmp(&b.program));
    let mut scan = Scan {
        scripts: without_interpreter(loader, &walked.scripts),
        programs: programs.len(),
        libraries: libraries.len(),
        cut_short: walked.is_cut_short,
        nested_roots: walked.nested_roots,
        ..Scan::default()
    };
    for (kind, closure) in refused {
        match kind {
            Refused::Broken => scan.broken.push(closure),
            Refused::Suspect => scan.suspects.push(closure),
            Refused::Foreign => scan.foreign += 1,
        }
    }
    scan
}

/// Those of `scripts` that nothing runs. All with one first line fare alike.
fn without_interpreter(loader: &Loader<'_>, scripts: &[String]) -> Vec<Closure> {
    let mut runs: HashMap<Arc<Shebang>, bool> = HashMap::new();
    let mut lacking = Vec::new();
    for path in scripts {
        let opened = loader.files.open(path).ok();
        let Some(shebang) = opened.and_then(|opened| opened.script.clone()) else {
            continue;
        };
        if runs.get(&shebang) == Some(&true) {
            continue;
        }
        let closure = loader.closure(path);
        let lacks = |problem: &Problem| matches!(problem, Problem::InterpreterMissing { .. });
        let is_lacking = closure.problems.iter().any(lacks);
        runs.insert(shebang, !is_lacking);
        if is_lacking {
            lacking.push(closure);
        }
    }
    lacking
}

/// What it means that the loader refuses a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    Broken,
    Suspect,
    Foreign,
}
