//! Whole Debian roots, healthy and broken: for each ELF file the answer of
//! `lifeboot elf` is that of the root's own loader, asked in a chroot.

mod lab;

#[path = "elf_roots/broken.rs"]
mod broken;
#[path = "elf_roots/quiet.rs"]
mod quiet;
#[path = "elf_roots/real.rs"]
mod real;
#[path = "elf_roots/rich.rs"]
mod rich;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use libtest_mimic::{Arguments, Trial};
use lifeboot::facts::elf::Closure;

use lab::half_upgrade::{self, HalfUpgrade};
use lab::mounts::Overlay;
use lab::suite::Suite;
use lab::{base, program, run};
use rich::Rich;

/// What lies outside of packages: bundles of many kinds, and other systems'.
const ODD: &str = include_str!("elf_roots/odd.sh");

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let all = program::is_corpus();
    // Whoever names one wants it.
    let slow = all || arguments.filter.is_some();
    let mut trials = vec![program::trial(
        "quiet::this-machine",
        "elf-this-machine".to_owned(),
        |_| quiet::this_machine(),
    )];
    for suite in [Suite::Bullseye, Suite::Bookworm, Suite::Trixie] {
        trials.push(agree(suite.name(), move || base::root(suite)));
        trials.push(quiet(suite.name(), move || base::root(suite)));
    }
    trials.push(program::trial(
        "quiet::odd",
        "quiet-odd".to_owned(),
        |work| {
            let overlay = Overlay::over(&base::root(Suite::Bookworm)?, work)?;
            run::shell("adding to the root", overlay.path(), ODD)?;
            quiet::root(overlay.path())
        },
    ));
    trials.push(quiet("openrc", || {
        base::root_of(Suite::Bookworm, base::Kind::OpenRc)
    }));
    for rich in Rich::ALL {
        let name = rich.to_string();
        let both = [
            agree(&name, move || rich.root()),
            quiet(&name, move || rich.root()),
        ];
        trials.extend(both.map(|trial| trial.with_ignored_flag(!slow)));
    }
    for (name, upgrade) in [
        ("half-bullseye-bookworm", HalfUpgrade::BullseyeBookworm),
        ("half-bookworm-trixie", HalfUpgrade::BookwormTrixie),
    ] {
        trials.push(agree(name, move || half_upgrade::root(upgrade)));
    }
    trials.extend(broken::ALL.iter().map(|broken| {
        let (name, work) = (broken.name, format!("elf-{}", broken.name));
        program::trial(format!("agree::{name}"), work, move |work| {
            let overlay = broken.root(work)?;
            broken.did_harm(&compare(overlay.path())?)
        })
    }));
    program::run_trials(arguments, Ok(trials))
}

/// The loader of the root says the same about each file.
fn agree(name: &str, root: impl FnOnce() -> Result<PathBuf> + Send + 'static) -> Trial {
    program::trial(format!("agree::{name}"), format!("elf-{name}"), move |_| {
        compare(&root()?).map(drop)
    })
}

/// The root is healthy, and nothing else is said about it.
fn quiet(name: &str, root: impl FnOnce() -> Result<PathBuf> + Send + 'static) -> Trial {
    program::trial(
        format!("quiet::{name}"),
        format!("quiet-{name}"),
        move |_| quiet::root(&root()?),
    )
}

/// Files asked about in one call.
const AT_ONCE: usize = 500;

/// What Lifeboot says about each file, which is what the loader says.
fn compare(root: &Path) -> Result<Vec<Closure>> {
    let files = real::elf_files(root)?;
    ensure!(files.len() > 500, "only {} ELF files", files.len());
    let mut differences = Vec::new();
    let mut all = Vec::new();
    for part in files.chunks(AT_ONCE) {
        let closures = answers(root, part)?;
        for (file, ours) in part.iter().zip(&closures) {
            let theirs = real::ask(root, file)?;
            if let Err(difference) = real::agreement(ours, &theirs) {
                differences.push(format!("{}: {difference:#}", ours.program));
            }
        }
        all.extend(closures);
    }
    lab::progress::line(&format!(
        "{}: {} files, {} differences",
        root.display(),
        files.len(),
        differences.len()
    ));
    differences.truncate(20);
    ensure!(differences.is_empty(), "{}", differences.join("\n"));
    Ok(all)
}

fn answers(root: &Path, files: &[real::ElfFile]) -> Result<Vec<Closure>> {
    let output = Command::new(lab::LIFEBOOT)
        .args(["elf", "--json", "--root"])
        .arg(root)
        .args(files.iter().map(|file| &file.path))
        .output()
        .context("starting lifeboot")?;
    let mut answer: serde_json::Value = serde_json::from_slice(&output.stdout)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    let closures: Vec<Closure> = serde_json::from_value(answer["programs"].take())?;
    ensure!(closures.len() == files.len(), "an answer for each file");
    Ok(closures)
}
