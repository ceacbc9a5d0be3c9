//! What is found about the health of disks, from saved facts: also what no
//! emulated disk can show.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::process::Command;

use lifeboot::assembly::Assembly;
use lifeboot::facts::Facts;
use lifeboot::survey::health::Warning;
use lifeboot::survey::{Disk, DiskLog, Health, KernelLog, LastPanic, Source, Survey};
use lifeboot::sysroot::Search;
use serde_json::Value;

fn disk(health: Option<Health>) -> Disk {
    let source = Source {
        path: "/dev/sda".into(),
        offset: 0,
        bytes: 1 << 30,
    };
    Disk {
        serial: Some("S1".into()),
        health,
        ..Disk::blank("sda".into(), source)
    }
}

fn facts(health: Option<Health>) -> Facts {
    Facts {
        survey: Survey {
            disks: vec![disk(health)],
            ..Survey::default()
        },
        assembly: Assembly::default(),
        search: Search::None {
            looked_at: Vec::new(),
        },
        tree: None,
    }
}

/// Ids and severities of the findings about hardware, and the verdict.
fn judged(facts: &Facts) -> (Vec<(String, String)>, String) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("facts.json");
    std::fs::write(&path, serde_json::to_vec(facts).unwrap()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_lifeboot"))
        .args(["diagnose", "--json", "--facts"])
        .arg(&path)
        .output()
        .unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let findings = report["findings"].as_array().unwrap().iter();
    let hardware = findings
        .map(|finding| (text(&finding["id"]), text(&finding["severity"])))
        .filter(|(id, _)| id.starts_with("hardware/"))
        .collect();
    (hardware, text(&report["verdict"]["kind"]))
}

#[track_caller]
fn expect(facts: &Facts, id: &str, severity: &str, hardware_first: bool) {
    let (found, verdict) = judged(facts);
    assert_eq!(found, [(id.to_owned(), severity.to_owned())]);
    assert_eq!(verdict == "hardware-first", hardware_first, "{verdict}");
}

#[track_caller]
fn expect_silence(facts: &Facts) {
    let (found, verdict) = judged(facts);
    assert_eq!(found, []);
    assert_ne!(verdict, "hardware-first");
}

#[test]
fn an_old_disk_and_one_that_does_not_tell_are_no_finding() {
    expect_silence(&facts(None));
    expect_silence(&facts(Some(Health {
        unreadable: Some("SMART is switched off in it".into()),
        ..Health::default()
    })));
    expect_silence(&facts(Some(Health {
        passed: Some(true),
        worn_percent: Some(99),
        spare_percent: Some(10),
        spare_threshold: Some(10),
        media_errors: Some(0),
        pending_sectors: Some(0),
        reallocated_sectors: Some(8),
        unsafe_shutdowns: Some(1000),
        power_on_hours: Some(80_000),
        error_log_entries: Some(5000),
        temperature: Some(69),
        temperature_warning: Some(70),
        ..Health::default()
    })));
}

#[test]
fn a_used_up_disk_is_a_note_and_lost_sectors_are_more() {
    let worn = facts(Some(Health {
        worn_percent: Some(100),
        ..Health::default()
    }));
    expect(&worn, "hardware/disk-worn", "note", false);
    let errors = facts(Some(Health {
        media_errors: Some(2),
        ..Health::default()
    }));
    expect(&errors, "hardware/disk-worn", "note", false);
    let pending = facts(Some(Health {
        pending_sectors: Some(8),
        ..Health::default()
    }));
    expect(&pending, "hardware/disk-worn", "degraded", false);
}

#[test]
fn a_disk_that_fails_by_its_own_words_comes_first() {
    for health in [
        Health {
            passed: Some(false),
            ..Health::default()
        },
        Health {
            warnings: vec![Warning::ReadOnly],
            ..Health::default()
        },
        Health {
            spare_percent: Some(4),
            spare_threshold: Some(5),
            ..Health::default()
        },
    ] {
        expect(
            &facts(Some(health)),
            "hardware/disk-failing",
            "degraded",
            true,
        );
    }
}

#[test]
fn heat_alone_does_not_change_the_verdict() {
    let hot = facts(Some(Health {
        temperature: Some(80),
        temperature_warning: Some(80),
        ..Health::default()
    }));
    expect(&hot, "hardware/disk-overheating", "degraded", false);
}

fn with_log(log: DiskLog) -> Facts {
    let mut facts = facts(None);
    facts.survey.kernel_log = KernelLog {
        disks: vec![log],
        unreadable: None,
        read: true,
    };
    facts
}

#[test]
fn errors_in_the_log_come_first_unless_the_disk_dropped_out() {
    let log = DiskLog {
        name: "sda".into(),
        present: true,
        io_errors: 3,
        ..DiskLog::default()
    };
    expect(
        &with_log(log.clone()),
        "hardware/disk-io-errors",
        "degraded",
        true,
    );
    let dropped = DiskLog { dropouts: 1, ..log };
    expect(
        &with_log(dropped),
        "hardware/disk-dropped-out",
        "degraded",
        false,
    );
    expect_silence(&with_log(DiskLog {
        name: "sda".into(),
        present: true,
        timeouts: 1,
        resets: 1,
        ..DiskLog::default()
    }));
}

#[test]
fn a_panic_is_a_note() {
    let mut facts = facts(None);
    facts.survey.last_panic = Some(LastPanic {
        source: "/sys/fs/pstore/dmesg-efi-1".into(),
        time: 0,
        what: "Kernel panic - not syncing: x".into(),
        tail: vec!["Kernel panic - not syncing: x".into()],
    });
    expect(&facts, "hardware/last-panic", "note", false);
}

/// Facts that an earlier version saved have nothing about health.
#[test]
fn facts_of_an_earlier_version_are_still_read() {
    let mut value = serde_json::to_value(facts(None)).unwrap();
    let survey = value["survey"].as_object_mut().unwrap();
    survey.remove("kernel_log");
    survey.remove("last_panic");
    survey["disks"][0].as_object_mut().unwrap().remove("health");
    let read: Facts = serde_json::from_value(value).unwrap();
    assert_eq!(read, facts(None));
}
