//! What PID 1 says: on the console, and into the kernel's log.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::sys::tty;

/// Stands before every line of PID 1.
const NAME: &str = "lifeboot-init";

/// The terminal that the operator sits at.
#[derive(Debug)]
pub struct Console {
    path: PathBuf,
}

impl Console {
    /// The active console: the last word of `/sys/class/tty/console/active`
    /// (kernel: `Documentation/ABI/testing/sysfs-tty`), else `/dev/console`.
    pub fn find() -> Self {
        let active = fs::read_to_string("/sys/class/tty/console/active").unwrap_or_default();
        let path = device_of(&active)
            .filter(|path| path.exists())
            .unwrap_or_else(|| PathBuf::from("/dev/console"));
        Self { path }
    }

    /// The device, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens it anew: a hang-up makes older handles useless.
    pub fn open(&self) -> io::Result<File> {
        tty::open(&self.path)
    }

    /// What `TERM` should be there.
    pub fn terminal_kind(&self) -> &'static str {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let screen = name
            .strip_prefix("tty")
            .is_some_and(|rest| rest.chars().all(|letter| letter.is_ascii_digit()));
        if screen { "linux" } else { "vt100" }
    }

    /// Prints one line, and writes it to the kernel's log.
    pub fn say(&self, line: &str) {
        self.print(&format!("{NAME}: {line}\n"));
        log(line);
    }

    /// Prints the beginning of a line that [`Console::end`] will end.
    pub fn begin(&self, start: &str) {
        self.print(&format!("{NAME}: {start}"));
    }

    /// Ends a line; the whole of it goes to the kernel's log.
    pub fn end(&self, start: &str, rest: &str) {
        self.print(&format!("{rest}\n"));
        log(&format!("{start}{rest}"));
    }

    /// Prints text as it is. A console that is gone cannot be told so.
    pub fn print(&self, text: &str) {
        if let Ok(mut file) = self.open() {
            let _ = file.write_all(text.as_bytes());
        }
    }
}

/// The path of the last console in the kernel's list.
fn device_of(active: &str) -> Option<PathBuf> {
    let name = active.split_ascii_whitespace().next_back()?;
    (!name.contains('/')).then(|| Path::new("/dev").join(name))
}

/// Writes to `/dev/kmsg` with level 6 (informational).
fn log(line: &str) {
    if let Ok(mut file) = OpenOptions::new().write(true).open("/dev/kmsg") {
        // One record is one write; the kernel takes about 1 KiB.
        let _ = file.write_all(format!("<6>{NAME}: {line}\n").as_bytes());
    }
}

/// Keeps the kernel's informational lines off the console, where they would
/// stand between questions and answers. They stay in the log. Who asks for them
/// on the command line gets them.
pub fn quieten_kernel() {
    let line = fs::read_to_string("/proc/cmdline").unwrap_or_default();
    let wanted = line
        .split_ascii_whitespace()
        .any(|word| matches!(word, "debug" | "ignore_loglevel") || word.starts_with("loglevel="));
    if !wanted {
        // Only errors and worse (Documentation/admin-guide/sysctl/kernel.rst).
        let _ = fs::write("/proc/sys/kernel/printk", "4");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(path: &str) -> Console {
        Console {
            path: PathBuf::from(path),
        }
    }

    #[test]
    fn the_last_active_console_is_ours() {
        for (active, expected) in [
            ("tty0 ttyS0\n", Some("/dev/ttyS0")),
            ("ttyS0 tty0\n", Some("/dev/tty0")),
            ("\n", None),
            ("", None),
            ("../sda\n", None),
        ] {
            assert_eq!(device_of(active), expected.map(PathBuf::from), "{active}");
        }
    }

    #[test]
    fn only_screens_are_linux_terminals() {
        assert_eq!(at("/dev/tty0").terminal_kind(), "linux");
        assert_eq!(at("/dev/tty1").terminal_kind(), "linux");
        assert_eq!(at("/dev/ttyS0").terminal_kind(), "vt100");
        assert_eq!(at("/dev/hvc0").terminal_kind(), "vt100");
        assert_eq!(at("/dev/ttyAMA0").terminal_kind(), "vt100");
    }

    #[test]
    fn a_console_that_is_gone_is_no_reason_to_fail() {
        at("/dev/no-such-console").print("x");
    }
}
