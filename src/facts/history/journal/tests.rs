#![allow(clippy::unwrap_used)]
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use proptest::prelude::*;

use super::*;

/// What `tests/journals/boots.export` becomes.
fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new("tests/journals").join(format!("{name}.journal.gz"));
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap())
        .read_to_end(&mut bytes)
        .unwrap();
    bytes
}

fn read(bytes: Vec<u8>) -> (Vec<Boot>, Vec<Event>) {
    let Ok(journal) = Journal::from_bytes(bytes) else {
        return Default::default();
    };
    let mut boots = BTreeMap::new();
    let mut events = Vec::new();
    gather(&journal, "/j", &mut boots);
    messages(&journal, "/j", &mut events);
    (boots.into_values().map(finish).collect(), events)
}

fn expect_the_boots(boots: &[Boot], events: &[Event]) {
    let told: Vec<_> = boots
        .iter()
        .map(|b| (b.ending, b.finished, b.reached.as_deref().unwrap_or("")))
        .collect();
    assert_eq!(
        told,
        [
            (Ending::Clean, true, "multi-user.target"),
            (Ending::ShuttingDown, false, "emergency.target"),
            (Ending::CutOff, true, "multi-user.target"),
        ]
    );
    let times: Vec<_> = boots.iter().map(|b| (b.started, b.last)).collect();
    let start = 1_795_590_000 - 2 * 86_400;
    assert_eq!(
        times,
        [
            (start, start + 102),
            (start + 200, start + 210),
            (start + 400, start + 170_400)
        ]
    );
    assert!(
        boots
            .iter()
            .all(|b| b.kernel.as_deref() == Some("6.1.0-40-amd64"))
    );
    let failed: Vec<_> = boots[1].failures.iter().map(|f| f.unit.as_str()).collect();
    assert_eq!(failed, ["srv-data.mount", "local-fs.target"]);
    let message = "srv-data.mount: Mount process exited, code=exited, status=32/n/a";
    assert_eq!(boots[1].failures[0].message, message);
    let mut texts: Vec<_> = events.iter().map(|e| e.text.as_str()).collect();
    texts.sort_unstable();
    assert_eq!(
        texts,
        [
            "anna ran with sudo: /usr/bin/mv sbin sbin.backup",
            "logind: System is rebooting.",
            "root logged in over ssh from 192.0.2.7 (publickey)",
        ]
    );
}

#[test]
fn both_forms_of_real_files() {
    for form in ["regular", "compact"] {
        let (boots, events) = read(fixture(form));
        expect_the_boots(&boots, &events);
    }
}

#[test]
fn every_entry_and_every_packed_value_is_found() {
    for form in ["regular", "compact"] {
        let journal = Journal::from_bytes(fixture(form)).unwrap();
        let values = journal.values("SYSLOG_IDENTIFIER");
        let app = values.iter().find(|v| v.value() == "app").unwrap();
        let all = journal.last_entries(app, usize::MAX);
        assert_eq!(all.len(), 301);
        assert_eq!(journal.last_entries(app, 10), all[291..]);
        let long = journal.entry(all[7]).unwrap();
        let text = journal.text(&long, "MESSAGE").unwrap();
        assert_eq!(text.matches("filler words").count(), 30);
    }
}

/// What systemd's tools of this machine make and read is the same.
#[test]
fn as_journalctl_reads_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x.journal");
    let export = std::fs::File::open("tests/journals/boots.export").unwrap();
    let made = Command::new("tests/journals/make")
        .arg(&file)
        .stdin(export)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    // A machine without the tool has nothing to compare with.
    if !made.is_ok_and(|status| status.success()) || !file.exists() {
        return;
    }
    let (boots, events) = read(std::fs::read(&file).unwrap());
    expect_the_boots(&boots, &events);
    let listed = Command::new("journalctl")
        .args(["--output", "cat", "--file"])
        .arg(&file)
        .arg("MESSAGE_ID=be02cf6855d2428ba40df7e9d022f03d")
        .output()
        .unwrap();
    let journal = Journal::from_bytes(std::fs::read(&file).unwrap()).unwrap();
    let ids = journal.values("MESSAGE_ID");
    let failed = ids.iter().find(|v| v.value().starts_with("be02")).unwrap();
    let own: String = entries(&journal, failed)
        .iter()
        .map(|entry| journal.text(entry, "MESSAGE").unwrap() + "\n")
        .collect();
    assert_eq!(own, String::from_utf8_lossy(&listed.stdout));
}

#[test]
fn values_packed_by_lz4_and_xz() {
    let plain = "MESSAGE=".to_owned() + &"word ".repeat(500);
    let mut lz4 = (plain.len() as u64).to_le_bytes().to_vec();
    lz4.extend(lz4_flex::block::compress(plain.as_bytes()));
    assert_eq!(object::payload(2, &lz4).as_ref(), Some(&plain));
    lz4.truncate(20);
    assert_eq!(object::payload(2, &lz4), None);
    assert_eq!(object::payload(1, b"rubbish"), None);
    assert_eq!(object::payload(4, b"rubbish"), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn damage_is_no_panic(places in proptest::collection::vec((0..200_000_usize, any::<u8>()), 1..60), cut in 0..9_000_000_usize) {
        let mut bytes = fixture("compact");
        for (place, value) in places {
            if let Some(byte) = bytes.get_mut(place) {
                *byte = value;
            }
        }
        bytes.truncate(cut.max(300));
        read(bytes);
    }
}
