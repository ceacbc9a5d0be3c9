//! Lifeboot as PID 1 of its own rescue image.
//!
//! PID 1 stays small: it mounts, loads drivers, waits for the disks, runs the
//! tool as its child and collects what dies. It must never end, because the
//! kernel panics then; so the whole of it runs under `catch_unwind`, and the
//! last resort is a loop that only waits.
//!
//! Order: [`mounts`], [`cmdline`], [`drivers`], [`settle`], [`session`],
//! [`menu`], and at the end [`power`].

pub mod cmdline;
pub mod console;
pub mod disks;
pub mod drivers;
pub mod menu;
pub mod mounts;
pub mod power;
pub mod session;
pub mod settle;
pub mod supervisor;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::sys::machine::{self, Leave};
use crate::sys::uevent::UeventSocket;

use cmdline::{Options, Then};
use console::Console;
use session::Session;
use supervisor::Supervisor;

/// Whether this process is the machine's init. PID 1 of a container is not: its
/// root does not lie in memory and nobody calls it `init`.
pub fn is_our_role() -> bool {
    std::process::id() == 1
        && (machine::root_is_in_memory()
            || std::env::args_os()
                .next()
                .is_some_and(|name| name.to_string_lossy().ends_with("init")))
}

/// Runs the rescue image. Never returns.
pub fn run() -> ! {
    let supervisor = Supervisor::new();
    let leave = catch_unwind(AssertUnwindSafe(|| start(&supervisor))).unwrap_or_else(|_| {
        // A bug in here. The operator still gets the tool, a shell, a way out.
        catch_unwind(AssertUnwindSafe(|| recover(&supervisor))).unwrap_or(Leave::Halt)
    });
    let _ = catch_unwind(AssertUnwindSafe(|| power::leave(&supervisor, leave)));
    loop {
        supervisor.idle();
    }
}

fn start(supervisor: &Supervisor) -> Leave {
    let failures = mounts::mount_all();
    let options = Options::of_running_kernel();
    console::quieten_kernel();
    let console = Console::find();
    console.say(&format!("Lifeboot {} is PID 1", env!("CARGO_PKG_VERSION")));
    for complaint in failures.iter().chain(&options.complaints) {
        console.say(complaint);
    }
    if let Err(error) = machine::catch_ctrl_alt_del() {
        console.say(&format!("Ctrl-Alt-Del resets at once: {error}"));
    }
    // Opened before the first look at sysfs, so that nothing falls in between.
    let events = UeventSocket::open();
    if let Err(error) = &events {
        console.say(&format!("no device events: {error}"));
    }
    let mut drivers = drivers::Drivers::open(&console);
    drivers.load_all(&console, &options.modules);
    // What needed a driver, such as the variables of UEFI.
    mounts::mount_optional();
    settle::wait_for_disks(&console, events.ok().as_ref(), &mut drivers);
    disks::print(&console);
    drop(drivers);

    let session = Session::new(supervisor, console);
    conduct(&session, &options).unwrap_or_else(|leave| leave)
}

/// Runs what the command line asks for, then what it says comes next.
fn conduct(session: &Session<'_>, options: &Options) -> Result<Leave, Leave> {
    if options.commands.is_empty() {
        session.run_guided()?;
    } else {
        session.run_commands(&options.commands, options.out.as_deref())?;
    }
    match options.then {
        Then::PowerOff => Ok(Leave::PowerOff),
        Then::Reboot => Ok(Leave::Reboot),
        Then::Shell => {
            session.run_shell()?;
            menu::ask(session)
        }
        Then::Menu => menu::ask(session),
    }
}

fn recover(supervisor: &Supervisor) -> Leave {
    let console = Console::find();
    console.say("a bug in PID 1 was caught; please report the lines above");
    menu::ask(&Session::new(supervisor, console)).unwrap_or_else(|leave| leave)
}
