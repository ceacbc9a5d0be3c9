//! The patterns of `modules.alias`, looked up by what a device calls itself.
//!
//! A line is `alias PATTERN MODULE`; a device's `modalias` is matched by the
//! rules of `fnmatch(3)` (kernel: `scripts/mod/file2alias.c`). A distribution
//! kernel has some 20 000 patterns, so they are found by their literal start:
//! `pci:v00008086d00001C06sv*` is only tried for a device that begins so.

use std::collections::{BTreeSet, HashMap};

use glob::Pattern;

/// All aliases of one kernel.
#[derive(Debug, Default)]
pub struct Aliases {
    by_start: HashMap<String, Vec<Alias>>,
    start_lengths: BTreeSet<usize>,
}

#[derive(Debug)]
struct Alias {
    pattern: String,
    module: String,
}

impl Aliases {
    /// Reads the text of `modules.alias`; lines of another kind are skipped.
    pub fn parse(text: &str) -> Self {
        let mut aliases = Self::default();
        for line in text.lines() {
            let mut words = line.split_ascii_whitespace();
            if words.next() != Some("alias") {
                continue;
            }
            if let (Some(pattern), Some(module)) = (words.next(), words.next()) {
                aliases.add(pattern, module);
            }
        }
        aliases
    }

    fn add(&mut self, pattern: &str, module: &str) {
        let pattern = normalise(pattern);
        let length = pattern.find(['*', '?', '[']).unwrap_or(pattern.len());
        self.start_lengths.insert(length);
        self.by_start
            .entry(pattern[..length].to_owned())
            .or_default()
            .push(Alias {
                pattern,
                module: super::index::canonical(module),
            });
    }

    /// The modules for `alias`, in the order of the file, each once.
    pub fn modules_for(&self, alias: &str) -> Vec<&str> {
        let alias = normalise(alias);
        let mut found: Vec<&str> = Vec::new();
        for &length in &self.start_lengths {
            let Some(start) = alias.get(..length) else {
                continue;
            };
            for candidate in self.by_start.get(start).into_iter().flatten() {
                if !found.contains(&candidate.module.as_str()) && candidate.matches(&alias) {
                    found.push(&candidate.module);
                }
            }
        }
        found
    }
}

impl Alias {
    fn matches(&self, alias: &str) -> bool {
        if !self.pattern.contains(['*', '?', '[']) {
            return self.pattern == alias;
        }
        // To `glob`, `**` is a path of directories; to fnmatch it is `*`.
        let mut pattern = self.pattern.clone();
        while pattern.contains("**") {
            pattern = pattern.replace("**", "*");
        }
        Pattern::new(&pattern).is_ok_and(|pattern| pattern.matches(alias))
    }
}

/// `-` becomes `_`, except in brackets, as libkmod does on both sides.
fn normalise(alias: &str) -> String {
    let mut bracket = false;
    alias
        .chars()
        .map(|letter| {
            match letter {
                '[' => bracket = true,
                ']' => bracket = false,
                _ => {}
            }
            if letter == '-' && !bracket {
                '_'
            } else {
                letter
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# Aliases extracted from modules themselves.
alias fs-ext4 ext4
alias pci:v*d*sv*sd*bc01sc08i02* nvme
alias pci:v00008086d00001C06sv*sd*bc*sc*i* ahci
alias pci:v00008086d00001C06sv*sd*bc*sc*i* ahci-quirk
alias acpi*:PNP0501:* 8250_pnp
alias usb:v0BDAp81[0-9A-F]?d* rtl
alias virtio:d00000002v* virtio_blk
alias crypto-crc32c crc32c_generic
alias dmi*:svn**Dell* dell
alias broken
nonsense here
";

    #[test]
    fn devices_find_their_modules_by_shell_patterns() {
        let aliases = Aliases::parse(TEXT);
        let cases: &[(&str, &[&str])] = &[
            (
                "pci:v00001B36d00000010sv00001AF4sd00001100bc01sc08i02",
                &["nvme"],
            ),
            (
                "pci:v00008086d00001C06sv0sd0bc01sc06i01",
                &["ahci", "ahci_quirk"],
            ),
            ("acpi:PNP0501:", &["8250_pnp"]),
            ("usb:v0BDAp8179d0000dc", &["rtl"]),
            ("usb:v0BDAp81g9d0000dc", &[]),
            ("fs_ext4", &["ext4"]),
            ("fs-ext4", &["ext4"]),
            ("fs-ext", &[]),
            ("fs-ext4x", &[]),
            ("crypto-crc32c", &["crc32c_generic"]),
            ("virtio:d00000002v00001AF4", &["virtio_blk"]),
            ("dmi:svnxDell", &["dell"]),
            ("", &[]),
            ("\u{e9}\u{e9}\u{e9}", &[]),
        ];
        for (alias, expected) in cases {
            assert_eq!(&aliases.modules_for(alias), expected, "{alias}");
        }
    }

    #[test]
    fn a_hundred_devices_against_twenty_thousand_patterns_take_no_time() {
        let mut text = String::new();
        for number in 0..20_000 {
            text.push_str(&format!(
                "alias pci:v00008086d{number:08X}sv*sd*bc*sc*i* m{number}\n"
            ));
        }
        let aliases = Aliases::parse(&text);
        let start = std::time::Instant::now();
        for number in 0..100 {
            let device = format!("pci:v00008086d{number:08X}sv00000000sd00000000bc01sc08i02");
            assert_eq!(aliases.modules_for(&device), [format!("m{number}")]);
        }
        assert!(start.elapsed().as_millis() < 200);
    }
}
