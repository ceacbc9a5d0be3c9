//! An upgrade that was killed or cut off: what was foretold, what the machine
//! did, and the same after a repair without a question and without a network.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use super::confusion::{Did, Foretold, diagnosed, is_committed};
use super::machine_level::Patient;
use super::{progress, run};

/// One row of the table.
#[derive(Debug)]
pub struct UpgradeRow {
    name: String,
    before: (Foretold, Did),
    after: Option<After>,
}

/// What the repair led to.
#[derive(Debug)]
struct After {
    foretold: Foretold,
    did: Did,
    /// What `dpkg --audit` says; nothing when all is well.
    audit: String,
    /// `VERSION_CODENAME` of os-release.
    release: String,
}

impl UpgradeRow {
    /// Foretells and boots `patient`; repairs it, foretells and boots again.
    pub fn of(name: &str, patient: &Patient) -> Result<Self> {
        let before = looked_at(patient, "boot-before")?;
        let began = Instant::now();
        let said = progress::step("  repairing", || patient.repair_here())?;
        let foretold = said
            .first()
            .map(|report| &report["before"]["verdict"]["minutes"]);
        progress::line(&format!(
            "  foretold were {} min, it took {:.1} on this host",
            foretold.map_or_else(|| "no".to_owned(), ToString::to_string),
            began.elapsed().as_secs_f64() / 60.0
        ));
        let after = match is_committed(&said) {
            false => None,
            true => Some(After::of(patient)?),
        };
        let row = Self {
            name: name.to_owned(),
            before,
            after,
        };
        progress::line(&row.line());
        Ok(row)
    }

    fn line(&self) -> String {
        let (foretold, did) = &self.before;
        let after = self.after.as_ref().map_or_else(
            || "- | - | -".to_owned(),
            |after| {
                let audit = match after.audit.is_empty() {
                    true => "clean",
                    false => "not clean",
                };
                let (foretold, did) = (after.foretold.words(), after.did.words());
                format!("{}, {audit} | {foretold} | {did}", after.release)
            },
        );
        let (foretold, did) = (foretold.words(), did.words());
        format!("| {} | {foretold} | {did} | {after} |", self.name)
    }

    /// Fails where something else was foretold than came, and where the repair
    /// did not bring the server back, with all its packages.
    pub fn expect(&self) -> Result<()> {
        self.before.0.expect(&self.before.1)?;
        let Some(after) = &self.after else {
            bail!("nothing was repaired");
        };
        let context = "after the repair";
        after.foretold.expect(&after.did).context(context)?;
        ensure!(after.audit.is_empty(), "{context}: {}", after.audit);
        ensure!(after.did.is_reached(), "{context}: {}", after.did.words());
        Ok(())
    }
}

impl After {
    fn of(patient: &Patient) -> Result<Self> {
        let (mut audit, mut release) = (String::new(), String::new());
        patient.look(|root| {
            audit = chroot(root, &["dpkg", "--audit"])?;
            let script = r#". /etc/os-release && echo "$VERSION_CODENAME""#;
            release = chroot(root, &["sh", "-c", script])?;
            Ok(())
        })?;
        let (foretold, did) = looked_at(patient, "boot-after")?;
        Ok(Self {
            foretold,
            did,
            audit,
            release,
        })
    }
}

/// The diagnosis sees the disks with their journal replayed, as in the rescue
/// image: this host may not be able to do that in memory.
fn looked_at(patient: &Patient, name: &str) -> Result<(Foretold, Did)> {
    let foretold = patient.settled(|settled| Ok(Foretold::by(&diagnosed(settled)?)))?;
    let (boot, ssh) = patient.reached(name)?;
    Ok((foretold, Did { boot, ssh }))
}

fn chroot(root: &Path, words: &[&str]) -> Result<String> {
    let mut command = Command::new("chroot");
    let said = run::output("asking the patient", command.arg(root).args(words))?;
    Ok(said.trim().to_owned())
}
