//! What the commands print as JSON is what `docs/schema` says, and no field
//! more. The lab's `trees` check every report of theirs in the same way.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod schemas;

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// What the command prints about the tree at `root`.
fn printed(words: &[&str], root: &Path) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_lifeboot"))
        .args(words)
        .arg("--json")
        .arg("--root")
        .arg(root)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// The system that the tests run on is a real one.
#[test]
fn the_running_system_is_told_as_published() {
    let commands: [(&[&str], &str); 7] = [
        (&["diagnose"], "lifeboot/diagnose/1"),
        (&["packages"], "lifeboot/packages/1"),
        (
            &["packages", "--verify", "coreutils"],
            "lifeboot/packages-verify/1",
        ),
        (&["history"], "lifeboot/history/1"),
        (&["elf", "/bin/sh"], "lifeboot/elf/1"),
        (&["elf"], "lifeboot/elf-scan/1"),
        (&["log"], "lifeboot/log/1"),
    ];
    for (words, name) in commands {
        let document = printed(words, Path::new("/"));
        assert_eq!(document["schema"], name);
        assert_eq!(schemas::check(&document).unwrap(), 1, "{words:?}");
    }
}

/// Arrays of it and images of disks are told by tests/images.rs and
/// tests/legs.rs.
#[test]
fn an_empty_tree_is_told_as_published() {
    let dir = tempfile::tempdir().unwrap();
    for words in [
        &["diagnose"][..],
        &["history"],
        &["packages"],
        &["elf"],
        &["log"],
    ] {
        let document = printed(words, dir.path());
        schemas::check(&document).unwrap_or_else(|error| panic!("{words:?}: {error:?}"));
    }
}

#[test]
fn a_salvage_and_what_it_is_compared_with_are_told_as_published() {
    let (dir, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::create_dir(dir.path().join("etc")).unwrap();
    std::fs::write(dir.path().join("etc/own.conf"), "own = 1\n").unwrap();
    let file = out.path().join("salvage.tar.zst");
    let file = file.to_str().unwrap();
    let saved = printed(&["salvage", file], dir.path());
    assert_eq!(saved["schema"], "lifeboot/salvage/1");
    assert_eq!(schemas::check(&saved).unwrap(), 1);
    std::fs::write(dir.path().join("etc/own.conf"), "own = 2\n").unwrap();
    let compared = printed(&["verify", file], dir.path());
    assert_eq!(compared["schema"], "lifeboot/verify/1");
    assert_eq!(compared["equal"], false);
    assert_eq!(schemas::check(&compared).unwrap(), 1);
}

/// The check itself: it must find what it is for.
#[test]
fn a_field_that_is_not_published_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let good = printed(&["diagnose"], dir.path());
    schemas::check(&good).unwrap();
    for place in [
        "",
        "/verdict",
        "/survey",
        "/tree",
        "/tree/packages",
        "/verdict/unknown/0",
    ] {
        let mut bad = good.clone();
        let object = bad.pointer_mut(place).unwrap().as_object_mut().unwrap();
        object.insert("surprise".into(), json!(1));
        let error = schemas::check(&bad).expect_err(place).to_string();
        assert!(error.contains("surprise"), "{place}: {error}");
    }
    for (place, value) in [
        ("/verdict/kind", json!("perhaps")),
        ("/verdict/headline", json!(1)),
        ("/findings", json!({})),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(place).unwrap() = value;
        assert!(schemas::check(&bad).is_err(), "{place}");
    }
}

#[test]
fn every_schema_is_valid_and_of_draft_2020_12() {
    let mut count = 0;
    for entry in std::fs::read_dir("docs/schema").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "json") {
            continue;
        }
        let schema: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        jsonschema::draft202012::meta::validate(&schema).unwrap_or_else(|e| panic!("{e}"));
        let name = schema["properties"]["schema"]["const"].as_str().unwrap();
        assert_eq!(schemas::published(name).unwrap(), schema, "{path:?}");
        count += 1;
    }
    assert!(count >= 10);
}
