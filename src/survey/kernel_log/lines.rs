//! One line of the kernel's log: what it is about, and which disk.
//!
//! The phrases are those of `drivers/nvme/host/{core,pci}.c`, `drivers/ata`,
//! `drivers/scsi/{sd,scsi_error}.c` and `block/blk-core.c`, from 3.16 to 6.18.

use super::Names;

/// What a line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Timeout,
    Reset,
    DropOut,
    Io,
    Medium,
    /// Belongs to one of the others and counts for nothing alone.
    Detail,
}

/// Phrases, the more telling first; all words of a row must be in the line.
const PHRASES: &[(Kind, &[&str])] = &[
    (Kind::Medium, &["critical medium error, dev "]),
    (Kind::DropOut, &["nvme", "Removing after probe failure"]),
    (Kind::DropOut, &["nvme", "controller is down", "CSTS="]),
    (
        Kind::DropOut,
        &["nvme", "Device not ready; aborting", "CSTS="],
    ),
    (
        Kind::DropOut,
        &["nvme", "Disabling device after reset failure"],
    ),
    (Kind::DropOut, &["nvme", "device inaccessible"]),
    (Kind::DropOut, &["nvme", "failed to mark controller"]),
    (Kind::DropOut, &["Device offlined"]),
    (Kind::DropOut, &["rejecting I/O to offline device"]),
    (Kind::DropOut, &["ata", ".00: disabled"]),
    (Kind::DropOut, &["ata", ".00: disable device"]),
    (Kind::DropOut, &["ata", "COMRESET failed"]),
    (Kind::Detail, &["nvme", "faulty power saving mode"]),
    (Kind::Timeout, &["nvme", "I/O", " timeout, "]),
    (Kind::Timeout, &["nvme", "I/O", " timed out"]),
    (Kind::Detail, &["Buffer I/O error on dev"]),
    (Kind::Io, &["I/O error, dev "]),
    (Kind::Reset, &["nvme", "resetting controller"]),
    (Kind::Reset, &["nvme", "controller reset"]),
    (Kind::Reset, &["ata", "hard resetting link"]),
    (Kind::Reset, &["ata", "soft resetting link"]),
    (Kind::Timeout, &["ata", "Emask", "(timeout)"]),
    (Kind::Detail, &["ata", "exception Emask"]),
    (Kind::Detail, &["ata", "error: { ", "UNC"]),
    (Kind::Detail, &["ata", "failed command:"]),
    (Kind::Detail, &["Sense Key : Medium Error"]),
    (Kind::Detail, &["Unrecovered read error"]),
    (Kind::Detail, &["nvme", "@ LBA", "Error"]),
];

/// Requests that a disk may refuse without being the worse for it.
const HARMLESS: [&str; 3] = ["(DISCARD)", "(WRITE_ZEROES)", "(SECURE_ERASE)"];

/// What `line` says about a disk, if anything.
pub(super) fn classify(line: &str) -> Option<Kind> {
    let (kind, _) = PHRASES
        .iter()
        .find(|(_, words)| words.iter().all(|word| line.contains(word)))?;
    let harmless = *kind == Kind::Io && HARMLESS.iter().any(|word| line.contains(word));
    (!harmless).then_some(*kind)
}

/// The disk that a line names, and whether it is one of `names`.
pub(super) fn disk_of(line: &str, names: &[Names]) -> Option<(String, bool)> {
    let words = || {
        line.split(|c: char| !(c.is_ascii_alphanumeric() || ".:_-".contains(c)))
            .map(|word| word.trim_matches([':', '.', '-']))
    };
    let known = words().find_map(|word| {
        let disk = whole_disk(word);
        // Device 0 of a port: ata1.00.
        let port = word.split_once('.').map_or(word, |(port, _)| port);
        names.iter().find(|name| {
            name.disk == disk
                || name
                    .others
                    .iter()
                    .any(|other| other == word || other == port)
        })
    });
    if let Some(name) = known {
        return Some((name.disk.clone(), true));
    }
    let word = words().find(|word| is_a_name(whole_disk(word)) || is_port(word))?;
    let word = whole_disk(word);
    let port = word.split_once('.').filter(|_| word.starts_with("ata"));
    Some((port.map_or(word, |(port, _)| port).to_owned(), false))
}

/// `sda1` -> `sda`, `nvme0n1p2` -> `nvme0n1`.
fn whole_disk(word: &str) -> &str {
    let stem = word.trim_end_matches(|c: char| c.is_ascii_digit());
    if word.starts_with("sd") {
        return stem;
    }
    match stem.strip_suffix('p') {
        Some(disk) if stem.len() < word.len() && word.starts_with("nvme") => disk,
        _ => word,
    }
}

/// A name that the kernel gives to a disk, a controller, a port or an address.
pub(super) fn is_a_name(word: &str) -> bool {
    let numbered = |prefix: &str| {
        word.strip_prefix(prefix)
            .is_some_and(|n| !n.is_empty() && n.chars().all(|c| c.is_ascii_digit()))
    };
    let namespace = word
        .strip_prefix("nvme")
        .and_then(|rest| rest.split_once('n'))
        .is_some_and(|(a, b)| is_number(a) && is_number(b));
    let scsi = word
        .strip_prefix("sd")
        .is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_lowercase()));
    let address = word.split(':').count() == 4 && word.split(':').all(is_number);
    numbered("nvme") || numbered("ata") || namespace || scsi || address || is_pci(word)
}

/// `ata2.00`.
fn is_port(word: &str) -> bool {
    word.split_once('.').is_some_and(|(port, device)| {
        port.starts_with("ata") && is_a_name(port) && is_number(device)
    })
}

/// `0000:01:00.0`.
pub(super) fn is_pci(word: &str) -> bool {
    let parts: Vec<&str> = word.split([':', '.']).collect();
    parts.len() == 4
        && word.contains('.')
        && parts.iter().map(|part| part.len()).eq([4, 2, 2, 1])
        && parts
            .iter()
            .all(|part| part.chars().all(|c| c.is_ascii_hexdigit()))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_digit())
}
