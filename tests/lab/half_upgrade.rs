//! A real upgrade to the next release, killed at a chosen word of dpkg's log.
//!
//! `docs/lab.md` tells what was found at which point.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use super::legs::Legs;
use super::suite::Suite;
use super::upgrading::{Moment, UPGRADE, Upgrading};
use super::{base, cache, disks, progress, run};

/// An upgrade and the moment of its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HalfUpgrade {
    /// Debian 11 to 12: systemd is new, its library package not yet there.
    BullseyeBookworm,
    /// Debian 12 to 13: systemd's library is new, systemd itself still old.
    BookwormTrixie,
    /// Debian 13 to what will be 14; at any moment but a usual one.
    TrixieForky,
}

impl HalfUpgrade {
    /// The release it begins with.
    pub fn from(self) -> Suite {
        match self {
            Self::BullseyeBookworm => Suite::Bullseye,
            Self::BookwormTrixie => Suite::Bookworm,
            Self::TrixieForky => Suite::Trixie,
        }
    }

    /// The releases that it lies between.
    pub fn ends(self) -> (Suite, Suite) {
        (self.from(), self.to())
    }

    fn to(self) -> Suite {
        match self {
            Self::BullseyeBookworm => Suite::Bookworm,
            Self::BookwormTrixie => Suite::Trixie,
            Self::TrixieForky => Suite::Forky,
        }
    }

    /// The upgrade is killed as soon as dpkg's log holds this after its start.
    fn kill_at(self) -> &'static str {
        match self {
            Self::BullseyeBookworm => " status unpacked systemd:amd64 252",
            Self::BookwormTrixie => " status installed libsystemd-shared:amd64 257",
            Self::TrixieForky => " status unpacked systemd:amd64 ",
        }
    }

    /// What then keeps init from starting, in the dynamic loader's words.
    fn missing(self) -> &'static str {
        "libsystemd-core-252.so: cannot open shared object file"
    }

    fn name(self) -> String {
        format!("half-{}-{}", self.from(), self.to())
    }

    fn recipe(self) -> [&'static str; 4] {
        [PREPARE, UPGRADE, TIDY, self.kill_at()]
    }
}

/// The half-upgraded tree, made when it is not cached.
pub fn root(upgrade: HalfUpgrade) -> Result<std::path::PathBuf> {
    let base = base::root(upgrade.from())?;
    let base_name = base.display().to_string();
    let mut inputs = vec![base_name.as_str()];
    inputs.extend(upgrade.recipe());
    let entry = cache::entry(&format!("root-{}", upgrade.name()), &inputs, |dir| {
        let root = dir.join("root");
        run::output(
            "copying the base root",
            Command::new("cp")
                .args(["--archive", "--reflink=auto"])
                .arg(&base)
                .arg(&root),
        )?;
        apply_usual(upgrade, &root, dir)
    })?;
    Ok(entry.join("root"))
}

/// The disks of a half-upgraded server, made when they are not cached.
pub fn disks(upgrade: HalfUpgrade) -> Result<Legs> {
    let healthy = disks::healthy(upgrade.from())?;
    let healthy_name = format!("{healthy:?}");
    let mut inputs = vec![healthy_name.as_str()];
    inputs.extend(upgrade.recipe());
    let entry = cache::entry(&format!("disks-{}", upgrade.name()), &inputs, |dir| {
        let legs = healthy.copy_to(dir)?;
        legs.change(&dir.join("mnt"), |patient| {
            apply_usual(upgrade, patient, dir)
        })
    })?;
    Ok(Legs::in_folder(&entry))
}

/// The disks of a server whose upgrade was killed after so many lines of
/// dpkg's log, made in `dir`.
pub fn killed_after(upgrade: HalfUpgrade, lines: usize, dir: &Path) -> Result<Legs> {
    let legs = downloaded(upgrade)?.copy_to(dir)?;
    legs.change(&dir.join("mnt"), |patient| {
        run::shell("keeping services away", patient, QUIET)?;
        kill_at(Moment::Lines(lines), patient, dir)
    })?;
    Ok(legs)
}

/// The disks of a healthy server that has downloaded the upgrade.
fn downloaded(upgrade: HalfUpgrade) -> Result<Legs> {
    let healthy = disks::healthy(upgrade.from())?;
    let healthy_name = format!("{healthy:?}");
    let mut inputs = vec![healthy_name.as_str()];
    inputs.extend(DOWNLOAD);
    let name = format!("disks-before-{}-{}", upgrade.from(), upgrade.to());
    let entry = cache::entry(&name, &inputs, |dir| {
        let legs = healthy.copy_to(dir)?;
        legs.change(&dir.join("mnt"), |patient| download(upgrade, patient, dir))
    })?;
    Ok(Legs::in_folder(&entry))
}

