//! One upgrade of a server, and what a power cut would have left of it at many
//! moments.
//!
//! The moments are layers of the disks: at each of them the machine goes on
//! writing into a new file above the last one (qcow2 with a backing file).

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::half_upgrade::{self, HalfUpgrade};
use super::legs::Legs;
use super::power_cut::{self, COMMAND, UPGRADE};
use super::qemu::Machine;
use super::{cache, disks, layers, progress};

/// Each line of dpkg's log, as it comes, on the console.
const LOG: &str = "tail -n 0 -F /var/log/dpkg.log &";

/// The disks of a server in the middle of an upgrade, many times.
#[derive(Debug)]
pub struct PowerCuts {
    dir: PathBuf,
}

impl PowerCuts {
    /// The power fails whenever dpkg's log says the next of these words. Made when
    /// it is not cached.
    pub fn of(upgrade: HalfUpgrade, moments: &[&str]) -> Result<Self> {
        let healthy = disks::healthy(upgrade.from())?;
        let healthy_name = format!("{healthy:?}");
        let name = format!("{}-{}", upgrade.from(), upgrade.ends().1);
        let mut inputs = vec![healthy_name.as_str(), &name, COMMAND, LOG];
        inputs.extend(half_upgrade::DOWNLOAD);
        inputs.extend(moments);
        let dir = cache::entry(&format!("power-cuts-{name}"), &inputs, |dir| {
            let legs = power_cut::ready(upgrade, LOG, dir)?;
            progress::step("  upgrading in a virtual machine", || {
                record(&legs, moments, dir)
            })
        })?;
        Ok(Self { dir })
    }

    /// The disks at one of the moments, in the folder `dir`.
    pub fn disks(&self, moment: usize, dir: &Path) -> Result<Legs> {
        layers::taken(&self.dir, moment, dir)
    }
}

fn record(legs: &Legs, moments: &[&str], dir: &Path) -> Result<()> {
    let machine = Machine::with_disks(&legs.disks()).with_monitor();
    let everything = power_cut::everything();
    let mut machine = power_cut::upgrading(&machine, &everything, dir)?;
    for (number, moment) in moments.iter().enumerate() {
        let next = layers::empty(dir, number + 1)?;
        let said = || power_cut::said(dir);
        machine.hear(moment, UPGRADE).with_context(said)?;
        machine.freeze_disks(&next)?;
    }
    machine.cut_power()?;
    for file in layers::of(dir, moments.len()) {
        fs::remove_file(&file).with_context(|| format!("removing {}", file.display()))?;
    }
    Ok(())
}
