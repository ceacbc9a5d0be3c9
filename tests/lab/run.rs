//! Runs host programs; a failure tells the step, the command and its words.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// How much of a failed program's output an error message carries.
const TAIL_LINES: usize = 15;

/// Runs `command` to its end and gives its standard output.
pub fn output(step: &str, command: &mut Command) -> Result<String> {
    let result = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{step}: starting {command:?}"))?;
    let stdout = String::from_utf8_lossy(&result.stdout).into_owned();
    if !result.status.success() {
        let stderr = String::from_utf8_lossy(&result.stderr);
        bail!(
            "{step}: {command:?} ended with {}\n{}",
            result.status,
            tail(&format!("{stdout}{stderr}"))
        );
    }
    Ok(stdout)
}

/// Runs `command` with everything it says going to the file `log`.
pub fn logged(step: &str, log: &Path, command: &mut Command) -> Result<()> {
    let file = File::create(log).with_context(|| format!("{step}: creating {}", log.display()))?;
    let status = command
        .stdin(Stdio::null())
        .stdout(
            file.try_clone()
                .with_context(|| format!("{step}: sharing its log"))?,
        )
        .stderr(file)
        .status()
        .with_context(|| format!("{step}: starting {command:?}"))?;
    if !status.success() {
        let said = std::fs::read(log).unwrap_or_default();
        bail!(
            "{step}: {command:?} ended with {status}, log {}\n{}",
            log.display(),
            tail(&String::from_utf8_lossy(&said))
        );
    }
    Ok(())
}

/// Runs a strict bash `script` with `dir` as its working directory.
pub fn shell(step: &str, dir: &Path, script: &str) -> Result<()> {
    output(step, strict(script).current_dir(dir))?;
    Ok(())
}

/// A strict bash that runs `script`.
pub fn strict(script: &str) -> Command {
    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", script])
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("LC_ALL", "C");
    bash
}

/// The last lines of what a program said.
pub fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let start = lines.len().saturating_sub(TAIL_LINES);
    lines[start..].join("\n")
}
