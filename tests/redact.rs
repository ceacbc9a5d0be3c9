//! `diagnose --redact`: none of the secrets that a server has gets out, in any
//! form, and what a reader needs stays.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod schemas;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

fn diagnose(root: &Path, words: &[&str]) -> String {
    said(&[&["diagnose", "--root", root.to_str().unwrap()], words].concat())
}

/// One look, reported as it is and redacted: free space and times change.
fn both(root: &Path) -> [Value; 2] {
    let dir = tempfile::tempdir().unwrap();
    let facts = dir.path().join("facts");
    let facts = facts.to_str().unwrap();
    diagnose(root, &["--save-facts", facts]);
    [&[][..], &["--redact"]].map(|words| {
        let words = [&["diagnose", "--json", "--facts", facts], words].concat();
        serde_json::from_str(&said(&words)).unwrap()
    })
}

fn said(words: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_lifeboot"))
        .args(words)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_ne!(output.status.code(), Some(1), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What must not get out. No path or word of any system contains them.
const SECRETS: [&str; 14] = [
    "quokka7",
    "wombat.zoo.example.com",
    "zoo.example.com",
    "ursula",
    "Ursula Bear",
    "keeper",
    "198.18.7.9",
    "198.18.7.1",
    "2001:db8:77::9",
    "52:54:00:ab:cd:ef",
    "9c1f2d3e-1111-4222-8333-444455556666",
    "77AB-99CD",
    "0c0ffee0c0ffee0c0ffee0c0ffee0c0f",
    "AAAAC3NzaC1lZDI1NTE5AAAAIPlantedPlantedPlanted",
];

/// A server with all of them where reports take things from.
fn patient(root: &Path) {
    for path in [
        "etc/network",
        "etc/ssh",
        "usr/bin",
        "usr/sbin.old",
        "usr/lib",
        "boot/grub",
        "root",
        "home/ursula",
        "var/lib/dpkg/info",
        "var/log/apt",
        "var/log/journal/0c0ffee0c0ffee0c0ffee0c0ffee0c0f",
    ] {
        fs::create_dir_all(root.join(path)).unwrap();
    }
    for (link, to) in [
        ("usr/sbin", "bin"),
        ("bin", "usr/bin"),
        ("sbin", "usr/sbin"),
        ("lib", "usr/lib"),
    ] {
        symlink(to, root.join(link)).unwrap();
    }
    let put = |path: &str, text: &str| fs::write(root.join(path), text).unwrap();
    put("etc/hostname", "quokka7\n");
    put(
        "etc/hosts",
        "127.0.0.1 localhost\n198.18.7.9 wombat.zoo.example.com wombat\n",
    );
    put(
        "etc/resolv.conf",
        "search zoo.example.com\nnameserver 198.18.7.1\n",
    );
    put(
        "etc/passwd",
        "root:x:0:0:root:/root:/bin/nosuchshell\n\
         ursula:x:1000:1000:Ursula Bear,,,:/home/ursula:/bin/sh\n\
         keeper:x:1001:1001::/srv/keeper:/bin/sh\n",
    );
    put(
        "etc/fstab",
        "UUID=9c1f2d3e-1111-4222-8333-444455556666 / ext4 defaults 0 1\n\
         UUID=77AB-99CD /boot/efi vfat umask=0077 0 1\n\
         nfs.zoo.example.com:/export /srv nfs ursula=keeper 0\n\
         broken-line-of-keeper\n",
    );
    put(
        "etc/network/interfaces",
        "auto eno1\niface eno1 inet static\n  address 198.18.7.9/24\n  gateway 198.18.7.1\n\
         \x20 hwaddress ether 52:54:00:ab:cd:ef\n  up ip addr add 2001:db8:77::9/64 dev eno1\n\
         nonsense for keeper at 198.18.7.9\n",
    );
    put(
        "etc/ssh/sshd_config",
        "AllowUsers ursula keeper\nListenAddres 198.18.7.9\nBanner2 AAAAC3NzaC1lZDI1NTE5AAAAIPlantedPlantedPlanted\n",
    );
    put("usr/bin/sshd", "x");
    put(
        "boot/grub/grub.cfg",
        "menuentry 'quokka7' {\n linux /boot/vmlinuz-6.1.0-18-amd64 \
         root=UUID=9c1f2d3e-1111-4222-8333-444455556666 ip=198.18.7.9::198.18.7.1:255.255.255.0:quokka7:eno1\n}\n",
    );
    put(
        "root/.bash_history",
        "#1764028800\nssh ursula@198.18.7.1\n#1764028860\nmv /usr/sbin /usr/sbin.old\n\
         #1764028870\nmv /home/ursula/x /usr/sbin.ursula\n#1764028880\nrm -rf /srv/keeper@wombat.zoo.example.com\n",
    );
    put(
        "var/log/apt/history.log",
        "Start-Date: 2026-11-25  02:00:00\nCommandline: apt-get full-upgrade\n\
         Requested-By: ursula (1000)\nInstall: libquad:amd64 (1.2.3.4, automatic)\n",
    );
    put(
        "var/lib/dpkg/status",
        "Package: tool\nStatus: install ok installed\nVersion: 1.2.3.4\nArchitecture: all\n\n\
         Package: half\nStatus: install ok half-configured\nVersion: 4.3.2.1\n\
         Maintainer: Ursula Bear <ursula@zoo.example.com>\nArchitecture: all\n\n",
    );
    let mut list = String::from("/.\n/usr\n/usr/sbin\n");
    for name in ["init", "two", "three", "four"] {
        list += &format!("/usr/sbin/{name}\n");
        put(&format!("usr/sbin.old/{name}"), name);
    }
    put("var/lib/dpkg/info/tool.list", &list);
}

#[test]
fn no_planted_secret_gets_out_in_any_form() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    patient(&root);
    let page = dir.path().join("page.html");
    let html = |words: &[&str]| {
        let all = [words, &["--html", page.to_str().unwrap()]].concat();
        diagnose(&root, &all);
        fs::read_to_string(&page).unwrap()
    };
    let plain = diagnose(&root, &["--json"]);
    // The test would see nothing if the reports did not have them.
    let told = SECRETS.iter().filter(|secret| plain.contains(**secret));
    assert!(
        told.clone().count() >= 10,
        "only {:?}",
        told.collect::<Vec<_>>()
    );
    let reports = [
        ("text", diagnose(&root, &["--redact"])),
        ("json", diagnose(&root, &["--redact", "--json"])),
        ("markdown", diagnose(&root, &["--redact", "--markdown"])),
        ("html", html(&["--redact"])),
    ];
    for (form, report) in &reports {
        for secret in SECRETS {
            assert!(!report.contains(secret), "{form} tells {secret}:\n{report}");
        }
        for needed in ["root/system-directory-replaced", "/usr/sbin.old", "host-"] {
            assert!(report.contains(needed), "{form} lacks {needed}:\n{report}");
        }
    }
    for line in reports[0].1.lines() {
        assert!(line.len() <= 80, "{line}");
    }
    let json: Value = serde_json::from_str(&reports[1].1).unwrap();
    schemas::check(&json).unwrap();
    let [before, after] = both(&root);
    consistent(&before, &after);
    assert!(reports[1].1.contains("\"4.3.2.1\""), "{}", reports[1].1);
}

/// The same text has become the same text everywhere, the verdict is the same,
/// and only texts were changed.
fn consistent(before: &Value, after: &Value) {
    let mut became = std::collections::BTreeMap::new();
    walk(before, after, &mut became);
    assert_eq!(before["verdict"]["kind"], after["verdict"]["kind"]);
    let ids = |report: &Value| -> Vec<Value> {
        let found = report["findings"].as_array().unwrap();
        found.iter().map(|finding| finding["id"].clone()).collect()
    };
    assert_eq!(ids(before), ids(after));
    let changed = became.iter().filter(|(old, new)| old != new).count();
    assert!(changed > 0);
}

fn walk(before: &Value, after: &Value, became: &mut std::collections::BTreeMap<String, String>) {
    match (before, after) {
        (Value::String(old), Value::String(new)) => {
            let first = became.entry(old.clone()).or_insert_with(|| new.clone());
            assert_eq!(first, new, "{old}");
        }
        (Value::Array(old), Value::Array(new)) => {
            assert_eq!(old.len(), new.len());
            old.iter()
                .zip(new)
                .for_each(|(old, new)| walk(old, new, became));
        }
        (Value::Object(old), Value::Object(new)) => {
            assert!(old.keys().eq(new.keys()));
            old.values()
                .zip(new.values())
                .for_each(|(old, new)| walk(old, new, became));
        }
        (old, new) => assert_eq!(old, new),
    }
}

/// Of the system that the tests run on only such words went: what changed is
/// what a word was put in place of.
#[test]
fn of_a_real_system_nothing_else_goes() {
    let [plain, hidden] = both(Path::new("/"));
    schemas::check(&hidden).unwrap();
    let mut changed = Vec::new();
    differences(&plain, &hidden, &mut changed);
    let kinds = [
        "host-", "user-", "ip-", "mac-", "uuid-", "serial-", "key-", "mail-",
    ];
    for (old, new) in &changed {
        assert!(
            kinds.iter().any(|kind| new.contains(kind)),
            "{old:?} became {new:?}"
        );
        let plain_package = old.split_whitespace().count() == 1
            && old.chars().next().is_some_and(|c| c.is_ascii_digit())
            && old.chars().all(|c| c.is_ascii_digit() || ".+~".contains(c));
        assert!(!plain_package, "the version {old:?} became {new:?}");
    }
    assert_eq!(plain["verdict"]["kind"], hidden["verdict"]["kind"]);
    assert_eq!(
        plain["tree"]["packages"]["packages"],
        hidden["tree"]["packages"]["packages"]
    );
}

fn differences(before: &Value, after: &Value, changed: &mut Vec<(String, String)>) {
    match (before, after) {
        (Value::String(old), Value::String(new)) if old != new => {
            changed.push((old.clone(), new.clone()));
        }
        (Value::Array(old), Value::Array(new)) => {
            old.iter()
                .zip(new)
                .for_each(|(old, new)| differences(old, new, changed));
        }
        (Value::Object(old), Value::Object(new)) => {
            for (key, old) in old {
                differences(old, &new[key], changed);
            }
        }
        _ => {}
    }
}
