//! The rescue image: a Debian kernel, its modules, and `lifeboot` as `/init`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use walkdir::WalkDir;

use super::base::{self, Kernel};
use super::cpio::Archive;
use super::legs::Legs;
use super::modules::Modules;
use super::mounts::Overlay;
use super::qemu::{Bus, Direct, Drive, Machine, Running};
use super::suite::Suite;
use super::{cache, run};

/// Enough for a technician's smallest rescue system.
const MEMORY_MIB: u32 = 512;

/// How long one rescue session may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// A repair rehearses in memory what packages of an upgrade change.
const REPAIR_MEMORY_MIB: u32 = 2048;

/// The patient's own programs work for a long time in an emulated machine.
const REPAIR_PATIENCE: Duration = Duration::from_secs(3600);

/// A statically linked shell, put into the image where the host has one.
const BUSYBOX: &str = "/bin/busybox";

/// A rescue system that can be booted on any disks.
#[derive(Debug)]
pub struct Rescue {
    kernel: PathBuf,
    initramfs: PathBuf,
}

/// What one rescue session said and did.
#[derive(Debug)]
pub struct Session {
    /// Standard output of all commands, one after the other.
    pub output: String,
    /// Exit codes of the commands, in their order.
    pub exit_codes: Vec<i32>,
    /// Where the console was logged.
    pub log: PathBuf,
}

impl Rescue {
    /// Builds the image with the kernel of `suite` and the program `lifeboot`
    /// into the folder `dir`.
    pub fn build(suite: Suite, lifeboot: &Path, dir: &Path) -> Result<Self> {
        Self::with_files(suite, lifeboot, &[], dir)
    }

    /// [`Rescue::build`] with one more file, such as a key, in the image.
    pub fn with_file(
        suite: Suite,
        lifeboot: &Path,
        file: (&str, &[u8]),
        dir: &Path,
    ) -> Result<Self> {
        Self::with_files(suite, lifeboot, &[file], dir)
    }

    fn with_files(
        suite: Suite,
        lifeboot: &Path,
        files: &[(&str, &[u8])],
        dir: &Path,
    ) -> Result<Self> {
        let root = base::root(suite)?;
        let kernel = base::kernel(&root)?;
        let packed = packed_modules(suite, &root, &kernel)?;

        fs::create_dir_all(dir).with_context(|| format!("creating {}", dir.display()))?;
        let path = dir.join(format!("rescue-{suite}.initramfs"));
        let mut image = programs(lifeboot, files)?;
        image.extend(fs::read(&packed).with_context(|| format!("reading {}", packed.display()))?);
        fs::write(&path, image).with_context(|| format!("writing {}", path.display()))?;
        Ok(Self {
            kernel: kernel.image,
            initramfs: path,
        })
    }

    /// The size of the image in bytes.
    pub fn size(&self) -> Result<u64> {
        let path = &self.initramfs;
        let data = fs::metadata(path).with_context(|| format!("looking at {}", path.display()))?;
        Ok(data.len())
    }

    /// Boots it on `disks`, runs `commands` in order and switches off.
    pub fn run(
        &self,
        disks: &[PathBuf],
        commands: &[&str],
        logs: &Path,
        name: &str,
    ) -> Result<Session> {
        let drives = disks.iter().map(|disk| Drive::new(disk, Bus::Nvme));
        self.run_with(drives.collect(), commands, logs, name)
    }

    /// The same with disks that may have faults.
    pub fn run_with(
        &self,
        drives: Vec<Drive>,
        commands: &[&str],
        logs: &Path,
        name: &str,
    ) -> Result<Session> {
        self.run_on_machine(Machine::with_drives(drives), commands, logs, name)
    }

    /// The same on a machine.
    pub fn run_on_machine(
        &self,
        machine: Machine,
        commands: &[&str],
        logs: &Path,
        name: &str,
    ) -> Result<Session> {
        let running = self.start(machine, commands, logs, name)?;
        let patience = match repairs(commands) {
            true => REPAIR_PATIENCE,
            false => PATIENCE,
        };
        let data = running.data.clone();
        let log = logs.join(format!("{name}.log"));
        let console = running
            .power_off(patience)
            .with_context(|| format!("rescue session {name}, see {}", log.display()))?;
        let output = fs::read(&data).with_context(|| format!("reading {}", data.display()))?;
        let session = Session {
            output: without_firmware(&String::from_utf8_lossy(&output)).to_owned(),
            exit_codes: exit_codes(&console),
            log,
        };
        anyhow::ensure!(
            session.exit_codes.len() == commands.len(),
            "{} of {} commands ended, see {}",
            session.exit_codes.len(),
            commands.len(),
            session.log.display()
        );
        Ok(session)
    }

