//! What was foretold from the disks, against what the machine then did.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::boot::Boot;
use super::case::{Case, SSH_PORT};
use super::machine_level::{self, Patient};
use super::report::{Finding, Report};
use super::rescue::Rescue;
use super::suite::Suite;
use super::{LIFEBOOT, cache, run};

/// What the machine did: boots of a broken server are slow, and the same disks
/// always boot the same way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Did {
    /// How the boot ended.
    pub boot: Boot,
    /// Whether sshd then answered over the network.
    pub ssh: bool,
}

impl Did {
    /// True when people get in over the network.
    pub fn is_reached(&self) -> bool {
        self.boot == Boot::Login && self.ssh
    }

    /// The words of a row.
    pub fn words(&self) -> String {
        match (&self.boot, self.ssh) {
            (Boot::Login, true) => "login, ssh answers".to_owned(),
            (Boot::Login, false) => "login, ssh does not answer".to_owned(),
            (Boot::Panic(words), _) if words.len() > 40 => {
                format!(
                    "kernel panic: {}...",
                    words.chars().take(40).collect::<String>()
                )
            }
            // systemd writes its lines for a terminal.
            (boot, _) => console::strip_ansi_codes(&boot.to_string()).into_owned(),
        }
    }

    /// The stages whose faults end a boot like this.
    fn stages(&self) -> &'static [&'static str] {
        match &self.boot {
            Boot::Login => &["reach"],
            Boot::Firmware => &["firmware", "bootloader"],
            Boot::Loader(_) => &["bootloader", "kernel", "initramfs"],
            Boot::Panic(_) => &["kernel", "initramfs", "root", "init"],
            Boot::InitramfsShell(_) => &["initramfs", "storage", "root", "init"],
            Boot::BareShell(_) => &["root", "init"],
            Boot::Emergency => &["storage", "root", "services"],
            Boot::NoGetty(_) => &["services"],
            Boot::PowerOff | Boot::Silent => &["kernel", "initramfs", "init", "services"],
        }
    }
}

/// What a diagnosis foretells of a boot.
#[derive(Debug, Clone)]
pub struct Foretold {
    verdict: String,
    stage: Option<String>,
    /// Something stops the boot at that stage; otherwise PID 1 goes on, and
    /// what is broken there keeps everybody out.
    blocked: bool,
    ids: Vec<String>,
    /// Something lets nobody in, though sshd may answer.
    nobody: bool,
}

/// Findings with which sshd answers and lets nobody in; or answers to this
/// caller, who is in the same network, and to nobody behind a gateway.
const NOBODY: [&str; 5] = [
    "reach/nobody",
    "reach/nologin",
    "reach/login-broken",
    "reach/authorized-keys-refused",
    "reach/gateway-outside",
];

impl Foretold {
    /// By this report.
    pub fn by(report: &Report) -> Self {
        let stops = |finding: &&Finding| matches!(&*finding.severity, "blocker" | "unreachable");
        let stops = report.findings.iter().filter(stops);
        let mut ids: Vec<String> = stops.map(|finding| finding.id.clone()).collect();
        ids.dedup();
        let blocks = |finding: &Finding| finding.severity == "blocker";
        Self {
            blocked: report.findings.iter().any(blocks),
            verdict: report.verdict.kind.clone(),
            stage: report.verdict.first_broken.clone(),
            nobody: ids
                .iter()
                .any(|id| NOBODY.iter().any(|start| id.starts_with(start))),
            ids,
        }
    }

    /// The words of a row.
    pub fn words(&self) -> String {
        match &self.stage {
            None => format!("nothing stops it ({})", self.verdict),
            Some(stage) => format!("{stage}: {} ({})", self.ids.join(", "), self.verdict),
        }
    }

    /// Fails unless it is what the machine did.
    pub fn expect(&self, did: &Did) -> Result<()> {
        let reached = did.is_reached();
        let said = self.words();
        let done = did.words();
        match &self.stage {
            None => ensure!(reached, "foretold {said}, and the machine: {done}"),
            Some(stage) => {
                let stops_there = |stage: &str| did.stages().contains(&stage);
                let there = match self.blocked {
                    true => stops_there(stage),
                    false => stops_there("services") || stops_there("reach"),
                };
                ensure!(
                    there && (!reached || self.nobody),
                    "foretold {said}, and the machine: {done}"
                );
            }
        }
        if self.verdict == "boots" {
            ensure!(reached, "a false \"boots\": {done}");
        }
        Ok(())
    }
}

/// One row of the table.
#[derive(Debug, Clone)]
pub struct Row {
    name: String,
    before: (Foretold, Did),
    /// After `repair --yes`, where that changed anything.
    after: Option<(Foretold, Did)>,
}

impl Row {
    /// Breaks the server of `case`, foretells, boots; repairs what can be
    /// repaired without a question, foretells again, boots again.
    pub fn of(case: &Case, work: &Path) -> Result<Self> {
        let mut patient = Patient::of(case, work)?;
        let report = diagnosed(&patient)?;
        let did = first_boot(case, &patient)?;
        let before = (Foretold::by(&report), did);
        let stick = case.packages();
        let repairable =
            before.0.stage.is_some() && (stick.is_some() || !report.plan.repairs.is_empty());
        if let (true, Some(folder)) = (repairable, stick) {
            patient.add_stick(folder)?;
        }
        let after = match repairable && repaired(&patient, work)? {
            false => None,
            true => {
                let report = diagnosed(&patient)?;
                let (boot, ssh) = patient.reached("boot-after")?;
                Some((Foretold::by(&report), Did { boot, ssh }))
            }
        };
        Ok(Self {
            name: case.name.clone(),
            before,
            after,
        })
    }

