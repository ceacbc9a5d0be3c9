//! No false alarm: nothing is wrong, and nothing is found.

use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::lab;

/// Fails with what `elf` or `diagnose` has against the healthy `root`.
pub fn root(root: &Path) -> Result<()> {
    let (output, scan) = lifeboot("elf", root)?;
    tell(root, &scan)?;
    let broken = list(&scan, "broken")?;
    ensure!(broken.is_empty(), "broken: {:#}", scan["broken"]);
    ensure!(output.status.success(), "elf: {}", output.status);
    let (_, report) = lifeboot("diagnose", root)?;
    let findings = list(&report, "findings")?;
    ensure!(findings.is_empty(), "findings: {:#}", report["findings"]);
    Ok(())
}

/// Fails with the programs of this machine that a package brought and that
/// are said to be broken.
pub fn this_machine() -> Result<()> {
    let root = Path::new("/");
    let (_, scan) = lifeboot("elf", root)?;
    tell(root, &scan)?;
    let mut wrong = Vec::new();
    for broken in list(&scan, "broken")? {
        let path = broken["program"].as_str().context("a program's path")?;
        if is_packaged(path)? {
            wrong.push(broken);
        }
    }
    ensure!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

/// Tells what was looked at, which must be a whole system.
fn tell(root: &Path, scan: &Value) -> Result<()> {
    let programs = scan["programs"].as_u64().unwrap_or_default();
    let suspects = list(scan, "suspects")?.len();
    lab::progress::line(&format!(
        "{}: {programs} programs, {} libraries, {suspects} suspects, {} foreign",
        root.display(),
        scan["libraries"],
        scan["foreign"]
    ));
    ensure!(programs > 200, "only {programs} programs");
    Ok(())
}

/// A package may know `/usr/bin/x` as `/bin/x`.
fn is_packaged(path: &str) -> Result<bool> {
    for name in [path, path.strip_prefix("/usr").unwrap_or(path)] {
        let asked = Command::new("dpkg-query").args(["-S", name]).output();
        if asked.context("starting dpkg-query")?.status.success() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn lifeboot(command: &str, root: &Path) -> Result<(Output, Value)> {
    let output = Command::new(lab::LIFEBOOT)
        .args([command, "--json", "--root"])
        .arg(root)
        .output()
        .context("starting lifeboot")?;
    let answer = serde_json::from_slice(&output.stdout)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    Ok((output, answer))
}

fn list<'v>(answer: &'v Value, name: &str) -> Result<&'v Vec<Value>> {
    let list = answer[name].as_array();
    list.with_context(|| format!("no list {name}"))
}