    /// Switches the machine on with it: it runs `commands` in order and
    /// switches off.
    pub fn start(
        &self,
        machine: Machine,
        commands: &[&str],
        logs: &Path,
        name: &str,
    ) -> Result<Running> {
        let mut line = "console=ttyS0 quiet panic=-1 lifeboot.out=/dev/ttyS1".to_owned();
        for command in commands {
            line.push_str(&format!(" lifeboot.cmd=\"{command}\""));
        }
        line.push_str(" lifeboot.then=poweroff");
        let memory = match repairs(commands) {
            true => REPAIR_MEMORY_MIB,
            false => MEMORY_MIB,
        };
        machine
            .memory_mib(memory)
            .direct(Direct {
                kernel: self.kernel.clone(),
                initramfs: self.initramfs.clone(),
                command_line: line,
            })
            .start(logs, name)
    }

    /// The same on both legs of `legs`.
    pub fn run_on(
        &self,
        legs: &Legs,
        commands: &[&str],
        logs: &Path,
        name: &str,
    ) -> Result<Session> {
        self.run(&legs.disks(), commands, logs, name)
    }
}

/// True when one of the commands repairs.
fn repairs(commands: &[&str]) -> bool {
    commands.iter().any(|command| command.starts_with("repair"))
}

/// OVMF clears the screen on every serial line, before the kernel has it.
fn without_firmware(text: &str) -> &str {
    const HOME: &str = "\u{1b}[01;01H";
    text.rfind(HOME).map_or(text, |at| &text[at + HOME.len()..])
}

/// From the supervisor's lines `lifeboot-init: "..." ended with exit code 10`.
pub fn exit_codes(console: &str) -> Vec<i32> {
    console
        .lines()
        .filter_map(|line| {
            let (_, rest) = line.split_once("lifeboot-init: ")?;
            let (_, code) = rest.split_once(" ended with exit code ")?;
            code.trim().parse().ok()
        })
        .collect()
}

/// The first, uncompressed part of the image: it changes with each build.
fn programs(lifeboot: &Path, files: &[(&str, &[u8])]) -> Result<Vec<u8>> {
    // What a debugger wants is most of a test's binary, and fills the memory of
    // a small machine together with OVMF.
    let stripped = tempfile::NamedTempFile::new()?;
    run::output(
        "leaving out what a debugger wants",
        Command::new("objcopy")
            .arg("--strip-all")
            .arg(lifeboot)
            .arg(stripped.path()),
    )?;
    let program = fs::read(stripped.path()).context("reading the program for the image")?;
    let mut archive = Archive::new(Vec::new());
    for folder in ["dev", "proc", "sys", "run", "tmp", "bin", "etc"] {
        archive.folder(folder)?;
    }
    archive.program("init", &program)?;
    archive.link("bin/lifeboot", "/init")?;
    if let Ok(busybox) = fs::read(BUSYBOX) {
        archive.program("bin/busybox", &busybox)?;
        archive.link("bin/sh", "busybox")?;
    }
    for (path, content) in files {
        archive.file(path, content)?;
    }
    let mut bytes = archive.finish()?;
    // The kernel looks for the next part at a multiple of four.
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    Ok(bytes)
}

/// The second part: `/lib/modules/RELEASE`, compressed, kept in the cache.
fn packed_modules(suite: Suite, root: &Path, kernel: &Kernel) -> Result<PathBuf> {
    let modules = Modules::of(root, &kernel.release)?;
    let selection = modules.selection()?;
    let list: Vec<&str> = selection.iter().map(String::as_str).collect();
    let mut inputs = vec![kernel.release.as_str()];
    inputs.extend(&list);
    let entry = cache::entry(&format!("modules-{suite}"), &inputs, |dir| {
        // The server's own depmod: it knows how its modules are compressed.
        let overlay = Overlay::over(root, &dir.join("overlay"))?;
        let stage = overlay.path().join("stage");
        modules.copy_to(&selection, &stage.join("lib/modules").join(&kernel.release))?;
        run::output(
            "listing the chosen modules",
            Command::new("chroot")
                .arg(overlay.path())
                .args(["depmod", "-b", "/stage", &kernel.release])
                .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
        )?;
        let path = dir.join("modules.cpio");
        let file = File::create(&path).with_context(|| format!("creating {}", path.display()))?;
        pack(&stage, file).with_context(|| format!("writing {}", path.display()))?;
        run::output(
            "compressing the modules",
            Command::new("zstd").args(["-q", "-10", "--rm"]).arg(&path),
        )?;
        Ok(())
    })?;
    Ok(entry.join("modules.cpio.zst"))
}

fn pack(stage: &Path, out: File) -> Result<()> {
    let mut archive = Archive::new(std::io::BufWriter::new(out));
    for entry in WalkDir::new(stage).min_depth(1).sort_by_file_name() {
        let entry = entry?;
        let path = entry.path().strip_prefix(stage)?;
        let name = path.to_str().context("a path that is no text")?;
        if entry.file_type().is_dir() {
            archive.folder(name)?;
        } else {
            archive.file(name, &fs::read(entry.path())?)?;
        }
    }
    archive.finish()?.into_inner()?;
    Ok(())
}
