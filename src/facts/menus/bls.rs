//! Entries of the Boot Loader Specification, type 1: a file for each
//! (<https://uapi-group.org/specifications/specs/boot_loader_specification/>).

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::sys::root_dir::{Kind, RootDir};

/// Entries that are read, and the size of one.
const ENTRIES_MAX: usize = 256;
const ENTRY_BYTES_MAX: u64 = 64 << 10;

/// One entry, as its file has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct BlsEntry {
    /// The file's name without `.conf`.
    pub(super) id: String,
    pub(super) title: String,
    pub(super) version: String,
    pub(super) machine: String,
    pub(super) sort_key: Option<String>,
    pub(super) kernel: String,
    pub(super) initramfs: Vec<String>,
    pub(super) options: String,
    /// It starts another program than a kernel.
    pub(super) is_program: bool,
}

/// The entries of a directory; nothing when there is no such directory.
pub(super) fn read(root: &RootDir, folder: &str) -> Option<Vec<BlsEntry>> {
    let listed = root.read_dir(folder).ok()?;
    let mut names: Vec<String> = listed
        .into_iter()
        .filter(|entry| entry.kind != Kind::Directory)
        .map(|entry| entry.name.to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".conf"))
        .collect();
    names.sort();
    names.truncate(ENTRIES_MAX);
    let read = names.iter().filter_map(|name| {
        let text = root.read_text(format!("{folder}/{name}"), ENTRY_BYTES_MAX);
        Some(parse(name.strip_suffix(".conf")?, &text.ok()?))
    });
    Some(read.collect())
}

fn parse(id: &str, text: &str) -> BlsEntry {
    let mut entry = BlsEntry {
        id: id.to_owned(),
        ..BlsEntry::default()
    };
    for line in text.lines().map(str::trim).filter(|l| !l.starts_with('#')) {
        let Some((key, value)) = line.split_once(|c: char| c.is_ascii_whitespace()) else {
            continue;
        };
        let value = value.trim();
        match key {
            "title" => entry.title = value.to_owned(),
            "version" => entry.version = value.to_owned(),
            "machine-id" => entry.machine = value.to_owned(),
            "sort-key" => entry.sort_key = Some(value.to_owned()),
            "linux" => entry.kernel = value.to_owned(),
            "efi" => {
                entry.kernel = value.to_owned();
                entry.is_program = true;
            }
            "initrd" => entry.initramfs.extend(words(value)),
            "options" => {
                let space = if entry.options.is_empty() { "" } else { " " };
                entry.options.push_str(space);
                entry.options.push_str(value);
            }
            _ => {}
        }
    }
    entry
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split_whitespace().map(str::to_owned)
}

impl BlsEntry {
    /// The same with GRUB's variables replaced; those that are not set are empty.
    pub(super) fn with(mut self, variables: &BTreeMap<String, String>) -> Self {
        self.options = expanded(&self.options, variables);
        let files = self.initramfs.iter();
        let files = files.flat_map(|file| words(&expanded(file, variables)).collect::<Vec<_>>());
        self.initramfs = files.collect();
        self.kernel = expanded(&self.kernel, variables);
        self
    }
}

fn expanded(text: &str, variables: &BTreeMap<String, String>) -> String {
    let mut done = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        done.push_str(before);
        let name_ends = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
        let (name, behind) = match after.strip_prefix('{').and_then(|a| a.split_once('}')) {
            Some(braced) => braced,
            None => after.split_at(after.find(name_ends).unwrap_or(after.len())),
        };
        done.push_str(variables.get(name).map_or("", String::as_str));
        rest = behind;
    }
    done.push_str(rest);
    done
}

/// The order of GRUB's `blscfg`: by the names of the files, the newest version
/// first.
pub(super) fn in_grubs_order(entries: &mut [BlsEntry]) {
    entries.sort_by(|a, b| compare(&b.id, &a.id));
}

/// The order of systemd-boot: entries with a key before those without, then the
/// newest version first.
pub(super) fn in_systemds_order(entries: &mut [BlsEntry]) {
    entries.sort_by(|a, b| {
        let by_key = match (&a.sort_key, &b.sort_key) {
            (Some(own), Some(other)) => own
                .cmp(other)
                .then_with(|| a.machine.cmp(&b.machine))
                .then_with(|| compare(&b.version, &a.version)),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        };
        by_key.then_with(|| compare(&b.id, &a.id))
    });
}

/// Compares versions as `rpmvercmp` does: runs of digits by their number, runs
/// of letters as text, a number after letters, and `~` before everything.
fn compare(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        let skip = |text: &str| {
            let from = text.find(|c: char| c.is_ascii_alphanumeric() || c == '~');
            from.unwrap_or(text.len())
        };
        a = &a[skip(a)..];
        b = &b[skip(b)..];
        match (a.starts_with('~'), b.starts_with('~')) {
            (true, true) => (a, b) = (&a[1..], &b[1..]),
            (true, false) => return Ordering::Less,
            (false, true) => return Ordering::Greater,
            (false, false) => {
                let ((own, rest), (other, behind)) = (run(a), run(b));
                let order = match (own.is_empty(), other.is_empty()) {
                    (true, true) => return Ordering::Equal,
                    (true, false) => return Ordering::Less,
                    (false, true) => return Ordering::Greater,
                    (false, false) => of_runs(own, other),
                };
                if order != Ordering::Equal {
                    return order;
                }
                (a, b) = (rest, behind);
            }
        }
    }
}

fn of_runs(a: &str, b: &str) -> Ordering {
    let is_number = |run: &str| run.starts_with(|c: char| c.is_ascii_digit());
    match (is_number(a), is_number(b)) {
        (true, true) => {
            let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
            a.len().cmp(&b.len()).then_with(|| a.cmp(b))
        }
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => a.cmp(b),
    }
}

/// The digits or the letters that a text begins with, and the rest.
fn run(text: &str) -> (&str, &str) {
    let digits = text.starts_with(|c: char| c.is_ascii_digit());
    let ends = |c: char| match digits {
        true => !c.is_ascii_digit(),
        false => !c.is_ascii_alphabetic(),
    };
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_kernel_comes_first_and_the_rescue_one_last() {
        let entry = |id: &str| BlsEntry {
            id: id.to_owned(),
            ..BlsEntry::default()
        };
        let machine = "0b1f27cd9a0e4c29b5b2f6d1c6b2e7aa";
        let names = [
            "5.14.0-70.el9.x86_64",
            "0-rescue",
            "5.14.0-427.13.1.el9_4.x86_64",
        ];
        let mut all: Vec<_> = names.map(|n| entry(&format!("{machine}-{n}"))).into();
        in_grubs_order(&mut all);
        let order: Vec<_> = all.iter().map(|e| &e.id[machine.len() + 1..]).collect();
        assert_eq!(order, [names[2], names[0], names[1]]);
        assert_eq!(compare("6.1~rc1", "6.1"), Ordering::Less);
    }

    #[test]
    fn an_entry_of_fedora_with_variables() {
        let text = "title Fedora\nversion 6.5\nlinux /vmlinuz-6.5\n\
                    initrd /initramfs-6.5.img $tuned_initrd\noptions $kernelopts ro ${none}x\n";
        let set = BTreeMap::from([("kernelopts".to_owned(), "root=UUID=1".to_owned())]);
        let entry = parse("a-6.5", text).with(&set);
        assert_eq!(entry.initramfs, ["/initramfs-6.5.img"]);
        assert_eq!(entry.options, "root=UUID=1 ro x");
    }
}
