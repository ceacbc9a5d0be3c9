//! Cases at machine level: broken disks, booted from firmware before and after.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::boot::{Boot, Expect};
use super::case::{Case, MachineLevel, Repaired, SSH_PORT};
use super::legs::{Legs, MEMBER_BYTES};
use super::manifest::Manifest;
use super::qemu::{Bus, Drive, Machine};
use super::report::Report;
use super::rescue::{Rescue, Session};
use super::suite::Suite;
use super::{LIFEBOOT, disks, dpkg, half_upgrade, progress, run, stick, uefi};

/// The patient of one case: its disks and where its logs go.
#[derive(Debug)]
pub struct Patient {
    legs: Legs,
    present: usize,
    work: PathBuf,
    /// What the firmware of a UEFI machine keeps.
    variables: Option<PathBuf>,
    ssh_port: u16,
    /// A disk with packages beside its own, in the rescue system.
    stick: Option<PathBuf>,
}

impl Patient {
    /// Fresh disks of `case`'s server, broken as the case says.
    pub fn of(case: &Case, work: &Path) -> Result<Self> {
        let source = Self::source(case)?;
        let legs = source.copy_to(work)?;
        let level = case.machine.as_ref();
        let uefi = case.is_uefi();
        if uefi {
            uefi::convert(&legs, work)?;
        }
        // A mount for writing would replay the journal.
        if case.break_step.is_some() {
            legs.change(&work.join("mnt"), |root| case.break_tree(root))?;
        }
        if let Some(script) = level.and_then(|level| level.break_esp.as_ref()) {
            uefi::change(&legs, work, script)?;
        }
        if let Some(script) = level.and_then(|level| level.break_second.as_ref()) {
            let line = format!("disk={}\n{script}", legs.disks()[1].display());
            run::shell("breaking the second disk", work, &line)?;
        }
        Ok(Self {
            legs,
            present: level.map_or(2, |level| level.disks),
            work: work.to_owned(),
            variables: uefi.then(|| uefi::variables(work)).transpose()?,
            ssh_port: case.ssh_port,
            stick: None,
        })
    }

    /// The disks before they are broken.
    pub fn source(case: &Case) -> Result<Legs> {
        match (&case.power_cut, case.half_upgrade) {
            (Some(cut), _) => cut.disks(&case.name),
            (None, Some(upgrade)) => half_upgrade::disks(upgrade),
            (None, None) => disks::of(case.base, case.server),
        }
    }

    /// A server with these disks.
    pub fn with(legs: Legs, work: &Path) -> Self {
        Self {
            legs,
            present: 2,
            work: work.to_owned(),
            variables: None,
            ssh_port: SSH_PORT,
            stick: None,
        }
    }

    /// Puts the packages in `folder` of its root on a stick for the technician.
    pub fn add_stick(&mut self, folder: &str) -> Result<()> {
        let mounted = self.legs.look(&self.work.join("mnt"))?;
        let stick = stick::with(&mounted.path().join(folder), &self.work)?;
        mounted.unmount()?;
        self.stick = Some(stick);
        Ok(())
    }

    /// The command that repairs it without a question.
    pub fn repair_command(&self) -> String {
        let packages = self.stick.as_ref().map(|_| stick::NAME);
        let packages = packages.map_or_else(String::new, |name| format!(" --packages {name}"));
        format!("repair --yes --json{packages}")
    }

    /// The disks that the machine has.
    pub fn disks(&self) -> Vec<PathBuf> {
        let mut disks = self.legs.disks();
        disks.truncate(self.present);
        disks
    }

    /// Boots it from firmware through its own boot loader, and switches off.
    pub fn boot(&self, name: &str) -> Result<Boot> {
        let machine = Machine::with_disks(&self.disks()).uefi(self.variables.clone());
        let (_, boot) = machine.boot(&self.work, name)?;
        Ok(boot)
    }

    /// How it ends, and whether sshd then answers over the network, on copies of
    /// the disks that are thrown away.
    pub fn reached(&self, name: &str) -> Result<(Boot, bool)> {
        let copy = self.copy(name)?;
        let machine = Machine::with_disks(&copy.disks()).uefi(copy.variables.clone());
        let (running, boot) = machine.network(self.ssh_port).boot(&self.work, name)?;
        let answers = boot == Boot::Login && running.ssh_answers();
        drop(running);
        self.remove_copy(name)?;
        Ok((boot, answers))
    }

