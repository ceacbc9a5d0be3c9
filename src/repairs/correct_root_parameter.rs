//! Tells the kernel in GRUB's menu to mount the root that fstab names.

use std::path::Path;

use super::edit::{Edit, EditKind, Edits};
use super::{Risk, root_filesystem};
use crate::facts::Facts;
use crate::facts::grub::Loader;
use crate::facts::mounts::Device;
use crate::facts::text_file::TextFile;
use crate::finding::Finding;

pub(super) const KIND: EditKind = EditKind {
    name: "correct-root-parameter",
    removes: &["bootloader/root-parameter-wrong"],
    plan,
};

/// GRUB's commands that hand the kernel its command line.
const COMMANDS: [&str; 3] = ["linux", "linux16", "linuxefi"];

fn plan(facts: &Facts, finding: &Finding) -> Option<Edits> {
    let tree = facts.tree.as_ref()?;
    let menu = tree.kernels.menu()?;
    let (spec, Device::Absent) = tree.mounts.root_parameter.as_ref()? else {
        return None;
    };
    let is_menu = menu.loader == Loader::Grub && menu.path == finding.subject && !menu.bls;
    let root = root_filesystem::of(facts)?;
    // A second word for it: else the right root may be on a disk that is gone.
    let mut lines = tree.mounts.lines.iter();
    let line = lines.find(|line| line.entry.target == Path::new("/"))?;
    let agrees = matches!(&line.device, Device::Present { name, .. } if *name == root.name);
    if !is_menu || !agrees {
        return None;
    }
    let (old, new) = (
        format!("root={spec}"),
        format!("root=UUID={}", root.signature.uuid?),
    );
    let mut edits = Vec::new();
    for file in &tree.mounts.root_files {
        let mut changed = lines_of(file, &old, &new)?;
        edits.append(&mut changed);
    }
    // Without the menu itself nothing would be better.
    edits
        .iter()
        .any(|edit| edit.path == menu.path)
        .then(|| Edits {
            title: format!("have the kernel mount {} as its root: {new}", root.name),
            risk: Risk::Medium,
            lines: edits,
        })
}

/// Every line of the file that has the wrong word: no entry of the menu starts
/// with it. None where one of them cannot be changed.
fn lines_of(file: &TextFile, old: &str, new: &str) -> Option<Vec<Edit>> {
    let is_default = |line: &str| line.starts_with("GRUB_CMDLINE_LINUX");
    let has_it = |line: &str| {
        let command = line.split_whitespace().next().unwrap_or_default();
        let counts = COMMANDS.contains(&command) || is_default(line.trim_start());
        counts && replaced(line, old, new).is_some()
    };
    let lines = file
        .text
        .lines()
        .enumerate()
        .filter(|(_, line)| has_it(line));
    lines
        .map(|(index, _)| Edit::line(file, index + 1, |line| replaced(line, old, new)))
        .collect()
}

/// The line with each whole word `old` made `new`; none without one.
fn replaced(line: &str, old: &str, new: &str) -> Option<String> {
    let ends =
        |c: Option<char>| c.is_none_or(|c| c.is_whitespace() || matches!(c, '"' | '\'' | '='));
    let mut out = String::new();
    let (mut rest, mut found) = (line, false);
    while let Some(at) = rest.find(old) {
        let (before, after) = rest.split_at(at);
        let after = after.strip_prefix(old)?;
        // What stands before it in an earlier piece was copied already.
        let begins = before
            .chars()
            .next_back()
            .or_else(|| out.chars().next_back());
        let is_word = ends(begins) && ends(after.chars().next());
        out += before;
        out += if is_word { new } else { old };
        found |= is_word;
        rest = after;
    }
    out += rest;
    found.then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_words_are_replaced() {
        let new = |line: &str| replaced(line, "root=UUID=1", "root=UUID=2");
        let line = "\tlinux /boot/vmlinuz root=UUID=1 ro xroot=UUID=1 root=UUID=12";
        let expected = "\tlinux /boot/vmlinuz root=UUID=2 ro xroot=UUID=1 root=UUID=12";
        assert_eq!(new(line).as_deref(), Some(expected));
        let quoted = "GRUB_CMDLINE_LINUX=\"root=UUID=1\"";
        assert_eq!(
            new(quoted).as_deref(),
            Some("GRUB_CMDLINE_LINUX=\"root=UUID=2\"")
        );
        assert_eq!(new("linux /vmlinuz root=UUID=11"), None);
        assert_eq!(new("root=UUID=1root=UUID=1"), None);
    }
}
