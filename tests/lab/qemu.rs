//! Starts virtual machines and hears what becomes of them.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::boot::{self, Boot};
use super::monitor::Monitor;
use super::serial::{Heard, Serial};
use super::uefi;

/// How long a machine without KVM may take to show how its boot ends, on a busy
/// host.
pub const PATIENCE: Duration = Duration::from_secs(400);

/// Without cmpxchg16b: QEMU 7.2 emulates it with wrong flags, and a 6.12
/// kernel, whose allocator uses it, then dies early or late. For the like
/// reason a guest has one processor: with two, a kernel that patched its own
/// code was seen to hang in it. Two machines at a time fill two cores anyway.
const CPU: &str = "max,cx16=off";

/// What the kernel says that got no timer interrupt in time.
const NO_TIMER: &str = "IO-APIC + timer doesn't work!";

/// How often a guest without a timer is started.
const TRIES: usize = 3;

/// The address that every lab server has, and the slot of the card that it
/// calls enp0s2 (tests/lab/base-root.sh).
const GUEST: &str = "192.0.2.10";
/// One that asks by DHCP gets that address as well.
const NETWORK: &str = "net=192.0.2.0/24,host=192.0.2.1,dhcpstart=192.0.2.10,restrict=on";
const CARD: &str = "virtio-net-pci,netdev=lan,addr=0x2";

/// How long a machine may take from its login prompt until sshd answers.
const SSH_PATIENCE: Duration = Duration::from_secs(90);

/// How a disk is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bus {
    /// An NVMe controller of its own.
    Nvme,
    /// An IDE port, with the ATA commands of a SATA disk. The cloud kernels of
    /// the lab have no AHCI driver; libata is the same below both.
    Ata,
    /// A SCSI disk behind virtio.
    Scsi,
}

/// A disk of a machine, with what is wrong with it.
#[derive(Debug, Clone)]
pub struct Drive {
    image: PathBuf,
    bus: Bus,
    serial: Option<String>,
    critical_warning: u8,
    bad_sectors: Vec<u64>,
}

impl Drive {
    /// A healthy disk.
    pub fn new(image: &Path, bus: Bus) -> Self {
        Self {
            image: image.to_owned(),
            bus,
            serial: None,
            critical_warning: 0,
            bad_sectors: Vec::new(),
        }
    }

    /// The same disk with this serial number.
    pub fn serial(mut self, serial: &str) -> Self {
        self.serial = Some(serial.to_owned());
        self
    }

    /// The same NVMe disk with these bits of the health log set.
    pub fn critical_warning(mut self, bits: u8) -> Self {
        self.critical_warning = bits;
        self
    }

    /// The same disk, on which reading this sector of 512 bytes fails.
    pub fn bad_sector(mut self, sector: u64) -> Self {
        self.bad_sectors.push(sector);
        self
    }

    /// QEMU's arguments for disk `number` of a machine; `in_order`: the firmware
    /// takes the disks in that order.
    fn arguments(&self, number: usize, in_order: bool) -> Vec<String> {
        let path = self.image.display().to_string().replace(',', ",,");
        let mut drive = format!("if=none,id=disk{number},format=raw,cache=unsafe,discard=unmap");
        if self.bad_sectors.is_empty() {
            drive.push_str(&format!(",file={path}"));
        } else {
            drive.push_str(&format!(
                ",file.driver=blkdebug,file.image.driver=file,file.image.filename={path}"
            ));
        }
        for (rule, sector) in self.bad_sectors.iter().enumerate() {
            let rule = format!("file.inject-error.{rule}");
            drive.push_str(&format!(
                ",{rule}.event=none,{rule}.iotype=read,{rule}.errno=5,{rule}.sector={sector}"
            ));
        }
        let lab = format!("lab{number}");
        let serial = self.serial.as_ref().unwrap_or(&lab);
        let mut device = match self.bus {
            Bus::Nvme => format!(
                "nvme,serial={serial},drive=disk{number},smart_critical_warning={}",
                self.critical_warning
            ),
            Bus::Ata => format!("ide-hd,serial={serial},drive=disk{number}"),
            Bus::Scsi => format!("scsi-hd,serial={serial},drive=disk{number}"),
        };
        if in_order {
            device.push_str(&format!(",bootindex={number}"));
        }
        vec!["-drive".into(), drive, "-device".into(), device]
    }
}