/// Keeps services from being started, and has the log that is heard.
macro_rules! quiet {
    () => {
        r#"
printf '#!/bin/sh\nexit 101\n' > usr/sbin/policy-rc.d
chmod 755 usr/sbin/policy-rc.d
touch var/log/dpkg.log
"#
    };
}

/// For a server that has downloaded everything before.
const QUIET: &str = quiet!();

/// Downloads everything first: the network has no part in the moment of death.
const PREPARE: &str = concat!(
    r#"
sed -i "s/$FROM/$TO/" etc/apt/sources.list
mkdir "$KEEP"
cp -P etc/resolv.conf "$KEEP/" || true
cp -L --remove-destination /etc/resolv.conf etc/resolv.conf
chroot . apt-get -q update
chroot . apt-get -q -y --download-only full-upgrade
rm etc/resolv.conf
cp -P "$KEEP/resolv.conf" etc/ || true
rm -r "$KEEP""#,
    quiet!()
);

const TIDY: &str = "rm usr/sbin/policy-rc.d";

/// [`apply`], at the moment after which init cannot start.
fn apply_usual(upgrade: HalfUpgrade, patient: &Path, dir: &Path) -> Result<()> {
    apply(upgrade, Moment::Words(upgrade.kill_at()), patient, dir)?;
    check_init(upgrade, patient)
}

/// Puts the next release into the sources of the tree `patient` and all that the
/// upgrade needs into its cache.
pub fn download(upgrade: HalfUpgrade, patient: &Path, dir: &Path) -> Result<()> {
    prepare(upgrade, patient, dir)?;
    run::shell("tidying up behind the download", patient, TIDY)
}

/// What makes a download, for the key of who keeps its outcome.
pub const DOWNLOAD: [&str; 2] = [PREPARE, TIDY];

fn prepare(upgrade: HalfUpgrade, patient: &Path, dir: &Path) -> Result<()> {
    if upgrade == HalfUpgrade::TrixieForky {
        // A mirror may be late with a release that is still made.
        let setting = patient.join("etc/apt/apt.conf.d/00lab");
        fs::write(setting, "Acquire::Check-Valid-Until \"false\";\n").context("setting up apt")?;
    }
    let prepare = dir.join("prepare.log");
    progress::step("  downloading the upgrade", || {
        run::logged(
            "downloading the upgrade",
            &prepare,
            Command::new("bash")
                .args(["-euxo", "pipefail", "-c", PREPARE])
                .env("FROM", upgrade.from().name())
                .env("TO", upgrade.to().name())
                .env("KEEP", dir.join("keep"))
                .env("DEBIAN_FRONTEND", "noninteractive")
                .env("LC_ALL", "C")
                .current_dir(patient),
        )
    })
}

/// Upgrades the tree `patient` and kills everything in the middle of it.
fn apply(upgrade: HalfUpgrade, moment: Moment, patient: &Path, dir: &Path) -> Result<()> {
    prepare(upgrade, patient, dir)?;
    kill_at(moment, patient, dir)
}

fn kill_at(moment: Moment, patient: &Path, dir: &Path) -> Result<()> {
    progress::step("  upgrading, and killing the upgrade", || {
        run_and_kill(moment, patient, dir)
    })?;
    run::shell("tidying up behind the upgrade", patient, TIDY)
}

fn run_and_kill(moment: Moment, patient: &Path, dir: &Path) -> Result<()> {
    let mut upgrading = Upgrading::start(patient, dir)?;
    let reached = upgrading
        .reach(moment)
        .with_context(|| format!("the upgrade's words are in {}", dir.display()));
    let killed = upgrading.kill();
    ensure!(reached?, "the upgrade ended before {moment:?}");
    killed
}

/// The moment was hit only if init really cannot start any more.
fn check_init(upgrade: HalfUpgrade, patient: &Path) -> Result<()> {
    let result = Command::new("chroot")
        .arg(patient)
        .args(["/sbin/init", "--version"])
        .output()
        .context("trying the half-upgraded init")?;
    let words = String::from_utf8_lossy(&result.stderr);
    if result.status.success() || !words.contains(upgrade.missing()) {
        bail!(
            "the upgrade was killed at the wrong moment: init said {words:?}, \
             expected {:?}; run again",
            upgrade.missing()
        );
    }
    Ok(())
}
