//! Cases at tree level: a broken directory tree, diagnosed in about a second.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::case::{Case, Level, Repaired};
use super::manifest::Manifest;
use super::mounts::Overlay;
use super::report::Report;
use super::{LIFEBOOT, base, half_upgrade, schemas};

/// Runs `case` at tree level.
pub fn run(case: &Case, level: &Level, work: &Path) -> Result<()> {
    let lower = match case.half_upgrade {
        Some(upgrade) => half_upgrade::root(upgrade)?,
        None => base::root_of(case.base, case.server)?,
    };
    let overlay = Overlay::over(&lower, work)?;
    case.break_tree(overlay.path())?;

    let diagnosis = diagnose(overlay.path(), work, "diagnose")?;
    diagnosis.expect(&level.findings, &level.verdict)?;
    for words in &level.says {
        ensure!(
            diagnosis.said.contains(words),
            "the report does not say {words:?}; see {}",
            work.join("diagnose.stdout").display()
        );
    }
    if !level.history.is_empty() {
        history(level, overlay.path(), work)?;
    }
    match &level.repaired {
        Some(repaired) => repair(repaired, overlay.path(), work),
        None => Ok(()),
    }
}

/// `lifeboot history` must say all of this, in this order, on a narrow screen.
fn history(level: &Level, patient: &Path, work: &Path) -> Result<()> {
    let arguments: &[&str] = match level.history_all {
        true => &["history", "--all"],
        false => &["history"],
    };
    let said = lifeboot(patient, work, "history", arguments)?.stdout;
    let wide = said.lines().find(|line| line.len() > 80);
    ensure!(wide.is_none(), "wider than 80 columns: {wide:?}");
    let (_, timeline) = said
        .split_once("TIMELINE")
        .with_context(|| format!("no timeline in {said}"))?;
    // Lines are broken where a word ends.
    let flat = timeline.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut rest = flat.as_str();
    for word in &level.history {
        let (_, after) = rest
            .split_once(word.as_str())
            .with_context(|| format!("{word:?} is not, or not in order, in\n{said}"))?;
        rest = after;
    }
    Ok(())
}

fn repair(repaired: &Repaired, patient: &Path, work: &Path) -> Result<()> {
    let before = Manifest::of(patient)?;
    let folder = repaired
        .packages
        .as_ref()
        .map(|folder| patient.join(folder));
    let folder = folder.map(|folder| folder.display().to_string());
    let mut words = vec!["repair", "--yes", "--json"];
    words.extend(folder.iter().flat_map(|folder| ["--packages", folder]));
    lifeboot(patient, work, "repair", &words)?;
    diagnose(patient, work, "diagnose-again")?
        .expect(&repaired.findings, &repaired.verdict)
        .context("after the repair")?;
    repaired.check_tree(patient)?;
    if repaired.undo {
        let log = lifeboot(patient, work, "log", &["log", "--json"])?.stdout;
        let log: serde_json::Value = serde_json::from_str(&log)?;
        schemas::check(&log)?;
        let repairs = log["repairs"].as_array().context("no list of repairs")?;
        ensure!(!repairs.is_empty(), "nothing was repaired");
        for _ in repairs {
            let undone = lifeboot(patient, work, "undo", &["undo", "--yes"])?;
            ensure!(undone.code == 0, "undo ended with {}", undone.code);
        }
        before
            .expect_same(&Manifest::of(patient)?)
            .context("after the undo")?;
    }
    Ok(())
}

/// A report and the exit code it came with.
struct Diagnosis {
    report: Report,
    said: String,
    code: i32,
}

impl Diagnosis {
    fn expect(&self, findings: &[String], verdict: &str) -> Result<()> {
        self.report.expect(findings, verdict, self.code)
    }
}

/// `lifeboot diagnose`, which must not change a bit of the tree.
fn diagnose(patient: &Path, work: &Path, name: &str) -> Result<Diagnosis> {
    let ended = lifeboot(patient, work, name, &["diagnose", "--json"])?;
    let (report, _) = Report::first(&ended.stdout)
        .with_context(|| format!("see {}", work.join(name).display()))?;
    schemas::check(&serde_json::from_str(&ended.stdout)?)?;
    Ok(Diagnosis {
        report,
        said: ended.stdout,
        code: ended.code,
    })
}

struct Ended {
    stdout: String,
    code: i32,
}

/// Runs the program on the tree, keeping what it said in `work`.
fn lifeboot(patient: &Path, work: &Path, name: &str, words: &[&str]) -> Result<Ended> {
    let result = Command::new(LIFEBOOT)
        .args(words)
        .arg("--root")
        .arg(patient)
        .stdin(Stdio::null())
        .output()
        .context("starting lifeboot")?;
    fs::write(work.join(format!("{name}.stdout")), &result.stdout)?;
    fs::write(work.join(format!("{name}.stderr")), &result.stderr)?;
    let code = result
        .status
        .code()
        .with_context(|| format!("lifeboot {words:?} was killed: {}", result.status))?;
    ensure!(
        code != 1 && code != 2,
        "lifeboot {words:?} failed with {code}: {}",
        String::from_utf8_lossy(&result.stderr)
    );
    Ok(Ended {
        stdout: String::from_utf8_lossy(&result.stdout).into_owned(),
        code,
    })
}