/// A machine that is not yet started.
#[derive(Debug, Clone)]
pub struct Machine {
    disks: Vec<Drive>,
    memory_mib: u32,
    direct: Option<Direct>,
    resets: bool,
    uefi: Option<PathBuf>,
    /// The port of its sshd, with a network card.
    network: Option<u16>,
    monitor: bool,
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
    keyboard: ChildStdin,
    serial: Serial,
    /// What [`Running::hear`] has used up of the console.
    heard: usize,
    /// The port of this host that leads to its sshd.
    ssh: Option<SocketAddr>,
    monitor: Option<Monitor>,
    /// What it wrote to its second serial line.
    pub data: PathBuf,
}

impl Machine {
    /// A machine with these disks as NVMe disks, booting from firmware.
    pub fn with_disks(disks: &[PathBuf]) -> Self {
        let drives = disks.iter().map(|disk| Drive::new(disk, Bus::Nvme));
        Self::with_drives(drives.collect())
    }

    /// A machine with these disks.
    pub fn with_drives(disks: Vec<Drive>) -> Self {
        Self {
            disks,
            memory_mib: 1024,
            direct: None,
            resets: false,
            uefi: None,
            network: None,
            monitor: false,
        }
    }

    /// The same machine, started with a kernel from outside.
    pub fn direct(mut self, direct: Direct) -> Self {
        self.direct = Some(direct);
        self
    }

    /// The same machine, which starts again after a reset, its memory kept.
    pub fn with_resets(mut self) -> Self {
        self.resets = true;
        self
    }

    /// The same machine with UEFI, whose variables are kept in this file, where
    /// one is given.
    pub fn uefi(mut self, variables: Option<PathBuf>) -> Self {
        self.uefi = variables;
        self
    }

    /// The same machine with a network card, over which only its sshd can be
    /// reached, and only from this host.
    pub fn network(mut self, port: u16) -> Self {
        self.network = Some(port);
        self
    }

    /// The same machine, with a monitor.
    pub fn with_monitor(mut self) -> Self {
        self.monitor = true;
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
        let ssh = self.network.map(|_| free_port()).transpose()?;
        let mut monitor = self.monitor.then(Monitor::new).transpose()?;
        let mut command = self.command(&data, ssh);
        if let Some(monitor) = &monitor {
            monitor.give_to(&mut command)?;
        }
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(complaints_file)
            .spawn()
            .context("starting qemu-system-x86_64")?;
        let console = process.stdout.take().context("QEMU without a console")?;
        let keyboard = process.stdin.take().context("QEMU without a keyboard")?;
        let serial = Serial::new(console, &logs.join(format!("{name}.log")))?;
        if let Some(monitor) = &mut monitor {
            monitor.begin()?;
        }
        Ok(Running {
            process,
            keyboard,
            serial,
            heard: 0,
            ssh,
            monitor,
            data,
        })
    }

    /// The two chips of a UEFI machine: firmware, and its variables.
    fn flash(&self) -> Vec<(usize, String, &'static str)> {
        let Some(variables) = &self.uefi else {
            return Vec::new();
        };
        vec![
            (0, uefi::CODE.to_owned(), ",readonly=on"),
            (1, variables.display().to_string(), ""),
        ]
    }

    /// Switches it on and waits for the end of its boot. On a host that is too
    /// busy a guest's kernel may find no timer, long before it sees a disk; then
    /// it is switched on again.
    pub fn boot(&self, logs: &Path, name: &str) -> Result<(Running, Boot)> {
        for _ in 0..TRIES {
            let mut running = self.start(logs, name)?;
            match running.boot() {
                Boot::Panic(words) if words.contains(NO_TIMER) => {}
                boot => return Ok((running, boot)),
            }
        }
        bail!("the host is too busy: {TRIES} times the guest found no timer")
    }

    fn has(&self, bus: Bus) -> bool {
        self.disks.iter().any(|disk| disk.bus == bus)
    }

