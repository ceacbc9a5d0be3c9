//! How sure the verdict is: what was compared, what was not, and what stays
//! unknown when the plan is done.

use serde::Serialize;

use crate::facts::Facts;
use crate::facts::integrity::Integrity;
use crate::finding::{Finding, Findings, Severity};
use crate::repairs::{Key, Plan};

/// Names that are told of a longer list.
const NAMES: usize = 5;

/// The evidence that the verdict stands on, in the operator's words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Confidence {
    /// What was looked at and compared.
    pub verified: Vec<String>,
    /// What was not, or has nothing that it could be compared with.
    pub unverified: Vec<String>,
    /// What is as it is also after the plan.
    pub stays: Vec<String>,
}

impl Confidence {
    /// Everything, line by line, in the operator's words.
    pub fn lines(&self) -> Vec<String> {
        let parts = [
            ("compared", &self.verified),
            ("not compared", &self.unverified),
            ("stays as it is", &self.stays),
        ];
        let lines = |(what, lines): (&str, &Vec<String>)| -> Vec<String> {
            lines.iter().map(|line| format!("{what}: {line}")).collect()
        };
        match self.verified.is_empty() {
            true => Vec::new(),
            false => parts.into_iter().flat_map(lines).collect(),
        }
    }
}

pub(super) fn of(facts: &Facts, findings: &Findings, plan: &Plan) -> Confidence {
    let mut told = Confidence::default();
    disks(facts, &mut told);
    if let Some(tree) = &facts.tree {
        images(
            tree.initramfs.images.len(),
            &tree.initramfs.not_unpacked,
            &mut told,
        );
        files(&tree.integrity, &mut told);
    }
    let unknown = findings.unknown.len();
    if unknown > 0 {
        told.unverified.push(format!(
            "{} listed as not known",
            count(unknown, "question")
        ));
    }
    let covered = |finding: &&Finding| {
        let key = Key::of(finding);
        plan.repairs.iter().any(|repair| repair.covers(&key))
    };
    let left = findings.found.iter();
    let left = left.filter(|f| f.severity == Severity::Degraded && !covered(f));
    let left: Vec<&str> = left.map(|finding| finding.id.as_str()).collect();
    if !left.is_empty() {
        told.stays.push(format!(
            "what the boot does not need and the plan leaves: {}",
            names(&left)
        ));
    }
    told
}

fn disks(facts: &Facts, told: &mut Confidence) {
    let disks = facts.survey.disks.len();
    if disks > 0 {
        told.verified.push(format!(
            "{} and {} were looked at; the surface of the disks was not read \
             (lifeboot survey --read-test)",
            count(disks, "disk"),
            count(facts.assembly.arrays.len(), "array")
        ));
    }
}

fn images(unpacked: usize, not: &[String], told: &mut Confidence) {
    if unpacked > 0 {
        told.verified.push(format!(
            "the content of {}",
            count(unpacked, "initramfs image")
        ));
    }
    if !not.is_empty() {
        let not: Vec<&str> = not.iter().map(String::as_str).collect();
        told.unverified
            .push(format!("the initramfs of {}", names(&not)));
    }
}

fn files(integrity: &Integrity, told: &mut Confidence) {
    if integrity.packages == 0 {
        told.unverified
            .push("all files: no package database says what they should be".into());
        return;
    }
    told.verified.push(format!(
        "{} of {} are there or told above; {} were read and compared by their checksums",
        count(integrity.paths, "file"),
        count(integrity.packages, "package"),
        integrity.read
    ));
    if integrity.unread > 0 {
        told.unverified.push(format!(
            "the content of {} of packages (lifeboot diagnose --verify reads all)",
            count(integrity.unread, "further file")
        ));
    }
    if !integrity.without_sums.is_empty() {
        let all: Vec<&str> = integrity.without_sums.iter().map(String::as_str).collect();
        told.unverified
            .push(format!("packages without checksums: {}", names(&all)));
    }
    told.unverified
        .push("files that no package owns, such as /usr/local and /opt".into());
    let changed: usize = integrity.configuration.iter().map(|c| c.files.len()).sum();
    if changed > 0 {
        told.stays.push(format!(
            "{} changed by the operator, whose sense nobody can check",
            count(changed, "configuration file")
        ));
    }
}

/// `1 disk`, `2 disks`.
pub(super) fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

fn names(all: &[&str]) -> String {
    let shown = all[..all.len().min(NAMES)].join(", ");
    match all.len().checked_sub(NAMES) {
        Some(more) if more > 0 => format!("{shown} and {more} more"),
        _ => shown,
    }
}
