//! Gives root a shell that is there.

use super::Risk;
use super::edit::{Edit, EditKind, Edits};
use crate::facts::Facts;
use crate::facts::elf::Problem;
use crate::finding::{Finding, Severity};

pub(super) const KIND: EditKind = EditKind {
    name: "restore-shell",
    removes: &["reach/login-broken"],
    plan,
};

/// The shell, counted from 0, and the number of fields (passwd(5)).
const SHELL: usize = 6;
const FIELDS: usize = 7;

fn plan(facts: &Facts, finding: &Finding) -> Option<Edits> {
    let reach = &facts.tree.as_ref()?.reach;
    let passwd = reach.passwd.as_ref()?;
    let shell = reach.good_shell.as_ref()?;
    // With another account somebody gets in, and can become root.
    let programs = &facts.tree.as_ref()?.critical.programs;
    let is_broken = programs.iter().any(|program| {
        let mut problems = program.faults.iter().map(|fault| &fault.problem);
        program.path == *shell && problems.any(Problem::is_fatal)
    });
    // What a package lost, the package brings back.
    let is_owned = |shell: &str| {
        let mut faults = programs.iter().filter(|program| program.path == shell);
        faults.any(|program| program.faults.iter().any(|fault| fault.package.is_some()))
    };
    if finding.severity < Severity::Unreachable || is_broken {
        return None;
    }
    let mut lines = passwd.text.lines().enumerate();
    let (index, old) = lines.find(|(_, line)| line.starts_with("root:"))?;
    let fields: Vec<&str> = old.split(':').collect();
    let missing = *fields.get(SHELL)?;
    let is_told = finding.evidence.iter().any(|e| e.source == missing);
    if fields.len() != FIELDS || fields.get(2) != Some(&"0") || !is_told || is_owned(missing) {
        return None;
    }
    let head = fields.get(..SHELL)?.join(":");
    let new = format!("{head}:{shell}");
    let line = Edit::line(passwd, index + 1, |_| Some(new))?.unkept();
    Some(Edits {
        title: format!("give root the shell {shell}: {missing} is not there"),
        risk: Risk::Safe,
        lines: vec![line],
    })
}
