//! The guided session, driven at a terminal as an operator would.

mod lab;

#[path = "terminal/tmux.rs"]
mod tmux;

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, ensure};
use libtest_mimic::Arguments;

use lab::case::Case;
use lab::machine_level::{Patient, controller_stood_still};
use lab::manifest::Manifest;
use lab::mounts::Overlay;
use lab::program::trial;
use lab::qemu::Machine;
use lab::rescue::Rescue;
use lab::suite::Suite;
use lab::{LIFEBOOT, base, progress};
use tmux::Terminal;

/// The longest time for a step in an emulated machine.
const PATIENCE: Duration = Duration::from_secs(200);

/// Ends every question.
const PROMPT: &str = "[q] stop:";

fn main() -> ExitCode {
    let trials = vec![
        trial("guided", "session-guided".to_owned(), guided),
        trial("dumb", "session-dumb".to_owned(), dumb),
        trial("serial", "session-serial".to_owned(), serial),
    ];
    lab::program::run_trials(Arguments::from_args(), Ok(trials))
}

/// A server whose /usr/sbin was replaced and whose host keys are open: the
/// second is seen when the first is repaired.
fn broken(work: &Path) -> Result<Overlay> {
    // Nothing of an earlier run's session.
    let run = work.join("run");
    if run.exists() {
        fs::remove_dir_all(&run)?;
    }
    let overlay = Overlay::over(&base::root(Suite::Bookworm)?, &work.join("root"))?;
    let script =
        "mv usr/sbin usr/sbin.backup && ln -s bin usr/sbin && chmod 666 etc/ssh/ssh_host_*_key";
    lab::run::shell("breaking it", overlay.path(), script)?;
    Ok(overlay)
}

fn command(root: &Path, more: &str) -> String {
    format!("{LIFEBOOT} --root {}{more}", root.display())
}

/// The verdict on one screen, an answer that is remembered after a hang-up, a
/// shell and back, Ctrl-C, a smaller window, and two repairs.
fn guided(work: &Path) -> Result<()> {
    let overlay = broken(work)?;
    let root = overlay.path();
    let before = Manifest::of(root)?;

    let terminal = Terminal::open(work, "screen")?;
    terminal.enter(&command(
        root,
        " --reinstall-takes 4h --backup-age 26h --decide-by 45m",
    ))?;
    let screen = terminal.wait_for(PROMPT)?;
    for words in [
        "REPAIRABLE: it does not boot: /usr/sbin is a link to bin",
        "Time: 0 min of 45 min since",
        "A reinstall takes 4 h and goes back to a backup that is 1 d 2 h old",
        "DECISION 1 of 1",
        "Rename /usr/sbin.backup back to /usr/sbin",
    ] {
        ensure!(
            screen.contains(words),
            "no {words:?} on the screen:\n{screen}"
        );
    }
    terminal.enter("?")?;
    terminal.wait_for("More: lifeboot explain root/system-directory-replaced")?;
    terminal.enter("s")?;
    terminal.wait_for("lifeboot (exit: back)#")?;
    terminal.enter("echo in-$((40 + 2)); exit")?;
    terminal.wait_for("in-42")?;
    terminal.enter("n")?;
    terminal.wait_for("nothing was changed")?;

    // The line drops in the middle of the next question.
    terminal.enter(&command(root, ""))?;
    terminal.wait_for("Before:  you said no, at ")?;
    terminal.hang_up()?;
    before.expect_same(&Manifest::of(root)?)?;

    let terminal = Terminal::open(work, "screen")?;
    terminal.resize(60, 20)?;
    terminal.enter(&command(root, ""))?;
    let screen = terminal.wait_for("Before:  you said no, at ")?;
    ensure!(
        screen.contains("of 45 min since"),
        "the time was forgotten:\n{screen}"
    );
    terminal.wait_for(PROMPT)?;
    terminal.interrupt()?;
    terminal.enter("echo ended-$?")?;
    terminal.wait_for("ended-130")?;
    before.expect_same(&Manifest::of(root)?)?;

    terminal.resize(80, 24)?;
    terminal.enter(&command(root, ""))?;
    terminal.wait_for("Rename /usr/sbin.backup back to /usr/sbin")?;
    terminal.wait_for(PROMPT)?;
    terminal.enter("y")?;
    terminal.wait_for("Now more can be repaired")?;
    terminal.wait_for("sshd has no key that it takes")?;
    terminal.wait_for(PROMPT)?;
    terminal.enter("y")?;
    terminal.wait_for("What is left:")?;
    terminal.wait_for("nothing in this tree stops it from booting")?;
    terminal.hang_up()?;

    ensure!(
        root.join("usr/sbin/sshd").is_file(),
        "/usr/sbin did not come back"
    );
    let log = fs::read_to_string(work.join("run/lifeboot/session.log"))?;
    for words in [
        "typed: lifeboot --root",
        "answered: no",
        "answered: yes",
        "move /usr/sbin.backup to /usr/sbin",
        "REPAIRED: 2 changes",
    ] {
        ensure!(log.contains(words), "no {words:?} in the log:\n{log}");
    }
    Ok(())
}

