//! A power cut: a server that upgrades itself, switched off in the middle.
//!
//! QEMU is killed. The page cache of the guest is gone, and its disks hold what
//! its kernel had written to them until then, in that order.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::boot::Boot;
use super::half_upgrade::{self, HalfUpgrade};
use super::legs::Legs;
use super::qemu::Machine;
use super::{cache, disks, progress};

/// An upgrade and the moment in which the power fails.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PowerCut {
    /// From which release to which.
    pub upgrade: HalfUpgrade,
    /// Bash that is typed before the upgrade is started.
    #[serde(default)]
    pub before: String,
    /// Words of apt or dpkg on the console: when they are there, the power fails.
    pub at: String,
    /// Made only by `scripts/corpus`, or when the case is named.
    #[serde(default)]
    pub slow: bool,
}

/// How long a prompt may take.
const ANSWER: Duration = Duration::from_secs(60);

/// How long the upgrade may take until its moment. Emulated, a whole one takes
/// a quarter of an hour.
const UPGRADE: Duration = Duration::from_secs(1800);

/// As an operator types it on the console.
const COMMAND: &str = "DEBIAN_FRONTEND=noninteractive apt-get -y \
    -o Dpkg::Options::=--force-confold full-upgrade";

impl PowerCut {
    /// The disks after the cut, made when they are not cached.
    pub fn disks(&self, name: &str) -> Result<Legs> {
        let healthy = disks::healthy(self.upgrade.from())?;
        let healthy_name = format!("{healthy:?}");
        let upgrade = format!("{:?}", self.upgrade);
        let mut inputs = vec![healthy_name.as_str(), &upgrade, &self.before, &self.at];
        inputs.extend(half_upgrade::DOWNLOAD);
        inputs.push(COMMAND);
        let entry = cache::entry(&format!("disks-{name}"), &inputs, |dir| {
            let legs = healthy.copy_to(dir)?;
            legs.change(&dir.join("mnt"), |patient| {
                half_upgrade::download(self.upgrade, patient, dir)
            })?;
            progress::step(
                "  upgrading in a virtual machine, and cutting its power",
                || self.cut(&legs, dir),
            )
        })?;
        Ok(Legs::in_folder(&entry))
    }

    fn cut(&self, legs: &Legs, dir: &Path) -> Result<()> {
        let (mut machine, boot) = Machine::with_disks(&legs.disks()).boot(dir, "power-cut")?;
        match boot {
            Boot::Login => {}
            other => bail!("the healthy server did not boot: {other}"),
        }
        let said = || format!("see {}", dir.join("power-cut.log").display());
        machine.hear(" login: ", ANSWER)?;
        machine.type_line("root")?;
        machine.hear("Password: ", ANSWER).with_context(said)?;
        machine.type_line("lab")?;
        for line in self.before.lines().chain([COMMAND]) {
            machine.hear(":~# ", ANSWER).with_context(said)?;
            machine.type_line(line)?;
        }
        machine.hear(&self.at, UPGRADE).with_context(said)?;
        machine.cut_power()
    }
}
