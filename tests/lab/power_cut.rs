//! A power cut: a server that upgrades itself, switched off in the middle.
//!
//! QEMU is killed. The page cache of the guest is gone, and its disks hold what
//! its kernel had written to them until then.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::boot::Boot;
use super::half_upgrade::{self, HalfUpgrade};
use super::legs::Legs;
use super::qemu::{Machine, Running};
use super::{cache, disks, progress};

/// An upgrade and the moment in which the power fails.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PowerCut {
    /// From which release to which.
    pub upgrade: HalfUpgrade,
    /// Bash that runs on the server's console before the upgrade is started; what
    /// it leaves running goes on.
    #[serde(default)]
    pub before: String,
    /// What apt-get is to do, such as `install libssl3t64`.
    #[serde(default = "everything")]
    pub apt: String,
    /// Words of apt or dpkg on the console: when they are there, the power fails.
    pub at: String,
    /// Not among `machines` but among `upgrades`: run only by `scripts/corpus`, or
    /// when it is named.
    #[serde(default)]
    pub slow: bool,
}

/// How long a prompt may take on a busy host.
const ANSWER: Duration = Duration::from_secs(400);

/// How long the upgrade may take until its moment.
pub const UPGRADE: Duration = Duration::from_secs(3600);

/// As an operator types it on the console, before what apt-get is to do.
pub const COMMAND: &str = "DEBIAN_FRONTEND=noninteractive apt-get -y \
    -o Dpkg::Options::=--force-confold";

/// What apt-get is to do by default.
pub fn everything() -> String {
    "full-upgrade".into()
}

impl PowerCut {
    /// The disks after the cut, made when they are not cached.
    pub fn disks(&self, name: &str) -> Result<Legs> {
        let healthy = disks::healthy(self.upgrade.from())?;
        let healthy_name = format!("{healthy:?}");
        let upgrade = format!("{:?}", self.upgrade);
        let mut inputs = vec![healthy_name.as_str(), &upgrade];
        inputs.extend([self.before.as_str(), &self.apt, &self.at, COMMAND]);
        inputs.extend(half_upgrade::DOWNLOAD);
        let entry = cache::entry(&format!("disks-{name}"), &inputs, |dir| {
            let legs = ready(self.upgrade, &self.before, dir)?;
            progress::step(
                "  upgrading in a virtual machine, and cutting its power",
                || self.cut(&legs, dir),
            )
        })?;
        Ok(Legs::in_folder(&entry))
    }

    fn cut(&self, legs: &Legs, dir: &Path) -> Result<()> {
        let machine = Machine::with_disks(&legs.disks());
        let mut machine = upgrading(&machine, &self.apt, dir)?;
        machine.hear(&self.at, UPGRADE).with_context(|| said(dir))?;
        machine.cut_power()
    }
}

/// The disks of a healthy server that has downloaded the upgrade, and has the
/// script `before` in the folder of root.
pub fn ready(upgrade: HalfUpgrade, before: &str, dir: &Path) -> Result<Legs> {
    let legs = disks::healthy(upgrade.from())?.copy_to(dir)?;
    legs.change(&dir.join("mnt"), |patient| {
        fs::write(patient.join("root/before"), before).context("writing the script")?;
        half_upgrade::download(upgrade, patient, dir)
    })?;
    Ok(legs)
}

/// Boots the server, logs in on its console, runs the script and starts the
/// upgrade.
pub fn upgrading(machine: &Machine, apt: &str, dir: &Path) -> Result<Running> {
    let (mut machine, boot) = machine.boot(dir, "power-cut")?;
    match boot {
        Boot::Login => {}
        other => bail!("the healthy server did not boot: {other}"),
    }
    log_in(&mut machine)
        .and_then(|()| {
            let command = format!("{COMMAND} {apt}");
            for line in ["bash before", &command] {
                machine.hear(":~# ", ANSWER)?;
                machine.type_line(line)?;
            }
            Ok(())
        })
        .with_context(|| said(dir))?;
    Ok(machine)
}

fn log_in(machine: &mut Running) -> Result<()> {
    machine.hear(" login: ", ANSWER)?;
    machine.type_line("root")?;
    machine.hear("Password: ", ANSWER)?;
    machine.type_line("lab")
}

/// Where to look when it did not go as planned.
pub fn said(dir: &Path) -> String {
    format!("see {}", dir.join("power-cut.log").display())
}