    /// [`Patient::boot`], on copies of the disks that are thrown away.
    pub fn trial_boot(&self, name: &str) -> Result<Boot> {
        let boot = self.copy(name)?.boot(name);
        self.remove_copy(name)?;
        boot
    }

    /// The same server, with copies of its disks.
    fn copy(&self, name: &str) -> Result<Self> {
        Ok(Self {
            legs: self
                .legs
                .copy_to(&self.work.join(format!("{name}-disks")))?,
            present: self.present,
            work: self.work.clone(),
            variables: self.variables.clone(),
            ssh_port: self.ssh_port,
            stick: None,
        })
    }

    fn remove_copy(&self, name: &str) -> Result<()> {
        let dir = self.work.join(format!("{name}-disks"));
        fs::remove_dir_all(&dir).with_context(|| format!("removing {}", dir.display()))
    }

    /// The same with its second disk alone.
    fn trial_boot_of_second(&self, name: &str) -> Result<Boot> {
        let dir = self.work.join(format!("{name}-disks"));
        let second = self.legs.copy_to(&dir)?.disks().split_off(1);
        let machine = Machine::with_disks(&second).uefi(self.variables.clone());
        let (_, boot) = machine.boot(&self.work, name)?;
        std::fs::remove_dir_all(&dir).with_context(|| format!("removing {}", dir.display()))?;
        Ok(boot)
    }

    /// What lies before the array members: tables, boot code, GRUB.
    fn starts(&self) -> Result<Vec<Vec<u8>>> {
        let start = |disk: PathBuf| {
            let mut bytes = vec![0; usize::try_from(MEMBER_BYTES)?];
            File::open(&disk)?.read_exact(&mut bytes)?;
            Ok(bytes)
        };
        self.legs.disks().into_iter().map(start).collect()
    }

    /// A rescue session on its disks.
    pub fn rescue(&self, rescue: &Rescue, commands: &[&str], name: &str) -> Result<Session> {
        let drives = self.disks();
        let drives = drives.iter().map(|disk| Drive::new(disk, Bus::Nvme));
        let stick = self.stick.iter().map(|stick| Drive::new(stick, Bus::Scsi));
        let machine = Machine::with_drives(drives.chain(stick).collect());
        let machine = machine.uefi(self.variables.clone());
        rescue.run_on_machine(machine, commands, &self.work, name)
    }

    /// A rescue session that must leave every bit of both disks as it is.
    pub fn rescue_unchanged(
        &self,
        rescue: &Rescue,
        commands: &[&str],
        name: &str,
    ) -> Result<(Session, Vec<String>)> {
        let before = self.legs.digests()?;
        let mut session = self.rescue(rescue, commands, name)?;
        if controller_stood_still(&session.log)? {
            progress::line(&format!("{name}: QEMU's NVMe stood still, once more"));
            session = self.rescue(rescue, commands, &format!("{name}-2"))?;
        }
        let after = self.legs.digests()?;
        ensure!(
            before == after,
            "{name} changed the disks: SHA-256 before {before:?}, after {after:?}"
        );
        Ok((session, after))
    }

    /// All of its root filesystem, read from the first leg.
    pub fn manifest(&self) -> Result<Manifest> {
        let mounted = self.legs.look(&self.work.join("mnt"))?;
        let manifest = Manifest::of(mounted.path())?;
        mounted.unmount()?;
        Ok(manifest)
    }

    /// Runs `look` on its root filesystem with its journal replayed, on a copy.
    pub fn look_settled(&self, look: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        self.settled(|copy| copy.look(look))
    }

    /// Runs `look` on a copy of it with its journal replayed.
    pub fn settled<T>(&self, look: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        let copy = self.copy("settled")?;
        copy.legs.change(&self.work.join("mnt"), |_| Ok(()))?;
        let found = look(&copy)?;
        self.remove_copy("settled")?;
        Ok(found)
    }

    /// Repairs it without a question here, on its root filesystem: an emulated
    /// machine takes twenty times as long for what the patient's programs do.
    /// Gives what `lifeboot repair --json` said.
    pub fn repair_here(&self) -> Result<Vec<Value>> {
        let mut said = String::new();
        self.legs.change(&self.work.join("mnt"), |root| {
            let mut repair = Command::new(LIFEBOOT);
            repair
                .args(["repair", "--yes", "--json", "--root"])
                .arg(root);
            let output = repair.output().context("starting lifeboot repair")?;
            fs::write(self.work.join("repair.err"), &output.stderr)?;
            fs::write(self.work.join("repair.json"), &output.stdout)?;
            said = String::from_utf8_lossy(&output.stdout).into_owned();
            Ok(())
        })?;
        Ok(reports(&said))
    }

