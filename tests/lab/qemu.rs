//! Starts virtual machines and hears what becomes of them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::boot::{self, Boot};
use super::serial::{Heard, Serial};

/// How long a machine without KVM may take to show how its boot ends.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// Without cmpxchg16b: QEMU 7.2 emulates it with wrong flags, and a 6.12
/// kernel, whose allocator uses it, then dies early or late. For the like
/// reason a guest has one processor: with two, a kernel that patched its own
/// code was seen to hang in it. Two machines at a time fill two cores anyway.
const CPU: &str = "max,cx16=off";

/// A machine that is not yet started.
#[derive(Debug, Clone)]
pub struct Machine {
    disks: Vec<PathBuf>,
    memory_mib: u32,
    direct: Option<Direct>,
}

/// A kernel that QEMU loads itself, without firmware and boot loader.
#[derive(Debug, Clone)]
pub struct Direct {
    /// The kernel image.
    pub kernel: PathBuf,
    /// The initramfs.
    pub initramfs: PathBuf,
    /// The kernel command line.
    pub command_line: String,
}

/// A machine that runs; dropping it switches it off.
#[derive(Debug)]
pub struct Running {
    process: Child,
    serial: Serial,
    /// What it wrote to its second serial line.
    pub data: PathBuf,
}

impl Machine {
    /// A machine with these disks as NVMe disks, booting from firmware.
    pub fn with_disks(disks: &[PathBuf]) -> Self {
        Self {
            disks: disks.to_vec(),
            memory_mib: 1024,
            direct: None,
        }
    }

    /// The same machine, started with a kernel from outside.
    pub fn direct(mut self, direct: Direct) -> Self {
        self.direct = Some(direct);
        self
    }

    /// The same machine with this much memory.
    pub fn memory_mib(mut self, mib: u32) -> Self {
        self.memory_mib = mib;
        self
    }

    /// Switches it on. Its console goes to `LOGS/NAME.log`, its second serial
    /// line to `LOGS/NAME.out`, QEMU's own complaints to `LOGS/NAME.qemu`.
    pub fn start(&self, logs: &Path, name: &str) -> Result<Running> {
        fs::create_dir_all(logs).with_context(|| format!("creating {}", logs.display()))?;
        let data = logs.join(format!("{name}.out"));
        let complaints = logs.join(format!("{name}.qemu"));
        let complaints_file = File::create(&complaints)
            .with_context(|| format!("creating {}", complaints.display()))?;
        let mut process = self
            .command(&data)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(complaints_file)
            .spawn()
            .context("starting qemu-system-x86_64")?;
        let console = process.stdout.take().context("QEMU without a console")?;
        let serial = Serial::new(console, &logs.join(format!("{name}.log")))?;
        Ok(Running {
            process,
            serial,
            data,
        })
    }

    fn command(&self, data: &Path) -> Command {
        let accel =
            std::env::var("LIFEBOOT_LAB_ACCEL").unwrap_or_else(|_| "tcg,thread=multi".to_owned());
        let mut qemu = Command::new("qemu-system-x86_64");
        qemu.args(["-machine", "q35", "-accel", &accel, "-cpu", CPU])
            .args(["-smp", "1", "-m", &self.memory_mib.to_string()])
            .args(["-nodefaults", "-display", "none", "-nic", "none"])
            .args(["-no-reboot", "-chardev", "stdio,id=console,signal=off"])
            .args(["-serial", "chardev:console", "-serial"])
            .arg(format!("file:{}", data.display()));
        for (number, disk) in self.disks.iter().enumerate() {
            let path = disk.display().to_string().replace(',', ",,");
            qemu.arg("-drive")
                .arg(format!(
                    "file={path},format=raw,if=none,id=disk{number},\
                     cache=unsafe,discard=unmap"
                ))
                .arg("-device")
                .arg(format!("nvme,serial=lab{number},drive=disk{number}"));
        }
        if let Some(direct) = &self.direct {
            qemu.arg("-kernel").arg(&direct.kernel);
            qemu.arg("-initrd").arg(&direct.initramfs);
            qemu.arg("-append").arg(&direct.command_line);
        }
        qemu
    }
}

impl Running {
    /// Waits for the end of the boot, at most [`PATIENCE`].
    pub fn boot(&mut self) -> Boot {
        match self.serial.wait(Instant::now() + PATIENCE, boot::end) {
            Heard::Match(boot) => boot,
            Heard::Closed => Boot::PowerOff,
            Heard::Late => Boot::Silent,
        }
    }

    /// Waits until the machine has switched itself off and gives its console.
    pub fn power_off(mut self, patience: Duration) -> Result<String> {
        let panic = |text: &str| match boot::end(text) {
            Some(Boot::Panic(words)) => Some(words),
            _ => None,
        };
        match self.serial.wait(Instant::now() + patience, panic) {
            Heard::Closed => {}
            Heard::Match(words) => bail!("the kernel gave up: {words}"),
            Heard::Late => bail!("the machine did not switch itself off in {patience:?}"),
        }
        let status = self.process.wait().context("waiting for QEMU")?;
        if !status.success() {
            bail!("QEMU ended with {status}");
        }
        Ok(self.serial.text().to_owned())
    }

    /// All that the console said so far.
    pub fn console(&self) -> &str {
        self.serial.text()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
