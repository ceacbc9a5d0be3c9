//! Programs that udev's rules execute.
//!
//! Source: udev(7).

use super::Role;
use super::collect::{Absence, Gathering};

/// Where rules lie, what counts most first.
const RULES: [&str; 4] = [
    "/etc/udev/rules.d",
    "/usr/local/lib/udev/rules.d",
    "/usr/lib/udev/rules.d",
    "/lib/udev/rules.d",
];

/// Where a program without a path lies.
const PROGRAMS: &str = "/usr/lib/udev";

const LIMIT: u64 = 1 << 20;

pub(super) fn gather(gathering: &mut Gathering<'_, '_>) {
    let Some((_, udevd)) = gathering.starts(&["systemd-udevd", "udevd"]) else {
        return;
    };
    let mut seen = std::collections::HashSet::new();
    for folder in RULES {
        for entry in gathering.root().read_dir(folder).unwrap_or_default() {
            let name = entry.name.to_string_lossy().into_owned();
            if !name.ends_with(".rules") || !seen.insert(name.clone()) {
                continue;
            }
            let path = format!("{folder}/{name}");
            let text = gathering.root().read_text(&path, LIMIT).unwrap_or_default();
            let programs = programs(&text);
            if programs.is_empty() {
                continue;
            }
            let step = gathering.step(&name, "rules of udev", Some(udevd), Some(&path));
            for program in programs {
                gathering.start(&program, Role::Helper, step, Absence::Allowed);
            }
        }
    }
}

/// The programs of `PROGRAM`, `RUN` and `IMPORT{program}` keys.
fn programs(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in text.replace("\\\n", " ").lines() {
        if line.trim_start().starts_with('#') {
            continue;
        }
        // KEY, operator and quoted value take turns at the quotes.
        let mut parts = line.split('"');
        while let (Some(key), Some(value)) = (parts.next(), parts.next()) {
            let key = key.trim_matches(|c: char| c.is_whitespace() || ",=+-:!e".contains(c));
            if matches!(key, "PROGRAM" | "RUN" | "RUN{program}" | "IMPORT{program}")
                && let Some(program) = program(value)
                && !found.contains(&program)
            {
                found.push(program);
            }
        }
    }
    found
}

fn program(value: &str) -> Option<String> {
    let word = value.split_whitespace().next()?;
    let word = word.trim_matches('\'');
    // What is filled in when the device appears is not known here.
    if word.contains(['$', '%']) {
        return None;
    }
    Some(match word.starts_with('/') {
        true => word.to_owned(),
        false => format!("{PROGRAMS}/{word}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_in_every_key_that_names_one() {
        let text = "# RUN+=\"/no\"\n\
            ACTION==\"add\", IMPORT{program}=\"ata_id --export $devnode\", \\\n\
            RUN{program}+=\"/sbin/mdadm -I\", PROGRAM==\"/bin/x\", ENV{RUN}=\"/no\"\n\
            RUN+=\"$env{TOOL} x\", RUN{builtin}+=\"kmod load\", IMPORT{file}=\"/etc/y\"\n\
            unfinished, RUN+=\"";
        let expected = ["/usr/lib/udev/ata_id", "/sbin/mdadm", "/bin/x"];
        assert_eq!(programs(text), expected);
    }
}