    /// Runs `look` on its root filesystem, mounted read-only.
    pub fn look(&self, look: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
        let mounted = self.legs.look(&self.work.join("mnt"))?;
        look(mounted.path())?;
        mounted.unmount()
    }
}

/// Fails unless the boot ended as expected.
pub fn expect_boot(expected: Expect, boot: &Boot, when: &str) -> Result<()> {
    ensure!(
        expected.fits(boot),
        "{when}: expected the boot to end as {expected:?}, seen: {boot}"
    );
    Ok(())
}

/// Runs `case` at machine level.
pub fn run(case: &Case, level: &MachineLevel, work: &Path) -> Result<()> {
    let suite = level.rescue.unwrap_or(Suite::Bookworm);
    let rescue = Rescue::build(suite, Path::new(LIFEBOOT), work)?;
    let mut patient = Patient::of(case, work)?;
    expect_boot(level.boot, &patient.trial_boot("boot-before")?, "before")?;

    let (session, _) =
        patient.rescue_unchanged(&rescue, &["diagnose --json"], "rescue-diagnose")?;
    let report = expect_report(
        &session,
        0,
        &session.output,
        &level.findings,
        &level.verdict,
    )?;
    if let Some(cut) = &case.power_cut {
        patient.look_settled(|root| dpkg::expect_counts(&report, root, cut.upgrade))?;
    }
    match &level.repaired {
        Some(repaired) => {
            if let Some(folder) = &repaired.packages {
                patient.add_stick(folder)?;
            }
            repair(&patient, &rescue, repaired)
        }
        None => Ok(()),
    }
}

fn repair(patient: &Patient, rescue: &Rescue, repaired: &Repaired) -> Result<()> {
    let (before, starts) = (patient.manifest()?, patient.starts()?);
    patient.rescue(rescue, &[&*patient.repair_command()], "rescue-repair")?;
    let session = patient.rescue(rescue, &["diagnose --json"], "rescue-diagnose-again")?;
    expect_report(
        &session,
        0,
        &session.output,
        &repaired.findings,
        &repaired.verdict,
    )
    .context("after the repair")?;
    patient.look(|root| repaired.check_tree(root))?;
    if let Some(expected) = repaired.boot {
        expect_boot(
            expected,
            &patient.trial_boot("boot-after")?,
            "after the repair",
        )?;
    }
    if let Some(expected) = repaired.second_alone {
        let boot = patient.trial_boot_of_second("boot-second-alone")?;
        expect_boot(expected, &boot, "repaired, the second disk alone")?;
    }
    if repaired.undo {
        let session = patient.rescue(rescue, &["undo --yes"], "rescue-undo")?;
        ensure!(
            session.exit_codes == [0],
            "undo ended with {:?}",
            session.exit_codes
        );
        before
            .expect_same(&patient.manifest()?)
            .context("after the undo")?;
        ensure!(
            starts == patient.starts()?,
            "after the undo the disks begin otherwise than before the repair"
        );
    }
    Ok(())
}

/// The documents that `repair --json` printed, one after the other.
pub fn reports(said: &str) -> Vec<Value> {
    let documents = serde_json::Deserializer::from_str(said).into_iter::<Value>();
    documents.map_while(Result::ok).collect()
}

fn expect_report(
    session: &Session,
    command: usize,
    text: &str,
    findings: &[String],
    verdict: &str,
) -> Result<Report> {
    let (report, _) =
        Report::first(text).with_context(|| format!("see {}", session.log.display()))?;
    report
        .expect(findings, verdict, session.exit_codes[command])
        .with_context(|| format!("console in {}", session.log.display()))?;
    Ok(report)
}

/// True when the kernel had to reset the emulated controller (NVMe base
/// specification, "Command Aborted By Host"): QEMU answered nothing for a minute,
/// and the patient's disks have no fault. Lifeboot rightly tells the lost reads.
pub fn controller_stood_still(log: &Path) -> Result<bool> {
    let log = fs::read(log).with_context(|| format!("reading {}", log.display()))?;
    Ok(String::from_utf8_lossy(&log).contains("I/O Error (sct 0x3 / sc 0x71)"))
}
