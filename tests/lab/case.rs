//! A case: how a server is broken, and what must be said and done about it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::base::Kind;
use super::boot::Expect;
use super::half_upgrade::HalfUpgrade;
use super::power_cut::PowerCut;
use super::suite::Suite;
use super::{repo, run};

/// One file of `tests/cases`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The file's name without its ending.
    #[serde(skip)]
    pub name: String,
    /// The case in one sentence.
    pub title: String,
    /// The release of the healthy server.
    pub base: Suite,
    /// What the server starts with, when not what Debian installs.
    #[serde(default)]
    pub server: Kind,
    /// An upgrade killed halfway, before the break step.
    pub half_upgrade: Option<HalfUpgrade>,
    /// An upgrade during which the power failed, before the break step.
    pub power_cut: Option<PowerCut>,
    /// Bash, run with the patient's root as working directory.
    #[serde(rename = "break")]
    pub break_step: Option<String>,
    /// Why a boot tells nothing about it: what is broken is a sign only, such as
    /// a configuration that says what is not so. `corpus` leaves it out.
    pub sign_only: Option<String>,
    /// The port on which its sshd is asked, when not the usual one.
    #[serde(default = "ssh_port")]
    pub ssh_port: u16,
    /// Another machine than the case says; see [`Other`].
    #[serde(skip)]
    pub other: Option<Other>,
    /// What is expected of a directory tree.
    pub tree: Option<Level>,
    /// What is expected of a machine.
    pub machine: Option<MachineLevel>,
}

/// The same fault on another machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Other {
    /// Started by UEFI.
    Uefi,
    /// Of another release.
    Of(Suite),
    /// With another initramfs or root filesystem.
    With(Kind),
}

impl Other {
    /// All of them, by the names that they give to a case.
    pub const ALL: [(&'static str, Self); 5] = [
        ("uefi", Self::Uefi),
        ("bullseye", Self::Of(Suite::Bullseye)),
        ("trixie", Self::Of(Suite::Trixie)),
        ("dracut", Self::With(Kind::Dracut)),
        ("xfs", Self::With(Kind::Xfs)),
    ];
}

/// What `diagnose` must say, and what `repair` must bring.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Level {
    /// Exactly these finding ids.
    pub findings: Vec<String>,
    /// The verdict's kind.
    pub verdict: String,
    /// Words that the report must have.
    #[serde(default)]
    pub says: Vec<String>,
    /// Words that `lifeboot history` says, in this order.
    #[serde(default)]
    pub history: Vec<String>,
    /// That is asked with `--all`: logins are among it then.
    #[serde(default)]
    pub history_all: bool,
    /// Present when `repair --yes` is to be tried.
    pub repaired: Option<Repaired>,
}

/// [`Level`] for a machine that is really booted.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MachineLevel {
    /// How the boot from firmware ends before anything is done.
    pub boot: Expect,
    /// Exactly these finding ids.
    pub findings: Vec<String>,
    /// The verdict's kind.
    pub verdict: String,
    /// A UEFI machine, with an EFI system partition on each disk.
    #[serde(default)]
    pub uefi: bool,
    /// Bash, run for the EFI system partition of each disk, which is `$esp` for
    /// mtools: `mdel -i "$esp" ::EFI/BOOT/BOOTX64.EFI`.
    pub break_esp: Option<String>,
    /// Bash, run with the image of the second disk as `$disk`.
    pub break_second: Option<String>,
    /// How many of the two disks the machine still has.
    #[serde(default = "both")]
    pub disks: usize,
    /// Whose kernel the rescue image has, when not bookworm's.
    pub rescue: Option<Suite>,
    /// Not in every test run: another case shows the same, or it takes long.
    #[serde(default)]
    pub slow: bool,
    /// Also tried as one file in a rescue system that has mdadm and has
    /// started the array.
    #[serde(default)]
    pub foreign_rescue: bool,
    /// Present when `repair --yes` is to be tried.
    pub repaired: Option<Repaired>,
}

