//! Roots in the middle of an upgrade: what `lifeboot packages` counts is what
//! dpkg itself says, and the packages in the cache are what dpkg-deb reads.

mod lab;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use libtest_mimic::{Arguments, Trial};
use lifeboot::facts::packages::deb::{Deb, What};
use serde_json::Value;

use lab::dpkg::{self, packages};
use lab::half_upgrade::{self, HalfUpgrade};
use lab::mounts::Overlay;
use lab::report::Report;
use lab::suite::Suite;
use lab::{base, program, run};

/// So many packages of a cache are unpacked and compared file by file.
const UNPACKED: usize = 40;

fn main() -> ExitCode {
    let mut trials = Vec::new();
    for (name, upgrade) in [
        ("bullseye-bookworm", HalfUpgrade::BullseyeBookworm),
        ("bookworm-trixie", HalfUpgrade::BookwormTrixie),
    ] {
        trials.push(trial("standing", name, move |work| standing(upgrade, work)));
        trials.push(trial("deb", name, move |_| archives(upgrade)));
        trials.push(trial("cache", name, move |work| cache(upgrade, work)));
    }
    for suite in [Suite::Bullseye, Suite::Bookworm, Suite::Trixie] {
        trials.push(trial("quiet", suite.name(), move |_| quiet(suite)));
    }
    program::run_trials(Arguments::from_args(), Ok(trials))
}

fn trial(kind: &str, name: &str, case: impl FnOnce(&Path) -> Result<()> + Send + 'static) -> Trial {
    program::trial(format!("{kind}::{name}"), format!("{kind}-{name}"), case)
}

/// Every step is as far as dpkg says, nothing that is unfinished is left out, and
/// the diagnosis tells exactly that.
fn standing(upgrade: HalfUpgrade, work: &Path) -> Result<()> {
    let overlay = Overlay::over(&half_upgrade::root(upgrade)?, work)?;
    let unfinished = dpkg::agrees(overlay.path(), upgrade)?;
    ensure!(!unfinished.is_empty(), "nothing is unfinished");
    dpkg::expect_told(&Report::of_tree(overlay.path())?, overlay.path(), upgrade)
}

fn cached(root: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(root.join("var/cache/apt/archives"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "deb") {
            files.push(path);
        }
    }
    files.sort();
    ensure!(!files.is_empty(), "the cache is empty");
    Ok(files)
}

/// Each package is what dpkg-deb says of it, and brings what tar lists.
fn archives(upgrade: HalfUpgrade) -> Result<()> {
    let files = cached(&half_upgrade::root(upgrade)?)?;
    for (index, path) in files.iter().enumerate() {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut deb = Deb::open(file, length)
            .map_err(|fault| anyhow::anyhow!("{}: {fault}", path.display()))?;
        let control = deb
            .control()
            .map_err(|fault| anyhow::anyhow!("{}: {fault}", path.display()))?;
        let said = run::output(
            "asking dpkg-deb",
            Command::new("dpkg-deb")
                .args([
                    "--show",
                    "--showformat",
                    "${Package} ${Version} ${Architecture}",
                ])
                .arg(path),
        )?;
        let own = format!(
            "{} {} {}",
            control.package, control.version, control.architecture
        );
        ensure!(said == own, "{}: {said:?} and {own:?}", path.display());
        if index < UNPACKED {
            listed(&mut deb, path)?;
        }
    }
    Ok(())
}