    /// The row for people.
    pub fn line(&self) -> String {
        let (foretold, did) = &self.before;
        let mark = if self.expect().is_ok() { "" } else { " WRONG" };
        let after = self.after.as_ref().map_or_else(
            || "- | -".to_owned(),
            |(foretold, did)| format!("{} | {}", foretold.words(), did.words()),
        );
        format!(
            "| {}{mark} | {} | {} | {after} |",
            self.name,
            foretold.words(),
            did.words()
        )
    }

    /// Fails where the machine did something else than was foretold.
    pub fn expect(&self) -> Result<()> {
        self.before.0.expect(&self.before.1)?;
        match &self.after {
            Some((foretold, did)) => foretold.expect(did).context("after the repair"),
            None => Ok(()),
        }
    }
}

/// The boot of the broken server, kept for the next time.
fn first_boot(case: &Case, patient: &Patient) -> Result<Did> {
    let source = Patient::source(case)?.disks();
    let folder = source.first().and_then(|disk| disk.parent()?.file_name());
    let folder = folder.context("disks without a folder")?.to_string_lossy();
    let mut text = format!("{:?} {:?}", case.break_step, case.machine);
    if case.ssh_port != SSH_PORT {
        text.push_str(&format!(" {}", case.ssh_port));
    }
    if let Some(other) = case.other {
        text.push_str(&format!(" {other:?}"));
    }
    let name = format!("boot-{}", case.name.replace("::", "-"));
    let entry = cache::entry(&name, &[&folder, &text], |dir| {
        let (boot, ssh) = patient.reached("boot-before")?;
        let did = serde_json::to_string(&Did { boot, ssh })?;
        fs::write(dir.join("did.json"), did).context("keeping what the machine did")
    })?;
    let path = entry.join("did.json");
    let did = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_str(&did).with_context(|| format!("parsing {}", path.display()))
}

/// The diagnosis of the disks, here and not in a rescue system.
pub fn diagnosed(patient: &Patient) -> Result<Report> {
    Report::of(&mut lifeboot(patient, &["diagnose", "--json"]))
}

/// Repairs what can be, without a question, in the rescue system: this host has
/// no md driver, and without one a mirror is never written. True when something
/// was changed.
fn repaired(patient: &Patient, work: &Path) -> Result<bool> {
    let rescue = Rescue::build(Suite::Bookworm, Path::new(LIFEBOOT), work)?;
    let session = patient.rescue(&rescue, &[&*patient.repair_command()], "rescue-repair")?;
    Ok(is_committed(&machine_level::reports(&session.output)))
}

/// True when a repair that said this changed something.
pub fn is_committed(said: &[Value]) -> bool {
    let mut said = said.iter();
    said.any(|report| report["committed"]["outcome"] == "committed")
}

fn lifeboot(patient: &Patient, words: &[&str]) -> Command {
    let mut command = Command::new(LIFEBOOT);
    command.args(words);
    for disk in patient.disks() {
        command.arg("--disk").arg(disk);
    }
    command
}

/// The table of these rows, with its sums, as docs/corpus.md holds it.
pub fn table(mut rows: Vec<Row>) -> Result<String> {
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    let mut text = String::new();
    writeln!(text, "Made by lifeboot {}.\n", version()?)?;
    sums(&mut text, &rows)?;
    writeln!(
        text,
        "\n| case | foretold | the machine | after the repair | the machine |"
    )?;
    writeln!(text, "|---|---|---|---|---|")?;
    for row in &rows {
        writeln!(text, "{}", row.line())?;
    }
    Ok(text)
}

fn version() -> Result<String> {
    let said = run::output(
        "asking for the version",
        Command::new(LIFEBOOT).arg("--version"),
    )?;
    Ok(said.trim().trim_start_matches("lifeboot ").to_owned())
}

fn sums(text: &mut String, rows: &[Row]) -> Result<()> {
    let walks = || {
        rows.iter()
            .map(|row| &row.before)
            .chain(rows.iter().filter_map(|row| row.after.as_ref()))
    };
    let count = |stops: bool, reached: bool| {
        walks()
            .filter(|(foretold, did)| {
                foretold.stage.is_some() == stops && did.is_reached() == reached
            })
            .count()
    };
    writeln!(
        text,
        "| foretold | reached over the network | not reached |"
    )?;
    writeln!(text, "|---|---|---|")?;
    writeln!(
        text,
        "| nothing stops it | {} | {} |",
        count(false, true),
        count(false, false)
    )?;
    writeln!(
        text,
        "| something stops it | {} | {} |",
        count(true, true),
        count(true, false)
    )?;
    let right = rows
        .iter()
        .filter(|row| row.before.0.expect(&row.before.1).is_ok());
    let changed: Vec<_> = rows.iter().filter_map(|row| row.after.as_ref()).collect();
    let right_after = changed
        .iter()
        .filter(|(foretold, did)| foretold.expect(did).is_ok());
    let reached = changed.iter().filter(|(_, did)| did.is_reached());
    writeln!(
        text,
        "\n{} cases; verdict and stage as foretold in {}. {} of them were repaired without\n\
         a question: as foretold afterwards in {}, reached over the network in {}.",
        rows.len(),
        right.count(),
        changed.len(),
        right_after.count(),
        reached.count(),
    )?;
    Ok(())
}
