#![allow(clippy::unwrap_used, clippy::panic)]
use std::fmt::Write;
use std::fs;

use proptest::prelude::*;

use super::*;
use crate::facts::packages::{Depth, Packages, collect};

const BOOKWORM: &str = "ID=debian\nVERSION_CODENAME=bookworm\nPRETTY_NAME=\"Debian 12\"\n";
const TRIXIE: &str = "ID=debian\nVERSION_CODENAME=trixie\nPRETTY_NAME=\"Debian 13\"\n";
const SOURCE: &str = "deb http://deb.example.org/debian trixie main\n";

/// A root with these files.
#[derive(Default)]
struct Root {
    status: String,
    files: Vec<(String, String)>,
}

impl Root {
    fn with(mut self, path: &str, text: &str) -> Self {
        self.files.push((path.into(), text.into()));
        self
    }

    fn package(self, name: &str, version: &str) -> Self {
        self.in_state(name, version, "install ok installed")
    }

    fn in_state(mut self, name: &str, version: &str, status: &str) -> Self {
        let text = &mut self.status;
        writeln!(
            text,
            "Package: {name}\nStatus: {status}\nArchitecture: amd64"
        )
        .unwrap();
        writeln!(text, "Version: {version}\n").unwrap();
        self
    }

    /// apt's index of an archive with these packages.
    fn offered(self, prefix: &str, origin: &str, codename: &str, all: &[(&str, &str)]) -> Self {
        let lists = "var/lib/apt/lists";
        let release = format!("Hash: SHA512\n\nOrigin: {origin}\nCodename: {codename}\n");
        let mut index = String::new();
        for (name, version) in all {
            writeln!(index, "Package: {name}\nArchitecture: amd64").unwrap();
            writeln!(index, "Version: {version}\nSize: 1048576\n").unwrap();
        }
        self.with(&format!("{lists}/{prefix}_InRelease"), &release)
            .with(
                &format!("{lists}/{prefix}_main_binary-amd64_Packages"),
                &index,
            )
    }

    fn trixie(self) -> Self {
        let all = [
            ("base-files", "13.8+deb13u1"),
            ("libc6", "2.41-12"),
            ("dbus", "1.16.2-2"),
            ("vim", "2:9.1.1230-2"),
            ("nano", "8.4-1"),
            ("less", "668-1"),
            ("cron", "3.0pl1-197"),
        ];
        self.offered(
            "deb.example.org_debian_dists_trixie",
            "Debian",
            "trixie",
            &all,
        )
    }

