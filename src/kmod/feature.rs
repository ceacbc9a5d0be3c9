//! Whether the running kernel has a feature, with or without a module.

use std::fs;
use std::path::Path;

use super::index::canonical;

/// Where a kernel without that module (or with it built in) shows a feature.
enum Sign {
    /// A word in `/proc/filesystems`.
    Filesystem,
    /// A word in `/proc/devices`.
    Device,
    /// `[word]` in the Personalities line of `/proc/mdstat`.
    Personality,
}

/// Module, where it shows, and the word there. Built-in code without
/// parameters has no directory in `/sys/module`, hence this table.
const SIGNS: &[(&str, Sign, &str)] = &[
    ("btrfs", Sign::Filesystem, "btrfs"),
    ("dm_mod", Sign::Device, "device-mapper"),
    ("ext4", Sign::Filesystem, "ext4"),
    ("linear", Sign::Personality, "[linear]"),
    ("loop", Sign::Device, "loop"),
    ("md_mod", Sign::Device, "md"),
    ("overlay", Sign::Filesystem, "overlay"),
    ("raid0", Sign::Personality, "[raid0]"),
    ("raid1", Sign::Personality, "[raid1]"),
    ("raid10", Sign::Personality, "[raid10]"),
    ("raid456", Sign::Personality, "[raid5]"),
    ("squashfs", Sign::Filesystem, "squashfs"),
    ("vfat", Sign::Filesystem, "vfat"),
    ("xfs", Sign::Filesystem, "xfs"),
];

/// True if `name` needs no loading: a live module, or a feature that shows.
/// False means "not seen", not "absent".
pub fn is_present(name: &str) -> bool {
    let name = canonical(name);
    match state(&name) {
        State::Live | State::BuiltIn => return true,
        State::Busy | State::Absent => {}
    }
    SIGNS
        .iter()
        .find(|(module, _, _)| *module == name)
        .is_some_and(|(_, sign, word)| {
            let file = match sign {
                Sign::Filesystem => "/proc/filesystems",
                Sign::Device => "/proc/devices",
                Sign::Personality => "/proc/mdstat",
            };
            fs::read_to_string(file).is_ok_and(|text| has_word(&text, word))
        })
}

/// What `/sys/module/NAME` says (kernel: `Documentation/ABI/stable/sysfs-module`).
#[derive(Debug, PartialEq, Eq)]
pub enum State {
    /// Loaded and initialised.
    Live,
    /// Being loaded or unloaded right now.
    Busy,
    /// Part of the kernel image.
    BuiltIn,
    /// No such directory: not loaded, or built in without parameters.
    Absent,
}

/// The state of the module with this canonical name.
pub fn state(name: &str) -> State {
    if name.is_empty() || name.contains(['/', '.']) {
        return State::Absent;
    }
    let directory = Path::new("/sys/module").join(name);
    match fs::read_to_string(directory.join("initstate")) {
        Ok(text) if text.trim() == "live" => State::Live,
        Ok(_) => State::Busy,
        Err(_) if directory.is_dir() => State::BuiltIn,
        Err(_) => State::Absent,
    }
}

fn has_word(text: &str, word: &str) -> bool {
    text.split_ascii_whitespace().any(|found| found == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_whole_words() {
        let devices = "Block devices:\n  7 loop\n  9 md\n253 device-mapper\n";
        assert!(has_word(devices, "md"));
        assert!(!has_word(devices, "mdp"));
        assert!(!has_word(devices, "mapper"));
        let mdstat = "Personalities : [raid1] [raid6] [raid5] [raid4]\nunused devices: <none>\n";
        assert!(has_word(mdstat, "[raid5]"));
        assert!(!has_word(mdstat, "[raid10]"));
    }

    #[test]
    fn a_feature_nobody_has_is_not_present() {
        assert!(!is_present("no_such_module_ever"));
        for name in ["", ".", "..", "a/b"] {
            assert!(!is_present(name), "{name}");
        }
    }

    #[test]
    fn the_table_is_sorted_and_canonical() {
        let names: Vec<&str> = SIGNS.iter().map(|(name, _, _)| *name).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(names, sorted);
        assert!(names.iter().all(|name| canonical(name) == *name));
    }
}
