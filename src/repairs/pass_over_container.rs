//! Lets the boot go on without an encrypted container that is on no disk.

use std::path::Path;

use super::edit::{Edit, EditKind, Edits};
use super::{Risk, table_line};
use crate::facts::Facts;
use crate::facts::mounts::Device;
use crate::finding::{Finding, Severity};

pub(super) const KIND: EditKind = EditKind {
    name: "pass-over-container",
    removes: &["services/crypttab-device-missing"],
    plan,
};

/// Without these, what runs would find and leave its data in the wrong place.
const NOT_WITHOUT: [&str; 3] = ["/", "/usr", "/var"];

fn plan(facts: &Facts, finding: &Finding) -> Option<Edits> {
    if finding.severity < Severity::Unreachable {
        return None;
    }
    let mounts = &facts.tree.as_ref()?.mounts;
    let (fstab, crypttab) = (mounts.file.as_ref()?, mounts.crypttab_file.as_ref()?);
    let mut lines = Vec::new();
    let mut targets = Vec::new();
    let is_it = |spec: &str, device: &Device| *device == Device::Absent && spec == finding.subject;
    let containers = mounts.crypttab.iter();
    for container in containers.filter(|line| is_it(&line.spec, &line.device)) {
        let has = |option: &str| container.options.iter().any(|set| set == option);
        if !has("nofail") && !has("noauto") {
            let new = |old: &str| table_line::with_option(old, "nofail", &["", "", "none"]);
            lines.push(Edit::line(crypttab, container.line, new)?);
        }
        let opened = format!("/dev/mapper/{}", container.name);
        for line in mounts.lines.iter().filter(|line| line.entry.spec == opened) {
            let entry = &line.entry;
            if NOT_WITHOUT
                .iter()
                .any(|path| entry.target == Path::new(path))
            {
                return None;
            }
            let waits = ["noauto", "nofail", "_netdev", "x-systemd.automount"];
            if entry.is_swap() || waits.iter().any(|option| entry.has(option)) {
                continue;
            }
            let fill = ["", "none", "auto", "defaults"];
            let new = |old: &str| table_line::with_option(old, "nofail", &fill);
            lines.push(Edit::line(fstab, entry.line, new)?);
            targets.push(entry.target.display().to_string());
        }
    }
    let title = format!("let the boot go on without {} (nofail)", targets.join(", "));
    (!targets.is_empty()).then_some(Edits {
        title,
        risk: Risk::Medium,
        lines,
    })
}
