//! Names arrays in mdadm.conf by their UUID, and mounts by UUID what fstab
//! mounted by an array's name: the copy of mdadm.conf in the initramfs is old.

use super::edit::{Edit, EditKind, Edits};
use super::{Risk, table_line};
use crate::checks::{Misnamed, misnamed};
use crate::facts::Facts;
use crate::facts::mdadm_conf::ArrayLine;
use crate::facts::text_file::TextFile;
use crate::finding::Finding;
use crate::sysroot::filesystems::{self, Match};

pub(super) const KIND: EditKind = EditKind {
    name: "restore-array-entry",
    removes: &["storage/array-name-unknown"],
    plan,
};

fn plan(facts: &Facts, _finding: &Finding) -> Option<Edits> {
    let tree = facts.tree.as_ref()?;
    let fstab = tree.mounts.file.as_ref()?;
    let misnamed = misnamed(facts, tree);
    let all = filesystems::list(&facts.assembly);
    let mut lines = Vec::new();
    for one in &misnamed {
        let Match::One(found) = filesystems::find(&all, &one.line.entry.spec) else {
            return None;
        };
        let uuid = found.signature.uuid.as_ref()?;
        let new = |old: &str| table_line::with_field(old, 0, |_| format!("UUID={uuid}"));
        lines.push(Edit::line(fstab, one.line.entry.line, new)?);
    }
    if let Some(conf) = &tree.mdadm_conf.file {
        for one in &misnamed {
            let name = one.array.freshest().map_or("", |own| own.name.as_str());
            let old = tree.mdadm_conf.entry_of(&one.array.uuid, name);
            lines.extend(entry(conf, one, old)?);
        }
    }
    let names: Vec<&str> = misnamed.iter().map(|m| m.array.name.as_str()).collect();
    let names = names.join(", ");
    Some(Edits {
        title: format!("mount {names} by UUID and name it in mdadm.conf"),
        risk: Risk::Safe,
        lines,
    })
}

/// The line of mdadm.conf for the array, where it is not there already. None
/// when it cannot be made.
fn entry(conf: &TextFile, one: &Misnamed<'_>, old: Option<&ArrayLine>) -> Option<Option<Edit>> {
    let version = &one.array.freshest()?.version;
    let (spec, uuid) = (&one.line.entry.spec, &one.array.uuid);
    let entry = format!("ARRAY {spec} metadata={version} UUID={uuid}");
    if conf.text.lines().any(|line| line == entry) {
        return Some(None);
    }
    match old {
        Some(old) => with_line(conf, old.line, entry).map(Some),
        None => Edit::added(conf, entry).map(Some),
    }
}

/// Line `number` replaced; none when it goes on in the next one.
fn with_line(conf: &TextFile, number: usize, entry: String) -> Option<Edit> {
    let mut next = conf.text.lines().skip(number);
    if next
        .next()
        .is_some_and(|next| next.starts_with([' ', '\t']))
    {
        return None;
    }
    Edit::line(conf, number, |_| Some(entry))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_goes_on_is_left() {
        let file = |text: &str| TextFile {
            path: "/etc/mdadm/mdadm.conf".into(),
            text: text.into(),
            mode: 0o644,
            uid: 0,
            gid: 0,
            xattrs: Vec::new(),
            is_plain: true,
        };
        let new = |text: &str| with_line(&file(text), 1, "ARRAY /dev/md0 UUID=2".into());
        assert!(new("ARRAY /dev/md0 UUID=1\nMAILADDR root\n").is_some());
        assert_eq!(new("ARRAY /dev/md0\n  UUID=1\n"), None);
    }
}
