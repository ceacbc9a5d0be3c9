//! Terminals: opening them, who owns them, and how they treat bytes (`termios(3)`).

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::termios::{self, ControlFlags, InputFlags, LocalFlags, OutputFlags, SetArg, Termios};
use nix::unistd::{Pid, getpid, setsid, tcsetpgrp};

/// Opens a terminal (or any other place that takes bytes) for reading and
/// writing, without waiting for a carrier and without becoming its session.
pub fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags((OFlag::O_NOCTTY | OFlag::O_NONBLOCK).bits())
        .open(path)?;
    let flags = OFlag::from_bits_retain(fcntl(&file, FcntlArg::F_GETFL)?);
    fcntl(&file, FcntlArg::F_SETFL(flags - OFlag::O_NONBLOCK))?;
    Ok(file)
}

/// Makes this process a session leader with `tty` as its controlling terminal,
/// so that Ctrl-C there reaches the foreground process group.
pub fn take_control(tty: &File) -> io::Result<()> {
    // EPERM: it leads a session already.
    let _ = setsid();
    Ok(steal(tty)?)
}

#[allow(unsafe_code)]
fn steal(tty: &File) -> nix::Result<()> {
    nix::ioctl_write_int_bad!(tiocsctty, nix::libc::TIOCSCTTY);
    // SAFETY: TIOCSCTTY (ioctl_tty(2)) takes an integer and touches no memory;
    // 1 takes the terminal from another session, which root may.
    unsafe { tiocsctty(tty.as_raw_fd(), 1) }.map(drop)
}

/// Puts process group `group` into the foreground of `tty`.
pub fn set_foreground(tty: &File, group: Pid) -> io::Result<()> {
    Ok(tcsetpgrp(tty, group)?)
}

/// Puts this process into the foreground of `tty`, with its settings restored
/// and Ctrl-C without effect: a stray one must not count as Ctrl-Alt-Del.
pub fn take_foreground(tty: &File, settings: Option<&Settings>) {
    if let Some(Settings(settings)) = settings {
        let mut settings = settings.clone();
        settings.local_flags.remove(LocalFlags::ISIG);
        let _ = termios::tcsetattr(tty, SetArg::TCSADRAIN, &settings);
    }
    let _ = tcsetpgrp(tty, getpid());
}

/// How a terminal treats what is typed and printed.
#[derive(Debug, Clone)]
pub struct Settings(Termios);

/// The settings of `tty` for line by line use; `None` if it is no terminal.
/// A serial line that a boot loader left in raw mode is made usable.
pub fn usual_settings(tty: &File) -> Option<Settings> {
    let mut settings = termios::tcgetattr(tty).ok()?;
    settings
        .input_flags
        .insert(InputFlags::ICRNL | InputFlags::IXON);
    settings
        .output_flags
        .insert(OutputFlags::OPOST | OutputFlags::ONLCR);
    settings.local_flags.insert(
        LocalFlags::ISIG
            | LocalFlags::ICANON
            | LocalFlags::ECHO
            | LocalFlags::ECHOE
            | LocalFlags::ECHOK
            | LocalFlags::IEXTEN,
    );
    settings
        .control_flags
        .insert(ControlFlags::CREAD | ControlFlags::CLOCAL);
    Some(Settings(settings))
}

/// Sets `settings` again, after what was printed has gone out.
pub fn apply(tty: &File, settings: &Settings) -> io::Result<()> {
    Ok(termios::tcsetattr(tty, SetArg::TCSADRAIN, &settings.0)?)
}

/// Makes `tty` carry bytes as they are: no newline translation, no echo.
/// What is not a terminal does so already.
pub fn set_raw(tty: &File) -> io::Result<()> {
    let mut settings = match termios::tcgetattr(tty) {
        Ok(settings) => settings,
        Err(nix::errno::Errno::ENOTTY) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    termios::cfmakeraw(&mut settings);
    settings
        .control_flags
        .insert(ControlFlags::CREAD | ControlFlags::CLOCAL);
    Ok(termios::tcsetattr(tty, SetArg::TCSANOW, &settings)?)
}

/// Waits until everything written to `tty` has been sent.
pub fn drain(tty: &File) {
    // ENOTTY: nothing is held back.
    let _ = termios::tcdrain(tty);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::{Read, Write};

    use nix::pty::openpty;

    use super::*;

    fn pair() -> (File, File) {
        let pty = openpty(None, None).unwrap();
        (pty.master.into(), pty.slave.into())
    }

    fn carried(master: &mut File, slave: &mut File) -> Vec<u8> {
        slave.write_all(b"a\nb").unwrap();
        let mut bytes = [0; 16];
        let count = master.read(&mut bytes).unwrap();
        bytes[..count].to_vec()
    }

    #[test]
    fn raw_carries_bytes_as_they_are_and_settings_come_back() {
        let (mut master, mut slave) = pair();
        let usual = usual_settings(&slave).unwrap();
        assert_eq!(carried(&mut master, &mut slave), b"a\r\nb");
        set_raw(&slave).unwrap();
        assert_eq!(carried(&mut master, &mut slave), b"a\nb");
        apply(&slave, &usual).unwrap();
        assert_eq!(carried(&mut master, &mut slave), b"a\r\nb");
    }

    #[test]
    fn what_is_no_terminal_is_taken_as_it_is() {
        let mut file = tempfile::tempfile().unwrap();
        set_raw(&file).unwrap();
        drain(&file);
        assert!(usual_settings(&file).is_none());
        take_foreground(&file, None);
        file.write_all(b"x").unwrap();
    }
}
