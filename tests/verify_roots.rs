//! Whole Debian roots, healthy and broken: `packages --verify` says what
//! `dpkg --verify` says, line by line, and what `debsums` says, file by file.

mod lab;

#[path = "verify_roots/broken.rs"]
mod broken;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};

use anyhow::{Context, Result, ensure};
use libtest_mimic::{Arguments, Trial};
use serde_json::Value;

use lab::half_upgrade::{self, HalfUpgrade};
use lab::mounts::Overlay;
use lab::suite::Suite;
use lab::{base, program, run};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for suite in [Suite::Bullseye, Suite::Bookworm, Suite::Trixie] {
        trials.push(healthy(suite.name(), move || base::root(suite)));
    }
    for (name, upgrade) in [
        ("half-bullseye-bookworm", HalfUpgrade::BullseyeBookworm),
        ("half-bookworm-trixie", HalfUpgrade::BookwormTrixie),
    ] {
        let work = format!("verify-{name}");
        trials.push(program::trial(format!("dpkg::{name}"), work, move |_| {
            as_dpkg(&half_upgrade::root(upgrade)?).map(drop)
        }));
    }
    trials.extend(broken::ALL.iter().map(|broken| {
        let (name, work) = (broken.name, format!("verify-{}", broken.name));
        program::trial(format!("dpkg::{name}"), work, move |work| {
            let root = overlay(work, broken.script)?;
            let lines = as_dpkg(root.path())?;
            ensure!(lines.len() == broken.lines, "{lines:#?}");
            if broken.debsums {
                as_debsums(root.path(), &lines)?;
            }
            Ok(())
        })
    }));
    trials.extend(broken::MEANT.iter().map(|meant| {
        let (name, work) = (meant.name, format!("verify-{}", meant.name));
        program::trial(format!("meant::{name}"), work, move |work| {
            let root = overlay(work, meant.script)?;
            let theirs = dpkg(root.path())?;
            let ours = lines(&lifeboot(root.path(), &["--dpkg-format"])?);
            ensure!(theirs.status.success() != meant.dpkg_fails, "{theirs:?}");
            let only: Vec<_> = ours.difference(&lines(&theirs)).cloned().collect();
            ensure!(only == meant.only_ours, "{only:#?}");
            Ok(())
        })
    }));
    program::run_trials(arguments, Ok(trials))
}

/// Nothing is wrong with the root, by all three.
fn healthy(name: &str, root: impl FnOnce() -> Result<PathBuf> + Send + 'static) -> Trial {
    program::trial(
        format!("healthy::{name}"),
        format!("verify-{name}"),
        move |_| {
            let root = root()?;
            let lines = as_dpkg(&root)?;
            ensure!(lines.is_empty(), "{lines:#?}");
            as_debsums(&root, &lines)?;
            let answer = lifeboot(&root, &["--json"])?;
            let answer: Value = serde_json::from_slice(&answer.stdout)?;
            let count = |name: &str| answer[name].as_u64().unwrap_or_default();
            ensure!(count("read") > 7000, "only {} files", count("read"));
            ensure!(count("unread") == 0, "{} not read", count("unread"));
            Ok(())
        },
    )
}

fn overlay(work: &Path, script: &str) -> Result<Overlay> {
    let overlay = Overlay::over(&base::root(Suite::Bookworm)?, work)?;
    run::shell("breaking the root", overlay.path(), script)?;
    Ok(overlay)
}

/// The lines of both, which are the same.
fn as_dpkg(root: &Path) -> Result<BTreeSet<String>> {
    let theirs = dpkg(root)?;
    ensure!(theirs.status.success(), "dpkg: {theirs:?}");
    let ours = lifeboot(root, &["--dpkg-format"])?;
    let (ours, theirs) = (lines(&ours), lines(&theirs));
    let only_ours: Vec<_> = ours.difference(&theirs).collect();
    let only_theirs: Vec<_> = theirs.difference(&ours).collect();
    ensure!(
        only_ours.is_empty() && only_theirs.is_empty(),
        "only Lifeboot: {only_ours:#?}\nonly dpkg: {only_theirs:#?}"
    );
    Ok(ours)
}

/// The files that differ by `lines` are those that debsums calls changed.
fn as_debsums(root: &Path, lines: &BTreeSet<String>) -> Result<()> {
    let output = Command::new("debsums")
        .args(["--all", "--changed", "--root"])
        .arg(root)
        .env("LC_ALL", "C")
        .output()
        .context("starting debsums")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let inside = |line: &str| {
        let line = line.strip_prefix(&*root.to_string_lossy())?;
        Some(line.to_owned())
    };
    let theirs: BTreeSet<String> = text.lines().filter_map(inside).collect();
    let changed = lines.iter().filter(|line| line[..9].contains('5'));
    let ours: BTreeSet<String> = changed.map(|line| line[12..].to_owned()).collect();
    ensure!(
        ours == theirs,
        "Lifeboot: {ours:#?}\ndebsums: {theirs:#?}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

fn dpkg(root: &Path) -> Result<Output> {
    let mut option = std::ffi::OsString::from("--root=");
    option.push(root);
    let mut dpkg = Command::new("dpkg");
    dpkg.arg(option).arg("--verify").env("LC_ALL", "C");
    dpkg.output().context("starting dpkg")
}

fn lifeboot(root: &Path, options: &[&str]) -> Result<Output> {
    let mut lifeboot = Command::new(lab::LIFEBOOT);
    lifeboot.args(["packages", "--verify"]).args(options);
    let output = lifeboot.arg("--root").arg(root).output();
    let output = output.context("starting lifeboot")?;
    let code = output.status.code();
    ensure!(matches!(code, Some(0 | 40)), "{output:?}");
    Ok(output)
}

fn lines(output: &Output) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(str::to_owned).collect()
}
