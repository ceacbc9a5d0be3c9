//! Reads the JSON report of `lifeboot diagnose`, as a script would.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

use super::LIFEBOOT;

/// The part of the report that the lab looks at.
#[derive(Debug, Deserialize)]
pub struct Report {
    /// The answer.
    pub verdict: Verdict,
    /// Why.
    pub findings: Vec<Finding>,
    /// What could be done about it.
    pub plan: Plan,
}

/// What could be done.
#[derive(Debug, Deserialize)]
pub struct Plan {
    /// One by one.
    pub repairs: Vec<Value>,
}

/// The answer.
#[derive(Debug, Deserialize)]
pub struct Verdict {
    /// `boots`, `repairable`, `reformat`, `hardware-first`, `undetermined`.
    pub kind: String,
    /// The stage at which the boot stops.
    pub first_broken: Option<String>,
}

/// One thing that is wrong.
#[derive(Debug, Deserialize)]
pub struct Finding {
    /// Its stable name.
    pub id: String,
    /// What it does to the boot.
    pub severity: String,
    /// It in one sentence.
    pub title: String,
}

impl Report {
    /// What this command, a `lifeboot diagnose --json`, reports.
    pub fn of(command: &mut Command) -> Result<Self> {
        let output = command.output().context("starting lifeboot")?;
        let said = String::from_utf8_lossy(&output.stdout);
        let (report, _) = Self::first(&said).with_context(|| {
            let words = String::from_utf8_lossy(&output.stderr).into_owned();
            format!("reading the report; lifeboot said {words:?}")
        })?;
        Ok(report)
    }

    /// The diagnosis of a tree.
    pub fn of_tree(root: &Path) -> Result<Self> {
        let mut command = Command::new(LIFEBOOT);
        Self::of(command.args(["diagnose", "--json", "--root"]).arg(root))
    }

    /// The report at the start of `text`, and what follows it.
    pub fn first(text: &str) -> Result<(Self, &str)> {
        let mut reports = serde_json::Deserializer::from_str(text).into_iter();
        let report = reports
            .next()
            .context("no report where one should be")?
            .with_context(|| format!("reading a JSON report from: {:.300}", text))?;
        let rest = &text[reports.byte_offset()..];
        Ok((report, rest))
    }

    /// The ids of all findings, sorted, each once.
    pub fn ids(&self) -> Vec<&str> {
        let mut ids: Vec<&str> = self
            .findings
            .iter()
            .map(|found| found.id.as_str())
            .collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Fails unless verdict and finding ids are exactly these, and the exit
    /// code is the verdict's.
    pub fn expect(&self, findings: &[String], verdict: &str, exit_code: i32) -> Result<()> {
        let mut expected: Vec<&str> = findings.iter().map(String::as_str).collect();
        expected.sort_unstable();
        let found: Vec<String> = self
            .findings
            .iter()
            .map(|found| format!("{} ({}): {}", found.id, found.severity, found.title))
            .collect();
        ensure!(
            self.ids() == expected && self.verdict.kind == verdict,
            "expected verdict {verdict:?} and findings {expected:?},\n\
             found verdict {:?} and\n  {}",
            self.verdict.kind,
            found.join("\n  ")
        );
        let code = exit_code_of(verdict)?;
        ensure!(
            exit_code == code,
            "verdict {verdict:?} has exit code {code}, it ended with {exit_code}"
        );
        Ok(())
    }
}

/// The public table of exit codes.
pub fn exit_code_of(verdict: &str) -> Result<i32> {
    Ok(match verdict {
        "boots" => 0,
        "repairable" => 10,
        "reformat" => 20,
        "hardware-first" => 30,
        "undetermined" => 40,
        other => anyhow::bail!("no such verdict: {other:?}"),
    })
}
