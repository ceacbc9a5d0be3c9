//! Leaving: end what runs, write everything out, switch off.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::console::Console;
use super::mounts;
use super::supervisor::Supervisor;
use crate::sys::machine::{self, Leave};
use crate::sys::process::signal_everybody;
use crate::sys::tty;

/// How long processes get to end by themselves (a repair syncs its journal).
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the kernel gets to end those that were killed.
const AFTER_KILL: Duration = Duration::from_secs(3);

/// Ends all processes, syncs, unmounts and leaves. Comes back only if the
/// kernel refuses.
pub fn leave(supervisor: &Supervisor, how: Leave) {
    let console = Console::find();
    console.say(match how {
        Leave::Reboot => "rebooting",
        Leave::PowerOff => "powering off",
        Leave::Halt => "halting",
    });
    signal_everybody(Signal::SIGTERM);
    // Interactive shells only heed this one.
    signal_everybody(Signal::SIGHUP);
    // A stopped process sees the others only when it goes on.
    signal_everybody(Signal::SIGCONT);
    if !supervisor.wait_for_all(PATIENCE) {
        console.say("some processes did not end and are killed");
        signal_everybody(Signal::SIGKILL);
        supervisor.wait_for_all(AFTER_KILL);
    }
    machine::sync_and_unmount(&mounts::targets());
    if let Ok(file) = console.open() {
        tty::drain(&file);
    }
    let error = machine::leave(how);
    console.say(&format!("the kernel refused: {error}"));
}
