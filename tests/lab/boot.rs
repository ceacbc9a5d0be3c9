//! How far a machine got, read from its console.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The end of one boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Boot {
    /// A login prompt on the serial console.
    Login,
    /// The kernel gave up; its own words.
    Panic(String),
    /// The initramfs found no root or no init and opened its shell.
    InitramfsShell(String),
    /// The initramfs found no init and started the root's own shell instead.
    BareShell(String),
    /// systemd went to emergency or rescue mode.
    Emergency,
    /// The firmware found nothing to start: UEFI opened its own shell, BIOS gave
    /// up.
    Firmware,
    /// GRUB could not load its files or the kernel.
    Loader(String),
    /// systemd goes on, but no login prompt can come.
    NoGetty(String),
    /// The machine switched itself off.
    PowerOff,
    /// Nothing decisive was seen before the deadline.
    Silent,
}

/// What a case expects of a boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expect {
    /// The login prompt.
    Login,
    /// Anything but the login prompt, as long as it is a definite end.
    Stopped,
    /// Exactly a firmware that finds nothing to start.
    Firmware,
    /// Exactly the prompt of GRUB.
    Loader,
    /// Exactly a kernel panic.
    Panic,
    /// Exactly the shell of the initramfs.
    InitramfsShell,
    /// Exactly the root's shell in the place of init.
    BareShell,
    /// Exactly emergency mode.
    Emergency,
    /// Exactly a systemd that cannot give a login prompt.
    NoGetty,
}

impl Expect {
    /// Whether `boot` is what was expected.
    pub fn fits(self, boot: &Boot) -> bool {
        match self {
            Self::Login => *boot == Boot::Login,
            Self::Stopped => !matches!(boot, Boot::Login | Boot::Silent | Boot::PowerOff),
            Self::Firmware => *boot == Boot::Firmware,
            Self::Loader => matches!(boot, Boot::Loader(_)),
            Self::Panic => matches!(boot, Boot::Panic(_)),
            Self::InitramfsShell => matches!(boot, Boot::InitramfsShell(_)),
            Self::BareShell => matches!(boot, Boot::BareShell(_)),
            Self::Emergency => *boot == Boot::Emergency,
            Self::NoGetty => matches!(boot, Boot::NoGetty(_)),
        }
    }
}

impl fmt::Display for Boot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Login => f.write_str("login prompt"),
            Self::Panic(words) => write!(f, "kernel panic: {words}"),
            Self::InitramfsShell(words) => write!(f, "initramfs shell: {words}"),
            Self::BareShell(_) => f.write_str("no init, only a bare shell"),
            Self::Emergency => f.write_str("emergency mode"),
            Self::Firmware => f.write_str("the firmware finds nothing to start"),
            Self::Loader(words) => write!(f, "boot loader: {words}"),
            Self::NoGetty(words) => write!(f, "no login prompt: {words}"),
            Self::PowerOff => f.write_str("switched itself off"),
            Self::Silent => f.write_str("no login prompt in time"),
        }
    }
}

/// The end of the boot, as soon as the console shows it.
pub fn end(console: &str) -> Option<Boot> {
    // SeaBIOS moves the cursor in the middle of GRUB's words, as its timer ticks.
    let console = &*console::strip_ansi_codes(console);
    if console.contains(" login: ") {
        return Some(Boot::Login);
    }
    if let Some(words) = line_after(console, "Kernel panic - not syncing: ") {
        return Some(Boot::Panic(words));
    }
    // dracut's last words before its own shell.
    if console.contains("(initramfs) ") || console.contains("/run/initramfs/rdsosreport.txt") {
        return Some(Boot::InitramfsShell(initramfs_complaint(console)));
    }
    if console.contains("job control turned off\r\n# ") {
        return Some(Boot::BareShell(initramfs_complaint(console)));
    }
    if console.contains("You are in emergency mode") || console.contains("You are in rescue mode") {
        return Some(Boot::Emergency);
    }
    if let Some(line) = console.lines().find(|line| keeps_getty_away(line)) {
        return Some(Boot::NoGetty(line.trim().to_owned()));
    }
    if console.contains("Shell> ") || console.contains("No bootable device") {
        return Some(Boot::Firmware);
    }
    // The menu, which nobody sees at first, after an entry that failed.
    let menu = console.contains("you need to load the kernel first")
        && console.contains("GNU GRUB  version");
    if menu || console.contains("grub rescue> ") || console.contains("grub> ") {
        let words = line_after(console, "error: ").unwrap_or_default();
        return Some(Boot::Loader(words));
    }
    None
}

/// True for systemd's words about the console's getty, or about udevd, without
/// which the console is no device for systemd.
fn keeps_getty_away(line: &str) -> bool {
    let getty = line.contains("Dependency failed for") && line.contains("Serial Getty");
    getty || line.contains("systemd-udevd.service: Start request repeated too quickly")
}

/// The last thing the initramfs said before it opened its shell.
fn initramfs_complaint(console: &str) -> String {
    const COMPLAINTS: [&str; 4] = [
        "No init found",
        "dracut-initqueue timeout",
        "Target filesystem doesn't have",
        "does not exist.  Dropping to a shell!",
    ];
    console
        .lines()
        .find(|line| COMPLAINTS.iter().any(|words| line.contains(words)))
        .unwrap_or("no reason given")
        .trim()
        .to_owned()
}

fn line_after(console: &str, mark: &str) -> Option<String> {
    let (_, rest) = console.split_once(mark)?;
    // Only a whole line: its end may still be on the wire.
    let (line, _) = rest.split_once('\n')?;
    Some(line.trim().to_owned())
}
