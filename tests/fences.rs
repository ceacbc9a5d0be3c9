//! The architecture, held by a test: who may use what, and what each finding
//! must have.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use lifeboot::checks::CHECKS;

/// The order in which data flows; nothing imports from a later one.
const ORDER: [&str; 19] = [
    "date",
    "outcome",
    "sys",
    "kmod",
    "journal",
    "survey",
    "assembly",
    "sysroot",
    "facts",
    "finding",
    "checks",
    "repairs",
    "fetch",
    "rehearsal",
    "verdict",
    "salvage",
    "report",
    "cli",
    "commands",
];

/// Lines of code in a file, its tests apart.
const MOST_LINES: usize = 400;

fn sources() -> Vec<(PathBuf, String)> {
    walkdir::WalkDir::new("src")
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.extension().is_some_and(|e| e == "rs"))
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            (path, text)
        })
        .collect()
}

fn is_test(path: &Path) -> bool {
    let name = path.file_stem().unwrap().to_string_lossy();
    name.ends_with("tests")
}

/// The code of a file without comments and without its own tests.
fn code(text: &str) -> String {
    text.split("#[cfg(test)]")
        .next()
        .unwrap()
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The top module that a file belongs to.
fn module(path: &Path) -> String {
    let first = path.components().nth(1).unwrap().as_os_str();
    Path::new(first)
        .file_stem()
        .unwrap()
        .to_string_lossy()
        .into_owned()
}

#[test]
fn nothing_imports_from_a_later_stage() {
    let place = |name: &str| ORDER.iter().position(|stage| *stage == name);
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let Some(own) = place(&module(&path)) else {
            continue;
        };
        for used in code(&text).split("crate::").skip(1) {
            let name: String = used.chars().take_while(|c| c.is_alphanumeric()).collect();
            if place(&name).is_some_and(|other| other > own) {
                wrong.push(format!("{} uses crate::{name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn unsafe_code_and_writes_stay_behind_the_fence() {
    // What, and the only places where it may stand.
    let fences: [(&str, &[&str]); 12] = [
        // Cargo.toml denies it; where it is allowed, it stands.
        ("unsafe_code", &["src/sys/"]),
        ("process::exit", &[]),
        ("println!", &["src/main.rs"]),
        (
            "canonicalize(",
            &[
                "src/sysroot/in_use.rs",
                "src/survey/disks.rs",
                "src/init/",
                "src/kmod/",
            ],
        ),
        (
            "WriteToken::granted",
            &[
                "src/commands/repair.rs",
                "src/commands/undo.rs",
                "src/commands/verify_salvage.rs",
                "src/sys/",
            ],
        ),
        ("WriteToken::for_rehearsal", &["src/rehearsal/", "src/sys/"]),
        ("Command::new", &["src/sys/", "src/init/"]),
        (
            "fs::write(",
            &["src/sys/", "src/commands/diagnose.rs", "src/init/"],
        ),
        ("nix::mount", &["src/sys/", "src/init/"]),
        ("OpenOptions", &["src/sys/", "src/init/", "src/kmod/"]),
        ("TcpStream", &["src/fetch/"]),
        ("UdpSocket", &["src/fetch/"]),
    ];
    let mut wrong = Vec::new();
    for (path, text) in sources().into_iter().filter(|(path, _)| !is_test(path)) {
        let code = code(&text);
        for (word, places) in &fences {
            let allowed = places.iter().any(|place| path.starts_with(place));
            if code.contains(word) && !allowed {
                wrong.push(format!("{} uses {word}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn checks_are_pure() {
    let forbidden = [
        "std::fs",
        "std::process",
        "std::time",
        "std::env",
        "crate::sys::",
        "RootDir",
    ];
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        if !path.starts_with("src/checks") {
            continue;
        }
        for word in forbidden {
            if code(&text).contains(word) {
                wrong.push(format!("{} uses {word}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_file_grows_beyond_what_can_be_read() {
    let long: Vec<_> = sources()
        .into_iter()
        .map(|(path, text)| (code(&text).lines().count(), path))
        .filter(|(lines, _)| *lines > MOST_LINES)
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn every_check_has_a_proper_id_and_a_whole_page() {
    let headings = [
        "## What it means",
        "## How Lifeboot knows",
        "## What Lifeboot does",
        "## By hand",
        "## Undo",
        "## Stop and ask when",
    ];
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for check in CHECKS {
        let id = check.id;
        if !seen.insert(id) {
            wrong.push(format!("{id} twice"));
        }
        let well_formed = id.split_once('/').is_some_and(|(stage, name)| {
            stage == check.stage.word()
                && !name.is_empty()
                && name.chars().all(|c| c.is_ascii_lowercase() || c == '-')
        });
        if !well_formed {
            wrong.push(format!("{id}: not stage/kebab-name"));
        }
        if !check.page.starts_with(&format!("# {id}\n")) {
            wrong.push(format!("{id}: its page begins otherwise"));
        }
        for heading in headings {
            if !check.page.contains(heading) {
                wrong.push(format!("{id}: no {heading}"));
            }
        }
        if check.page.lines().any(|line| line.len() > 80) || !check.page.is_ascii() {
            wrong.push(format!("{id}: wide or not ASCII"));
        }
        let page = format!("docs/findings/{id}.md");
        if fs::read_to_string(&page).ok().as_deref() != Some(check.page) {
            wrong.push(format!("{id}: {page} is not its page"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_finding_fires_in_a_case() {
    let mut cases = String::new();
    for entry in walkdir::WalkDir::new("tests") {
        let path = entry.unwrap().into_path();
        if path.extension().is_some_and(|e| e == "toml" || e == "rs")
            && path != Path::new("tests/fences.rs")
        {
            cases.push_str(&fs::read_to_string(path).unwrap());
        }
    }
    let missing: Vec<_> = CHECKS
        .iter()
        .map(|check| check.id)
        .filter(|id| !cases.contains(&format!("\"{id}\"")))
        .collect();
    assert!(missing.is_empty(), "no case shows {missing:#?}");
}

#[test]
fn modules_stand_in_the_order_of_the_data_flow() {
    let lib = fs::read_to_string("src/lib.rs").unwrap();
    let stages: BTreeMap<_, _> = ORDER
        .iter()
        .enumerate()
        .map(|(i, name)| (*name, i))
        .collect();
    let listed: Vec<_> = lib
        .lines()
        .filter_map(|line| stages.get(line.strip_prefix("pub mod ")?.strip_suffix(';')?))
        .collect();
    let from_survey: Vec<_> = listed.iter().filter(|i| ***i >= stages["survey"]).collect();
    assert!(from_survey.is_sorted(), "{from_survey:?}");
    assert_eq!(listed.len(), ORDER.len());
}
