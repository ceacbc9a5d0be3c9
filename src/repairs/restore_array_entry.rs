//! Names arrays in mdadm.conf by their UUID, and mounts by UUID what fstab
//! mounted by an array's name: the copy of mdadm.conf in the initramfs is old.

use super::{Kind, Outline, Risk};
use crate::checks::{Misnamed, misnamed};
use crate::facts::Facts;
use crate::facts::mdadm_conf::ArrayLine;
use crate::facts::text_file::TextFile;
use crate::finding::Finding;
use crate::journal::Action;
use crate::sysroot::filesystems::{self, Match};

pub(super) const KIND: Kind = Kind {
    name: "restore-array-entry",
    removes: &["storage/array-name-unknown"],
    plan,
};

fn plan(facts: &Facts, _finding: &Finding) -> Option<Outline> {
    let tree = facts.tree.as_ref()?;
    let fstab = tree.mounts.file.as_ref()?;
    let misnamed = misnamed(facts, tree);
    let all = filesystems::list(&facts.assembly);
    let mut new = fstab.text.clone();
    for one in &misnamed {
        let Match::One(found) = filesystems::find(&all, &one.line.entry.spec) else {
            return None;
        };
        let uuid = found.signature.uuid.as_ref()?;
        new = by_uuid(&new, one.line.entry.line, &one.line.entry.spec, uuid)?;
    }
    let mut actions = replaced(fstab, new).to_vec();
    if let Some(conf) = &tree.mdadm_conf.file {
        let mut new = conf.text.clone();
        for one in &misnamed {
            let name = one.array.freshest().map_or("", |own| own.name.as_str());
            new = with_entry(&new, one, tree.mdadm_conf.entry_of(&one.array.uuid, name))?;
        }
        if new != conf.text {
            actions.extend(replaced(conf, new));
        }
    }
    let names: Vec<&str> = misnamed.iter().map(|m| m.array.name.as_str()).collect();
    Some(Outline {
        title: format!(
            "mount {} by UUID and name it in mdadm.conf",
            names.join(", ")
        ),
        risk: Risk::Safe,
        actions,
        ..Outline::default()
    })
}

fn replaced(file: &TextFile, text: String) -> [Action; 2] {
    let path = &file.path;
    [
        Action::Quarantine { path: path.into() },
        Action::PutFile {
            path: path.into(),
            text,
            mode: file.mode,
            uid: file.uid,
            gid: file.gid,
        },
    ]
}

/// The text with `spec`, the first word of line `number`, made a UUID; the rest
/// of the line stays as it is.
fn by_uuid(text: &str, number: usize, spec: &str, uuid: &str) -> Option<String> {
    let mut found = false;
    let lines = text.lines().enumerate().map(|(index, line)| {
        let blank = line.len() - line.trim_start().len();
        let (indent, rest) = line.split_at(blank);
        match rest.strip_prefix(spec) {
            Some(rest) if index + 1 == number => {
                found = true;
                format!("{indent}UUID={uuid}{rest}\n")
            }
            _ => format!("{line}\n"),
        }
    });
    let text = lines.collect();
    found.then_some(text)
}

/// The text of mdadm.conf with a line for the array.
fn with_entry(text: &str, one: &Misnamed<'_>, old: Option<&ArrayLine>) -> Option<String> {
    let version = &one.array.freshest()?.version;
    let entry = format!(
        "ARRAY {} metadata={version} UUID={}",
        one.line.entry.spec, one.array.uuid
    );
    match old {
        Some(old) => with_line(text, old.line, &entry),
        // The same array in two lines of fstab needs it once.
        None if text.lines().any(|line| line == entry) => Some(text.to_owned()),
        None => Some(appended(text, &entry)),
    }
}

/// The text with line `number` replaced; the old one stays as a comment. None
/// when the line goes on in the next one.
fn with_line(text: &str, number: usize, entry: &str) -> Option<String> {
    let index = number.checked_sub(1)?;
    let old = text.lines().nth(index)?;
    let continued = |next: &str| next.starts_with([' ', '\t']);
    if text.lines().nth(number).is_some_and(continued) {
        return None;
    }
    let lines = text.lines().enumerate().map(|(at, line)| {
        if at == index {
            format!("# before lifeboot: {old}\n{entry}\n")
        } else {
            format!("{line}\n")
        }
    });
    Some(lines.collect())
}

fn appended(text: &str, entry: &str) -> String {
    let gap = if text.is_empty() || text.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    format!("{text}{gap}# added by lifeboot\n{entry}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_is_replaced_and_the_rest_stays() {
        let text = "HOMEHOST <system>\nARRAY /dev/md0 UUID=1\nMAILADDR root\n";
        let new = with_line(text, 2, "ARRAY /dev/md0 UUID=2").unwrap_or_default();
        assert_eq!(
            new,
            "HOMEHOST <system>\n# before lifeboot: ARRAY /dev/md0 UUID=1\n\
             ARRAY /dev/md0 UUID=2\nMAILADDR root\n"
        );
        let continued = "ARRAY /dev/md0\n  UUID=1\n";
        assert_eq!(with_line(continued, 1, "x"), None);
        assert_eq!(appended("a", "b"), "a\n# added by lifeboot\nb\n");
    }

    #[test]
    fn only_the_device_of_the_line_changes() {
        let text = "# /dev/md0\n /dev/md0\t/srv ext4  defaults 0 2\n/dev/md0 /x ext4\n";
        assert_eq!(
            by_uuid(text, 2, "/dev/md0", "12-34").unwrap_or_default(),
            "# /dev/md0\n UUID=12-34\t/srv ext4  defaults 0 2\n/dev/md0 /x ext4\n"
        );
        assert_eq!(by_uuid(text, 1, "/dev/md0", "12-34"), None);
    }
}