/// Paths, kinds, sizes and link texts are those of `tar`.
fn listed(deb: &mut Deb<File>, path: &Path) -> Result<()> {
    let script = "dpkg-deb --fsys-tarfile \"$0\" | tar --quoting-style=literal -tvf - --full-time";
    let said = run::output(
        "listing with tar",
        Command::new("bash").args(["-c", script]).arg(path),
    )?;
    let mut own = Vec::new();
    deb.each_file(|entry, _| {
        let name = String::from_utf8_lossy(&entry.path).into_owned();
        let text = |link: &[u8]| String::from_utf8_lossy(link).into_owned();
        own.push(match &entry.what {
            What::Symlink(link) => format!("l {name} -> {}", text(link)),
            What::HardLink(link) => format!("h {name} link to {}", text(link)),
            What::Directory => format!("d {name}"),
            What::File => format!("- {} {name}", entry.size),
            What::Special => format!("? {name}"),
        });
        Ok(true)
    })
    .map_err(|fault| anyhow::anyhow!("{}: {fault}", path.display()))?;
    let lines = said.lines().map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        // MODE OWNER SIZE DATE TIME NAME...
        let name = words.get(5..).unwrap_or_default().join(" ");
        match line.chars().next() {
            Some('-') => format!("- {} {name}", words.get(2).unwrap_or(&"")),
            Some(kind) => format!("{kind} {name}"),
            None => name,
        }
    });
    let theirs: Vec<String> = lines.collect();
    ensure!(
        own == theirs,
        "{}: {:?} differ from tar's {:?}",
        path.display(),
        own.iter().find(|line| !theirs.contains(line)),
        theirs.iter().find(|line| !own.contains(line))
    );
    Ok(())
}

/// Packages in the cache that are cut off, empty, or changed in one byte.
fn cache(upgrade: HalfUpgrade, work: &Path) -> Result<()> {
    let overlay = Overlay::over(&half_upgrade::root(upgrade)?, work)?;
    let before = packages(overlay.path())?;
    let way = &before["standing"]["forward"];
    ensure!(way["cached"] == way["unpack"], "not all is cached: {way}");
    let untouched: Vec<String> = before["standing"]["steps"]
        .as_array()
        .context("no steps")?
        .iter()
        .filter(|step| step["progress"] == "untouched")
        .filter_map(|step| Some(format!("{}_", step["name"].as_str()?)))
        .collect();
    let files = cached(overlay.path())?;
    let needed: Vec<&PathBuf> = files
        .iter()
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            untouched.iter().any(|start| name.starts_with(start))
        })
        .collect();
    let [cut, empty, changed, gone, ..] = needed.as_slice() else {
        anyhow::bail!("too few packages are needed");
    };
    File::options()
        .write(true)
        .open(cut)?
        .set_len(fs::metadata(cut)?.len() - 1)?;
    File::create(empty)?;
    let mut bytes = fs::read(changed)?;
    let last = bytes.len() - 8;
    bytes[last] ^= 0x40;
    fs::write(changed, bytes)?;
    fs::remove_file(gone)?;
    let after = packages(overlay.path())?;
    let way = &after["standing"]["forward"];
    let damaged = way["damaged"].as_array().context("no list")?;
    ensure!(damaged.len() == 3, "damaged: {damaged:?}");
    for path in [cut, empty, changed] {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let told = damaged
            .iter()
            .any(|d| d.as_str().is_some_and(|d| d.ends_with(&name)));
        ensure!(told, "{name} is not among {damaged:?}");
    }
    let missing = way["missing"].as_array().context("no list")?;
    ensure!(missing.len() == 1, "missing: {missing:?}");
    ensure!(way["offered"] == 4, "the index offers {}", way["offered"]);
    Ok(())
}

/// A healthy root: nothing unfinished, one release, no way to go.
fn quiet(suite: Suite) -> Result<()> {
    let root = base::root(suite)?;
    let answer = packages(&root)?;
    let standing = &answer["standing"];
    ensure!(
        standing["from"] == standing["to"],
        "two releases: {standing}"
    );
    ensure!(
        standing["to"]["codename"] == suite.name(),
        "{}",
        standing["to"]
    );
    ensure!(
        standing["advice"].is_null(),
        "advice: {}",
        standing["advice"]
    );
    ensure!(
        answer["faults"] == Value::Array(Vec::new()),
        "{}",
        answer["faults"]
    );
    let known = answer["packages"].as_array().context("no packages")?.len();
    let theirs = dpkg::states(&root)?.len();
    ensure!(known == theirs, "{known} packages, dpkg knows {theirs}");
    Ok(())
}