    fn standing(self) -> Standing {
        let dir = tempfile::tempdir().unwrap();
        let status = ("var/lib/dpkg/status".to_owned(), self.status);
        for (path, text) in self.files.into_iter().chain([status]) {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let root = RootDir::open(dir.path()).unwrap();
        match collect(&root, Depth::Usual).0 {
            Packages::Dpkg(dpkg) => dpkg.standing,
            other => panic!("{other:?}"),
        }
    }
}

/// Everything of bookworm, the sources already of trixie.
fn bookworm() -> Root {
    Root::default()
        .with("usr/lib/os-release", BOOKWORM)
        .with("etc/apt/sources.list", SOURCE)
        .trixie()
        .package("base-files", "12.4+deb12u5")
        .package("libc6", "2.36-9+deb12u4")
        .package("dbus", "1.14.10-1~deb12u1")
        .package("nano", "7.2-1")
        .package("less", "590-2")
}

/// The C library and base-files are new, three packages are not.
fn mixed() -> Root {
    Root::default()
        .with("usr/lib/os-release", TRIXIE)
        .with("etc/apt/sources.list", SOURCE)
        .trixie()
        .package("base-files", "13.8+deb13u1")
        .package("libc6", "2.41-12")
        .package("dbus", "1.14.10-1~deb12u1")
        .package("nano", "7.2-1+deb12u1")
        .package("less", "590-2+deb12u1")
}

#[test]
fn changed_sources_alone_are_no_upgrade() {
    let standing = bookworm().standing();
    assert_eq!(standing.from.as_ref().unwrap().codename, "bookworm");
    assert_eq!(standing.to.as_ref().unwrap().codename, "trixie");
    assert!(!standing.mixed);
    assert_eq!(standing.counts.untouched, 5, "{:?}", standing.steps);
    let advice = standing.advice.unwrap();
    assert_eq!(advice.direction, Direction::Backward);
    assert!(advice.reasons[0].contains("no package has been changed"));
}

#[test]
fn a_pinned_release_is_not_on_the_way() {
    let pin = "Package: *\nPin: release n=trixie\nPin-Priority: 100\n";
    let pinned = bookworm()
        .with("etc/apt/preferences.d/trixie", pin)
        .package("vim", "2:9.1.1230-2");
    let standing = pinned.standing();
    assert!(
        !standing.crosses_releases() && !standing.mixed,
        "{standing:?}"
    );
    let default = bookworm().with("etc/apt/apt.conf", "APT::Default-Release \"bookworm\";\n");
    assert!(!default.standing().crosses_releases());
}

#[test]
fn two_releases_are_mixed_and_others_are_told_apart() {
    let docker = [("docker-ce", "5:27.1-1~debian.12~bookworm")];
    let standing = mixed()
        .in_state("cron", "3.0pl1-162", "hold ok installed")
        .in_state("vim", "2:9.0.1378-2", "install ok installed")
        .with(
            "etc/apt/preferences",
            "Package: vim*\nPin: version 2:9.0*\nPin-Priority: 1001\n",
        )
        .package("docker-ce", "5:27.1-1~debian.12~bookworm")
        .package("git", "1:2.45-1~bpo12+1")
        .package("own-tool", "1.0")
        .offered("download_dists_bookworm", "Docker", "bookworm", &docker)
        .standing();
    assert!(standing.mixed);
    assert_eq!(standing.basis, Basis::Lists);
    assert_eq!((standing.counts.done, standing.counts.untouched), (2, 3));
    assert_eq!(standing.others.kept.len(), 2, "{:?}", standing.others);
    assert_eq!(standing.others.third_party.len(), 1);
    assert_eq!(standing.others.backports.len(), 1);
    assert_eq!(standing.others.unlisted.unwrap(), ["own-tool 1.0"]);
    let forward = standing.forward.unwrap();
    assert_eq!((forward.unpack, forward.cached, forward.offered), (3, 0, 3));
    assert_eq!(forward.download, 3 << 20);
    let advice = standing.advice.unwrap();
    assert_eq!(advice.direction, Direction::Forward);
    assert!(
        advice.reasons[0].contains("libc6 is at 2.41-12"),
        "{advice:?}"
    );
}

/// A power cut lost the plan, and dpkg still names the old version.
#[test]
fn by_the_lists_too_a_package_that_was_cut_off_is_half() {
    for word in ["unpacked", "half-configured", "half-installed"] {
        let status = format!("install reinstreq {word}");
        let standing = mixed().in_state("cron", "3.0pl1-162", &status).standing();
        assert_eq!(standing.basis, Basis::Lists);
        let step = standing.steps.iter().find(|step| step.name == "cron");
        let step = step.unwrap();
        assert_eq!(step.progress, Progress::Half, "{word}");
        assert_eq!(step.new.as_deref(), Some("3.0pl1-197"));
        assert_eq!((standing.counts.half, standing.counts.untouched), (1, 3));
    }
}

#[test]
fn what_a_whole_upgrade_leaves_behind_is_no_mixture() {
    let left = Root::default()
        .with("usr/lib/os-release", TRIXIE)
        .with("etc/apt/sources.list", SOURCE)
        .trixie()
        .package("base-files", "13.8+deb13u1")
        .package("libc6", "2.41-12")
        .package("nano", "8.4-1")
        .package("libssl3", "3.0.20-1~deb12u2")
        .package("libicu72", "72.1-3+deb12u1")
        .package("linux-image-6.1.0-50-amd64", "6.1.176-1")
        .package("libnettle8", "3.8.1-2+deb12u1");
    let standing = left.standing();
    assert!(
        !standing.mixed && !standing.crosses_releases(),
        "{standing:?}"
    );
    assert!(standing.advice.is_none() && standing.steps.is_empty());
}

#[test]
fn an_older_point_release_is_of_its_release() {
    // The index has 13.8+deb13u1; this machine was not updated since 13.0.
    let standing = Root::default()
        .with("usr/lib/os-release", TRIXIE)
        .with("etc/apt/sources.list", SOURCE)
        .offered(
            "deb.example.org_debian_dists_trixie",
            "Debian",
            "trixie",
            &[("openssl", "3.5.1-1+deb13u2"), ("libc6", "2.41-12+deb13u1")],
        )
        .package("openssl", "3.5.1-1")
        .package("libc6", "2.41-12")
        .in_state("x", "1", "install ok unpacked")
        .standing();
    assert!(!standing.crosses_releases());
    assert_eq!(standing.counts.unpacked, 1);
    assert_eq!(standing.counts.planned, 1);
}

#[test]
fn without_an_index_libc_and_base_files_tell() {
    let standing = Root::default()
        .with("usr/lib/os-release", TRIXIE)
        .package("base-files", "13.8")
        .package("libc6", "2.36-9+deb12u4")
        .standing();
    assert!(standing.mixed);
    assert_eq!(standing.from.unwrap().codename, "bookworm");
}

#[test]
fn an_interim_release_of_ubuntu_has_left_the_mirrors() {
    let history = "\nStart-Date: 2026-01-01  10:00:00\nCommandline: apt full-upgrade\n\
        Upgrade: libc6:amd64 (2.24-9ubuntu2, 2.26-0ubuntu2), bash:amd64 (4.4-2, 4.4-5)\n";
    let standing = Root::default()
        .with(
            "usr/lib/os-release",
            "ID=ubuntu\nVERSION_CODENAME=zesty\nPRETTY_NAME=\"Ubuntu 17.04\"\n",
        )
        .with(
            "etc/apt/sources.list",
            "deb http://archive.example.org/ubuntu artful main universe\n",
        )
        .with("var/log/apt/history.log", history)
        .package("libc6", "2.26-0ubuntu2")
        .package("bash", "4.4-2")
        .standing();
    let (from, to) = (standing.from.unwrap(), standing.to.unwrap());
    assert_eq!(
        (from.codename.as_str(), to.codename.as_str()),
        ("zesty", "artful")
    );
    assert_eq!(to.old_archive.as_deref(), Some("old-releases.ubuntu.com"));
    let advice = standing.advice.unwrap();
    assert_eq!(advice.direction, Direction::Forward);
    assert!(
        advice.reasons.iter().any(|r| r.contains("old-releases")),
        "{advice:?}"
    );
    assert_eq!(standing.forward.unwrap().missing, ["bash 4.4-5"]);
    assert_eq!(standing.backward.unwrap().missing, ["libc6 2.24-9ubuntu2"]);
}

#[test]
fn the_failed_runs_count_together() {
    let run = |name: &str, end: &str| {
        format!("\nStart-Date: x\nCommandline: apt\nUpgrade: {name}:amd64 (1, 2)\n{end}")
    };
    let history = run("old", "End-Date: x\n")
        + &run("a", "")
        + &run("b", "Error: Sub-process\nEnd-Date: x\n");
    let standing = Root::default()
        .with("var/log/apt/history.log", &history)
        .package("old", "1")
        .package("a", "2")
        .package("b", "1")
        .standing();
    let names: Vec<_> = standing
        .steps
        .iter()
        .map(|step| step.name.as_str())
        .collect();
    assert_eq!(names, ["b", "a"]);
    assert_eq!((standing.counts.done, standing.counts.untouched), (1, 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_planned_package_is_counted_once(
        states in prop::collection::vec((0usize..7, any::<bool>()), 1..12)
    ) {
        let words = [
            "install ok installed",
            "install ok unpacked",
            "install ok half-configured",
            "install reinstreq half-installed",
            "install ok triggers-awaited",
            "deinstall ok config-files",
        ];
        let mut root = Root::default();
        let mut items = Vec::new();
        for (at, (state, new)) in states.iter().enumerate() {
            items.push(format!("p{at}:amd64 (1, 2)"));
            // The last state: no stanza at all.
            if let Some(word) = words.get(*state) {
                root = root.in_state(&format!("p{at}"), if *new { "2" } else { "1" }, word);
            }
        }
        let history = format!("\nStart-Date: x\nUpgrade: {}\n", items.join(", "));
        let standing = root.with("var/log/apt/history.log", &history).standing();
        let counts = standing.counts;
        let sum = counts.done + counts.unpacked + counts.half + counts.untouched;
        prop_assert_eq!(counts.planned, states.len());
        prop_assert_eq!(sum, counts.planned);
        let forward = standing.forward.unwrap();
        prop_assert_eq!(forward.unpack, counts.half + counts.untouched);
        prop_assert_eq!(forward.configure, counts.unpacked);
    }
}
