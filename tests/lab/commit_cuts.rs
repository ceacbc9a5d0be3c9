//! What power cuts leave of a repair, or of an undo, at each of its steps.
//!
//! Lifeboot says each step on the console before it does it. There the machine
//! goes on writing into new layers of its disks, and what lies below is what a
//! cut would have left: what the kernel had not written yet is not in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::layers;
use super::legs::Legs;
use super::qemu::Machine;
use super::rescue::Rescue;

/// How long one step may take until the next, in an emulated machine.
const STEP: Duration = Duration::from_secs(300);

/// Where `[NUMBER/` ends: Lifeboot says a step.
fn step(text: &str) -> Option<usize> {
    text.match_indices('[').find_map(|(at, _)| {
        let rest = text.get(at + 1..)?;
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        (digits > 0 && rest[digits..].starts_with('/')).then_some(at + digits + 2)
    })
}

/// The most steps that are waited for.
const STEPS_MAX: usize = 60;

/// The disks at each step of a command.
#[derive(Debug)]
pub struct CommitCuts {
    dir: PathBuf,
    moments: usize,
}

impl CommitCuts {
    /// Runs `command` in the rescue system on the disks in `dir`, which are
    /// frozen at each step that it tells.
    pub fn of(rescue: &Rescue, command: &str, dir: &Path) -> Result<Self> {
        let legs = Legs::in_folder(dir);
        let machine = Machine::with_disks(&legs.disks()).with_monitor();
        let mut machine = rescue.start(machine, &[command], dir, "steps")?;
        let mut moments = 0;
        while moments < STEPS_MAX {
            // Prepared before, because the machine does not wait.
            let next = layers::empty(dir, moments + 1)?;
            if machine.hear_end("a step", step, STEP).is_err() {
                for file in next {
                    fs::remove_file(&file)
                        .with_context(|| format!("removing {}", file.display()))?;
                }
                break;
            }
            machine.freeze_disks(&next)?;
            moments += 1;
        }
        ensure!(
            moments > 0,
            "no step was told, see {}",
            dir.join("steps.log").display()
        );
        machine.power_off(STEP)?;
        Ok(Self {
            dir: dir.to_owned(),
            moments,
        })
    }

    /// How many moments there are.
    pub fn moments(&self) -> usize {
        self.moments
    }

    /// The disks at one of them, in the folder `to`.
    pub fn disks(&self, moment: usize, to: &Path) -> Result<Legs> {
        layers::taken(&self.dir, moment, to)
    }
}
