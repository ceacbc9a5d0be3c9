//! A program on the way of every login cannot start.

use super::program_broken::causes;
use super::{Check, tree_with_usr};
use crate::facts::critical::{Program, Role};
use crate::facts::elf::Problem;
use crate::facts::{Facts, Tree};
use crate::finding::{Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "reach/login-broken",
    stage: Stage::Reach,
    page: include_str!("../../docs/findings/reach/login-broken.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = tree_with_usr(facts) else {
        return;
    };
    let has_remote = programs(tree, Role::Remote).next().is_some();
    let no_shell = !programs(tree, Role::Shell).any(starts);
    let severity = |program: &Program| match program.role {
        // Nobody sits beside a server.
        Role::Remote => Some(Severity::Unreachable),
        Role::Console if has_remote => Some(Severity::Degraded),
        Role::Console => Some(Severity::Unreachable),
        Role::Shell if no_shell => Some(Severity::Unreachable),
        Role::Shell => Some(Severity::Degraded),
        _ => None,
    };
    for cause in causes(tree, severity) {
        out.push(cause.finding(&CHECK, &tree.critical, "the login"));
    }
}

fn programs(tree: &Tree, role: Role) -> impl Iterator<Item = &Program> {
    let all = tree.critical.programs.iter();
    all.filter(move |program| program.role == role)
}

fn starts(program: &Program) -> bool {
    let mut problems = program.faults.iter().map(|fault| &fault.problem);
    !problems.any(Problem::is_fatal)
}