/// A terminal that obeys nothing gets nothing to obey, and no line that is too
/// long for it.
fn dumb(work: &Path) -> Result<()> {
    let overlay = broken(work)?;
    let terminal = Terminal::open(work, "dumb")?;
    let raw = terminal.record()?;
    terminal.enter(&command(overlay.path(), ""))?;
    terminal.wait_for(PROMPT)?;
    terminal.enter("q")?;
    terminal.wait_for("nothing was changed")?;
    terminal.hang_up()?;
    let raw = fs::read(raw)?;
    let raw = String::from_utf8_lossy(&raw);
    let (_, shown) = raw.split_once("writing nothing").unwrap_or_default();
    ensure!(shown.contains("DECISION 1 of 1"), "nothing was recorded");
    let obeyed = shown
        .chars()
        .find(|c| c.is_control() && !"\r\n".contains(*c));
    ensure!(obeyed.is_none(), "{obeyed:?} was sent: {shown:?}");
    let long = shown
        .lines()
        .find(|line| line.trim_end().chars().count() > 80);
    ensure!(long.is_none(), "a line is too long: {long:?}");
    Ok(())
}

/// The outage in the rescue image, and host keys that anybody may read: nothing
/// is typed but the answers, on a serial line.
fn serial(work: &Path) -> Result<()> {
    let ended = on_the_serial_line(work);
    if ended.is_err() && controller_stood_still(&work.join("serial.log"))? {
        progress::line("serial: QEMU's NVMe stood still, once more");
        return on_the_serial_line(work);
    }
    ended
}

fn on_the_serial_line(work: &Path) -> Result<()> {
    let mut case = Case::named("usr-sbin-swapped")?;
    // Seen when the first is repaired: the questions go on, on the same disks.
    let more = "chmod 666 etc/ssh/ssh_host_*_key";
    let step = case.break_step.take().unwrap_or_default();
    case.break_step = Some(format!("{step}\n{more}\n"));
    let patient = Patient::of(&case, work)?;
    let rescue = Rescue::build(Suite::Bookworm, Path::new(LIFEBOOT), work)?;
    let machine = Machine::with_disks(&patient.disks());
    let mut machine = rescue.start(machine, &[], work, "serial")?;
    for (words, answer) in [("DECISION 1 of 1", "?"), ("Cause: ", "s")] {
        machine.hear(words, PATIENCE)?;
        machine.hear(PROMPT, PATIENCE)?;
        machine.type_line(answer)?;
    }
    // busybox is in this rescue image; the patient is where the shell stands.
    machine.hear("lifeboot (exit: back)#", PATIENCE)?;
    machine.type_line("test -d usr/sbin.backup && echo it-$((40 + 2)); exit")?;
    machine.hear("it-42", PATIENCE)?;
    machine.hear(PROMPT, PATIENCE)?;
    machine.type_line("y")?;
    machine.hear("REPAIRED: 2 changes", PATIENCE)?;
    machine.hear("Now more can be repaired", PATIENCE)?;
    machine.hear(PROMPT, PATIENCE)?;
    machine.type_line("y")?;
    machine.hear("REPAIRED: ", PATIENCE)?;
    machine.hear("BOOTS: ", PATIENCE)?;
    let console = machine.power_off(PATIENCE)?;
    // busybox asks the terminal where its cursor is; Lifeboot does not.
    let (_, shown) = console.rsplit_once("it-42").unwrap_or_default();
    let obeyed = shown
        .chars()
        .find(|c| c.is_control() && !"\r\n".contains(*c));
    ensure!(obeyed.is_none(), "{obeyed:?} was sent: {shown:?}");
    Ok(())
}
