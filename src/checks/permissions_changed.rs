//! `chmod -R` or `chown -R` went over files of packages.

use super::{Check, some, tree_with_usr};
use crate::facts::Facts;
use crate::facts::integrity::{Change, Extent};
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "packages/permissions-changed",
    stage: Stage::Packages,
    page: include_str!("../../docs/findings/packages/permissions-changed.md"),
    run,
};

/// Directories that the finding names.
const NAMED_MAX: usize = 6;

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = tree_with_usr(facts) else {
        return;
    };
    let permissions = &tree.integrity.permissions;
    let Some(first) = permissions.extents.first() else {
        return;
    };
    let keys = &permissions.open_host_keys;
    let harmless = permissions.extents.iter().all(|extent| extent.application);
    let (severity, title) = if keys.is_empty() {
        let title = format!("{} was done below {}", command(first), first.top);
        // Some applications want to write to their own files.
        let severity = match harmless {
            true => Severity::Note,
            false => Severity::Degraded,
        };
        (severity, title)
    } else {
        let title = format!(
            "{} was done below {}, and sshd refuses all its host keys",
            command(first),
            first.top
        );
        (Severity::Unreachable, title)
    };
    let shown = permissions.extents.iter().take(NAMED_MAX);
    let mut evidence: Vec<Evidence> = shown.map(of_extent).collect();
    evidence.extend(permissions.extents.iter().filter_map(powerless));
    evidence.extend(keys.first().map(|key| {
        Evidence::seen(key, "can be read by others, as every host key").expected("mode 0600")
    }));
    let mut finding = CHECK
        .finding(severity, "permissions", title)
        .with(evidence)
        .because("most often a recursive command with a wrong path");
    finding = if harmless && keys.is_empty() {
        finding.by_hand("nothing, where it was meant: only this application is concerned")
    } else if keys.is_empty() {
        finding.by_hand(
            "in a chroot of the patient: apt-get install --reinstall the packages of these \
             directories; what no package owns has to be set by hand",
        )
    } else {
        finding.by_hand(format!("chmod 600 ROOT{}", keys.join(" ROOT")))
    };
    out.push(finding);
}

fn of_extent(extent: &Extent) -> Evidence {
    let what = match extent.change {
        Change::DirectoryMode { mode } => format!("directories have mode {mode:04o}"),
        Change::FileMode { mode } => format!("files have mode {mode:04o}"),
        Change::Owner { uid } => format!("paths belong to user {uid}"),
    };
    let seen = format!(
        "{} of {} {what}, most of them since the same {}",
        extent.paths,
        extent.of,
        span(extent.within_seconds)
    );
    let expected = match extent.change {
        Change::DirectoryMode { .. } => "mode 0755",
        Change::FileMode { .. } => "mode 0644, or 0755 for programs",
        Change::Owner { .. } => "root",
    };
    Evidence::seen(&extent.top, seen).expected(expected)
}

fn span(seconds: i64) -> String {
    match seconds {
        0..60 => "minute".to_owned(),
        60..3600 => "hour".to_owned(),
        _ => "day or longer".to_owned(),
    }
}

fn powerless(extent: &Extent) -> Option<Evidence> {
    let first = extent.powerless.first()?;
    let seen = format!(
        "no longer acts for another user, as {}",
        some(&extent.powerless, 5)
    );
    Some(Evidence::seen(first, seen).expected("owner root and the set-user-id bit"))
}

fn command(extent: &Extent) -> String {
    match extent.change {
        Change::DirectoryMode { mode } | Change::FileMode { mode } => {
            format!("chmod -R {mode:03o} or the like")
        }
        Change::Owner { uid } => format!("chown -R {uid} or the like"),
    }
}
