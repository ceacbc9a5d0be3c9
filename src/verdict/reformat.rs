//! When repairing is given up: reasons that a person would accept.
//!
//! What can be repaired with what is at hand is never condemned, and neither is
//! what only one package or one hand's work is lacking for.

use crate::facts::Facts;
use crate::facts::Tree;
use crate::facts::packages::Packages;
use crate::finding::Finding;
use crate::repairs::{Plan, Refused};

use super::confidence::count;

/// Of a hundred files of packages, so many lost make a reinstall the shorter way
/// and the safer one: what came back would be most of the system, and what no
/// package owns is likely lost as well.
const LOST_PERCENT: usize = 25;

/// Findings by which a part of the tree is somewhere else.
const ELSEWHERE: [&str; 2] = ["root/part-not-mounted", "root/several-systems"];

/// Why no plan leads to a system that checks clean; empty where one may.
pub(super) fn reasons(facts: &Facts, findings: &[Finding], plan: &Plan) -> Vec<String> {
    let Some(tree) = &facts.tree else {
        return Vec::new();
    };
    // What is on a filesystem that was not mounted is not lost.
    let is_elsewhere = |finding: &Finding| ELSEWHERE.contains(&finding.id.as_str());
    if plan.uncovered.is_empty() || findings.iter().any(is_elsewhere) {
        return Vec::new();
    }
    // What a person can clear away is no reason; packages that nobody has are.
    let waits =
        |refused: &Refused| refused.wants.is_empty() && plan.uncovered.contains(&refused.removes);
    if plan.refused.iter().any(waits) {
        return Vec::new();
    }
    let mut reasons = Vec::new();
    // A directory that was moved away comes back with all that is in it.
    if !plan
        .repairs
        .iter()
        .any(|repair| repair.name == "restore-system-directory")
    {
        reasons.extend(too_much_is_lost(tree));
        reasons.extend(nothing_knows(tree, plan));
    }
    reasons
}

/// Files of packages that are gone or damaged, by the hundred.
fn too_much_is_lost(tree: &Tree) -> Option<String> {
    let integrity = &tree.integrity;
    let damaged = integrity.damaged.iter();
    let lost: usize = damaged
        .map(|package| package.files.len() + package.more)
        .sum();
    let lost = lost + integrity.not_told.hidden;
    let percent = (lost * 100).checked_div(integrity.paths)?;
    (percent >= LOST_PERCENT).then(|| {
        format!(
            "{lost} of {} of packages are lost or damaged ({percent} of 100)",
            count(integrity.paths, "file")
        )
    })
}

/// Files are missing, and there is no record left of which ones belong here.
fn nothing_knows(tree: &Tree, plan: &Plan) -> Option<String> {
    let lost = match &tree.packages {
        // A distribution that has such a database.
        Packages::None => match tree.os.id.as_deref() {
            Some("debian" | "ubuntu") => "dpkg's database is gone",
            Some("fedora" | "rhel" | "centos" | "rocky" | "almalinux") => "rpm's database is gone",
            Some("arch") => "pacman's database is gone",
            _ => return None,
        },
        Packages::Dpkg(dpkg) => {
            let status = format!("{}/status", dpkg.database.home);
            let is_lost = dpkg.faults.iter().any(|fault| fault.path == status);
            let comes_back = plan.repairs.iter().any(|repair| {
                matches!(
                    repair.name.as_str(),
                    "restore-package-status" | "restore-package-lists"
                )
            });
            if !is_lost || comes_back || dpkg.database.best_backup().is_some() {
                return None;
            }
            "dpkg's database is damaged, and no copy of it is left"
        }
        _ => return None,
    };
    Some(format!(
        "{lost}: nothing says which files belong to this system"
    ))
}
