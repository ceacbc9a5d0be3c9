//! A program of the boot behind PID 1 cannot start.

use std::collections::BTreeMap;

use super::{Check, tree_with_usr};
use crate::facts::critical::{Critical, Fault, Program, Role};
use crate::facts::elf::Problem;
use crate::facts::{Facts, Tree};
use crate::finding::{Evidence, Finding, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "services/program-broken",
    stage: Stage::Services,
    page: include_str!("../../docs/findings/services/program-broken.md"),
    run,
};

/// Programs that a finding names.
const NAMED_MAX: usize = 4;

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = tree_with_usr(facts) else {
        return;
    };
    for program in &tree.critical.programs {
        for fault in &program.faults {
            if let Problem::Unexamined { path, why } = &fault.problem {
                out.could_not_tell(Stage::Services, format!("what {path} needs"), why.as_str());
            }
        }
    }
    let severity = |program: &Program| match program.role {
        Role::Manager | Role::Mount => Some(Severity::Blocker),
        // The target is reached, but neither a console nor a network card that
        // waits for udev comes up.
        Role::Device => Some(Severity::Unreachable),
        Role::Generator | Role::Service | Role::Helper => Some(Severity::Degraded),
        Role::Shell | Role::Console | Role::Remote => None,
    };
    for cause in causes(tree, severity) {
        out.push(cause.finding(&CHECK, &tree.critical, "the boot"));
    }
}

/// One file at fault, and the programs that do not start for it.
pub(super) struct Cause<'t> {
    culprit: &'t str,
    severity: Severity,
    programs: Vec<(&'t Program, &'t Fault)>,
}

/// The files at fault of the programs that `severity` grades, unless PID 1
/// does not start for the same reason.
pub(super) fn causes(
    tree: &Tree,
    severity: impl Fn(&Program) -> Option<Severity>,
) -> Vec<Cause<'_>> {
    let first = &tree.init.best_closure().problems;
    let mut causes: BTreeMap<(&str, &str), Cause<'_>> = BTreeMap::new();
    for program in &tree.critical.programs {
        let Some(severity) = severity(program) else {
            continue;
        };
        for fault in program.faults.iter().filter(|f| f.problem.is_fatal()) {
            let culprit = fault.problem.culprit();
            if first
                .iter()
                .any(|problem| problem.has_culprit_of(&fault.problem))
            {
                continue;
            }
            // Programs with the same fault of their own are one cause, such as
            // a recursive chmod.
            let own = program.path == culprit || program.real_path.as_deref() == Some(culprit);
            let key = (what(&fault.problem), if own { "" } else { culprit });
            let cause = causes.entry(key).or_insert(Cause {
                culprit,
                severity,
                programs: Vec::new(),
            });
            cause.severity = cause.severity.max(severity);
            if !cause
                .programs
                .iter()
                .any(|(known, _)| known.path == program.path)
            {
                cause.programs.push((program, fault));
            }
        }
    }
    let mut causes: Vec<Cause<'_>> = causes.into_values().collect();
    for cause in &mut causes {
        // The worst is named first.
        cause
            .programs
            .sort_by_key(|(program, _)| std::cmp::Reverse(program.role));
    }
    causes
}

impl Cause<'_> {
    /// The finding about it; `of` is what the programs belong to.
    pub(super) fn finding(&self, check: &Check, critical: &Critical, of: &str) -> Finding {
        let what = self
            .programs
            .first()
            .map_or("is damaged", |(_, f)| what(&f.problem));
        let names: Vec<String> = self.programs.iter().map(|(p, _)| p.path.clone()).collect();
        let title = match names.as_slice() {
            [one] if self.is_own() => format!("{one} {what}"),
            [one] => format!("{one} cannot start: {} {what}", self.culprit),
            several if self.is_own() => {
                format!(
                    "{} programs of {of} cannot start: each {what}",
                    several.len()
                )
            }
            several => {
                let count = several.len();
                format!(
                    "{count} programs of {of} cannot start: {} {what}",
                    self.culprit
                )
            }
        };
        let mut finding = check.finding(self.severity, self.culprit, title);
        for (program, fault) in self.programs.iter().take(NAMED_MAX) {
            let way = critical.way(program.step);
            let by = way.last().map_or("", |step| step.what.as_str());
            finding = finding.with([
                Evidence::seen(&program.path, format!("asked for by {by}{}", told(program))),
                {
                    // The path stands before it already.
                    let (path, told) = (fault.problem.culprit(), fault.problem.to_string());
                    let told = told
                        .strip_prefix(path)
                        .map_or(&*told, |t| t.trim_start_matches(": "));
                    Evidence::seen(path, told)
                },
            ]);
        }
        finding.evidence.dedup();
        if names.len() > NAMED_MAX {
            let more = names.len() - NAMED_MAX;
            finding = finding.with([Evidence::seen("and", format!("{more} programs more"))]);
        }
        let mut faults = self.programs.iter().map(|(_, fault)| fault);
        if let Some(elsewhere) = faults.clone().find_map(|fault| elsewhere(fault)) {
            finding = finding.because(elsewhere);
        }
        match faults.find_map(|fault| fault.package.as_ref()) {
            Some(package) => {
                finding.by_hand(format!("chroot ROOT apt-get install --reinstall {package}"))
            }
            None => finding.by_hand(format!("lifeboot explain --path {}", names[0])),
        }
    }

    /// True when each program is at fault itself.
    fn is_own(&self) -> bool {
        self.programs.iter().all(|(program, fault)| {
            let culprit = fault.problem.culprit();
            program.path == culprit || program.real_path.as_deref() == Some(culprit)
        })
    }
}

/// Where it is told to look for libraries.
fn told(program: &Program) -> String {
    let path = program.library_path.as_deref();
    path.map_or_else(String::new, |path| {
        format!(", which sets LD_LIBRARY_PATH={path}")
    })
}

fn what(problem: &Problem) -> &'static str {
    match problem {
        Problem::ProgramMissing { .. } | Problem::InterpreterMissing { .. } => "is missing",
        Problem::LibraryMissing { .. } => "is not found",
        Problem::NotExecutable { .. } => "has no execute bit",
        Problem::VersionMissing { .. } => "is another version than it needs",
        Problem::WrongMachine { .. } => "is for another machine",
        Problem::LinkLoop { .. } => "is a link into itself",
        _ => "is damaged",
    }
}

/// Where the loader would have to look, or look again.
fn elsewhere(fault: &Fault) -> Option<String> {
    let Problem::LibraryMissing {
        name,
        found_elsewhere,
        not_in_cache,
        ..
    } = &fault.problem
    else {
        return None;
    };
    match (not_in_cache, found_elsewhere.first()) {
        (Some(path), _) => Some(format!("{path} is there, but not in /etc/ld.so.cache")),
        (None, Some(path)) => Some(format!("instead of {name} there is {path}")),
        (None, None) => None,
    }
}