/// The state after `repair --yes`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repaired {
    /// Exactly these finding ids are left.
    pub findings: Vec<String>,
    /// The verdict's kind.
    pub verdict: String,
    /// How the boot from firmware then ends (machines only).
    pub boot: Option<Expect>,
    /// How the boot ends when the machine has only its second disk then.
    pub second_alone: Option<Expect>,
    /// A folder of the broken root that is given with `--packages`; a machine has
    /// it on a stick.
    pub packages: Option<String>,
    /// Bash that must succeed in the repaired root.
    pub check: Option<String>,
    /// Whether `undo` must bring back every byte of the broken state.
    #[serde(default)]
    pub undo: bool,
    /// Only in `scripts/corpus`: programs of the patient work for a quarter of
    /// an hour in an emulated machine (machines only).
    #[serde(default)]
    pub slow: bool,
}

/// Where sshd is asked.
pub const SSH_PORT: u16 = 22;

fn ssh_port() -> u16 {
    SSH_PORT
}

/// What the break step of a case may call: packages made of the tree itself.
pub const REPACK: &str = include_str!("repack.sh");

fn both() -> usize {
    2
}

impl Case {
    /// The folder of its root with packages that a technician brings.
    pub fn packages(&self) -> Option<&str> {
        let machine = self.machine.as_ref().and_then(|m| m.repaired.as_ref());
        let tree = self.tree.as_ref().and_then(|t| t.repaired.as_ref());
        let mut both = machine.into_iter().chain(tree);
        both.find_map(|repaired| repaired.packages.as_deref())
    }

    /// The same fault on another machine; none where the case is about that.
    pub fn on_another(&self, name: &str, other: Other) -> Option<Self> {
        let is_usual = self.base == Suite::Bookworm && self.server == Kind::Usual;
        let is_made = self.half_upgrade.is_none() && self.power_cut.is_none();
        if !is_usual || !is_made || self.is_uefi() {
            return None;
        }
        let mut case = self.clone();
        case.name = format!("{name}::{}", self.name);
        case.other = Some(other);
        match other {
            Other::Uefi => {}
            Other::Of(suite) => case.base = suite,
            Other::With(kind) => case.server = kind,
        }
        Some(case)
    }

    /// True when UEFI starts it.
    pub fn is_uefi(&self) -> bool {
        self.other == Some(Other::Uefi) || self.machine.as_ref().is_some_and(|level| level.uefi)
    }

    /// True when a part of it takes too long for every test run.
    pub fn is_slow(&self) -> bool {
        let repaired = self
            .machine
            .as_ref()
            .and_then(|level| level.repaired.as_ref());
        self.machine.as_ref().is_some_and(|level| level.slow)
            || self.power_cut.as_ref().is_some_and(|cut| cut.slow)
            || repaired.is_some_and(|repaired| repaired.slow)
    }

    /// All cases, by name.
    pub fn all() -> Result<Vec<Self>> {
        let folder = repo().join("tests/cases");
        let mut cases = Vec::new();
        let entries =
            fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == "toml") {
                cases.push(Self::read(&path)?);
            }
        }
        cases.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(cases)
    }

    /// The case with this name.
    pub fn named(name: &str) -> Result<Self> {
        Self::read(&repo().join(format!("tests/cases/{name}.toml")))
    }

    fn read(path: &Path) -> Result<Self> {
        let text =
            fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let mut case: Self =
            toml::from_str(&text).with_context(|| format!("parsing {}", path.display()))?;
        let name = path.file_stem().unwrap_or_default();
        case.name = name.to_string_lossy().into_owned();
        Ok(case)
    }

    /// Breaks the healthy (or half-upgraded) tree at `patient`.
    pub fn break_tree(&self, patient: &Path) -> Result<()> {
        match &self.break_step {
            Some(script) => {
                let script = format!("{REPACK}\n{script}");
                run::shell("breaking the patient", patient, &script)
            }
            None => Ok(()),
        }
    }
}

impl Repaired {
    /// Runs the case's own check, if it has one, in the repaired tree.
    pub fn check_tree(&self, patient: &Path) -> Result<()> {
        match &self.check {
            Some(script) => run::shell("checking the repaired tree", patient, script),
            None => Ok(()),
        }
    }
}