    fn command(&self, data: &Path, ssh: Option<SocketAddr>) -> Command {
        let accel =
            std::env::var("LIFEBOOT_LAB_ACCEL").unwrap_or_else(|_| "tcg,thread=multi".to_owned());
        let mut qemu = Command::new("qemu-system-x86_64");
        // The IDE ports of q35 belong to an AHCI controller.
        let board = if self.has(Bus::Ata) { "pc" } else { "q35" };
        // The firmware's own text, and so that of GRUB's core, on the console.
        let machine = format!("{board},graphics=off");
        qemu.args(["-machine", &machine, "-accel", &accel, "-cpu", CPU])
            .args(["-smp", "1", "-m", &self.memory_mib.to_string()])
            .args(["-nodefaults", "-display", "none", "-nic", "none"])
            .args(["-chardev", "stdio,id=console,signal=off"])
            .args(["-serial", "chardev:console", "-serial"])
            .arg(format!("file:{}", data.display()));
        for (unit, file, more) in self.flash() {
            qemu.arg("-drive");
            qemu.arg(format!(
                "if=pflash,format=raw,unit={unit},file={file}{more}"
            ));
        }
        if !self.resets {
            qemu.arg("-no-reboot");
        }
        if self.has(Bus::Scsi) {
            qemu.args(["-device", "virtio-scsi-pci"]);
        }
        if let (Some(ssh), Some(port)) = (ssh, self.network) {
            let lan = format!("user,id=lan,{NETWORK},hostfwd=tcp:{ssh}-{GUEST}:{port}");
            qemu.args(["-netdev", &lan, "-device", CARD]);
        }
        for (number, disk) in self.disks.iter().enumerate() {
            // SeaBIOS takes the disk first that answered first. UEFI has an order
            // of its own in its variables.
            let in_order = self.direct.is_none() && self.uefi.is_none();
            qemu.args(disk.arguments(number, in_order));
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
    pub fn power_off(self, patience: Duration) -> Result<String> {
        self.end(patience, |text| match boot::end(text) {
            Some(Boot::Panic(words)) => Some(words),
            _ => None,
        })
    }

    /// [`Running::power_off`] of a machine that is meant to panic before.
    pub fn power_off_in_the_end(self, patience: Duration) -> Result<String> {
        self.end(patience, |_| None)
    }

    fn end(
        mut self,
        patience: Duration,
        failed: impl Fn(&str) -> Option<String>,
    ) -> Result<String> {
        match self.serial.wait(Instant::now() + patience, failed) {
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

    /// Waits until the console says `words`, after what was heard before.
    pub fn hear(&mut self, words: &str, patience: Duration) -> Result<()> {
        let end = |text: &str| Some(text.find(words)? + words.len());
        self.hear_end(words, end, patience)
    }

    /// The same for words that `find` finds in what is new; it tells their end.
    pub fn hear_end(
        &mut self,
        words: &str,
        find: impl Fn(&str) -> Option<usize>,
        patience: Duration,
    ) -> Result<()> {
        let from = self.heard;
        let end = |text: &str| Some(from + find(text.get(from..)?)?);
        match self.serial.wait(Instant::now() + patience, end) {
            Heard::Match(end) => {
                self.heard = end;
                Ok(())
            }
            Heard::Closed => bail!("the machine went off before it said {words:?}"),
            Heard::Late => bail!("the machine did not say {words:?} in {patience:?}"),
        }
    }

    /// Types `line` on the console.
    pub fn type_line(&mut self, line: &str) -> Result<()> {
        let typed = self.keyboard.write_all(format!("{line}\n").as_bytes());
        typed.and_then(|()| self.keyboard.flush()).context("typing")
    }

    /// From now on disk `number` of the machine is written to the next of these
    /// files, each of which has the disk's last one as its backing file: what it
    /// held at this moment stays as it is. All disks change over together.
    pub fn freeze_disks(&mut self, next: &[PathBuf]) -> Result<()> {
        let change = |(number, file): (usize, &PathBuf)| {
            json!({ "type": "blockdev-snapshot-sync", "data": {
                "device": format!("disk{number}"), "snapshot-file": file,
                "format": "qcow2", "mode": "existing",
            }})
        };
        let actions: Vec<Value> = next.iter().enumerate().map(change).collect();
        let monitor = self.monitor.as_mut().context("a machine without monitor")?;
        monitor.execute("transaction", &json!({ "actions": actions }))
    }

    /// The power is cut: SIGKILL for QEMU. What the machine had in its memory is
    /// gone, and what it had written to its disks is in the images.
    pub fn cut_power(mut self) -> Result<()> {
        self.process.kill().context("killing QEMU")?;
        self.process.wait().context("waiting for QEMU")?;
        Ok(())
    }

    /// Whether its sshd greets a caller over the network (RFC 4253, 4.2). The
    /// host takes the connection in any case, so only the greeting counts.
    pub fn ssh_answers(&self) -> bool {
        let deadline = Instant::now() + SSH_PATIENCE;
        while let Some(at) = self.ssh
            && Instant::now() < deadline
        {
            if greets(at).unwrap_or(false) {
                return true;
            }
            // The guest may not have its address yet; nobody tells when it has.
            std::thread::sleep(Duration::from_millis(500));
        }
        false
    }

    /// All that the console said so far.
    pub fn console(&self) -> &str {
        self.serial.text()
    }
}

/// Whether what listens at `at` is an SSH server.
fn greets(at: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(at)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut greeting = [0; 4];
    stream.read_exact(&mut greeting)?;
    Ok(greeting == *b"SSH-")
}

/// A port of this host that nobody uses.
fn free_port() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("looking for a port")?;
    listener.local_addr().context("looking for a port")
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
