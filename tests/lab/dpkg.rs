//! What dpkg and apt themselves say of a half-upgraded tree, and that Lifeboot
//! says the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use walkdir::WalkDir;

use super::half_upgrade::HalfUpgrade;
use super::report::Report;
use super::suite::Suite;
use super::{LIFEBOOT, run};

const INTERRUPTED: &str = "packages/upgrade-interrupted";

/// The state and the version of each `name:architecture`; what was removed is
/// not there. A package that must be reinstalled is `broken`.
pub type States = BTreeMap<String, (String, String)>;

/// `lifeboot packages --json` of a tree.
pub fn packages(root: &Path) -> Result<Value> {
    let mut command = Command::new(LIFEBOOT);
    command.args(["packages", "--json", "--root"]).arg(root);
    let output = command.output().context("starting lifeboot")?;
    serde_json::from_slice(&output.stdout).with_context(|| {
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        format!("reading the answer; lifeboot said {words:?}")
    })
}

/// A copy of the database for dpkg of this machine: it merges `updates` when it
/// reads.
fn database(root: &Path) -> Result<tempfile::TempDir> {
    let copy = tempfile::tempdir()?;
    run::output(
        "copying the database",
        Command::new("cp")
            .arg("-a")
            .arg(root.join("var/lib/dpkg"))
            .arg(copy.path()),
    )?;
    Ok(copy)
}

fn admin(copy: &tempfile::TempDir) -> String {
    format!("--admindir={}", copy.path().join("dpkg").display())
}

/// What dpkg-query says.
pub fn states(root: &Path) -> Result<States> {
    let format = "${Package}:${Architecture} ${db:Status-Status} ${db:Status-Eflag} ${Version}\n";
    let copy = database(root)?;
    let mut command = Command::new("dpkg-query");
    command.arg(admin(&copy)).args(["-W", "-f", format]);
    let said = run::output("asking dpkg-query", &mut command)?;
    let mut found = BTreeMap::new();
    for line in said.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [name, state, flag, rest @ ..] = words.as_slice() else {
            continue;
        };
        if !matches!(*state, "not-installed" | "config-files") {
            let state = if *flag == "reinstreq" {
                "broken"
            } else {
                state
            };
            let version = rest.first().copied().unwrap_or_default();
            found.insert((*name).to_owned(), (state.to_owned(), version.to_owned()));
        }
    }
    Ok(found)
}

/// `lifeboot packages` of a tree agrees with dpkg-query and `dpkg --audit`: from
/// where to where, how far each package is, and what is unfinished. Gives the
/// names of the unfinished ones.
pub fn agrees(root: &Path, upgrade: HalfUpgrade) -> Result<BTreeSet<String>> {
    let answer = packages(root)?;
    let dpkg = states(root)?;
    let standing = &answer["standing"];
    let (from, to) = upgrade.ends();
    ensure!(
        standing["from"]["codename"] == from.name(),
        "{}",
        standing["from"]
    );
    ensure!(
        standing["to"]["codename"] == to.name(),
        "{}",
        standing["to"]
    );
    let steps = standing["steps"].as_array().context("no steps")?;
    let mut counted: BTreeMap<&str, usize> = BTreeMap::new();
    let mut unfinished = BTreeSet::new();
    for step in steps {
        let text = |field: &str| step[field].as_str();
        let name = text("name").context("a step without a name")?;
        let architecture = text("architecture").unwrap_or_default();
        let key = format!("{name}:{architecture}");
        let there = of(&dpkg, name, architecture);
        let expected = progress(there, text("new"));
        ensure!(
            text("progress") == Some(expected),
            "{key}: lifeboot says {:?}, dpkg {there:?}, thus {expected}",
            text("progress")
        );
        *counted.entry(expected).or_default() += 1;
        if there.is_some_and(|(state, _)| state != "installed") {
            unfinished.insert(name.to_owned());
        }
    }
    for (word, count) in counted {
        let said = &standing["counts"][word.replace('-', "_")];
        ensure!(*said == count, "{word}: {said} and not {count}");
    }
    let all = dpkg.iter().filter(|(_, (state, _))| state != "installed");
    for (key, state) in all {
        let name = key.split(':').next().unwrap_or(key);
        ensure!(unfinished.contains(name), "{key} {state:?} is no step");
    }
    audited(root, &unfinished)?;
    Ok(unfinished)
}

/// apt's history names the machine's architecture for `all`.
fn of<'a>(dpkg: &'a States, name: &str, architecture: &str) -> Option<&'a (String, String)> {
    let there = dpkg.get(&format!("{name}:{architecture}"));
    there.or_else(|| dpkg.get(&format!("{name}:all")))
}

/// How far a package is on its way to the version `new`.
fn progress(there: Option<&(String, String)>, new: Option<&str>) -> &'static str {
    match (there, new) {
        (None, None) => "removed",
        (Some(_), None) => "to-remove",
        (None, Some(_)) => "untouched",
        (Some((state, _)), _) if matches!(state.as_str(), "broken" | "half-installed") => "half",
        (Some((_, version)), Some(new)) if version != new => "untouched",
        (Some((state, _)), _) if state == "installed" => "done",
        (Some(_), _) => "unpacked",
    }
}

/// `dpkg --audit` names these, and no others.
pub fn audited(root: &Path, unfinished: &BTreeSet<String>) -> Result<()> {
    let copy = database(root)?;
    let mut command = Command::new("dpkg");
    command.arg(admin(&copy)).arg("--audit");
    let said = run::output("asking dpkg --audit", &mut command)?;
    // " libbpf1:amd64        eBPF helper library"
    let named: BTreeSet<String> = said
        .lines()
        .filter_map(|line| line.strip_prefix(' ')?.split_whitespace().next())
        .map(|name| name.split(':').next().unwrap_or(name).to_owned())
        .collect();
    ensure!(
        named == *unfinished,
        "only dpkg: {:?}, only lifeboot: {:?}",
        named.difference(unfinished).collect::<Vec<_>>(),
        unfinished.difference(&named).collect::<Vec<_>>()
    );
    Ok(())
}

/// Packages that the last run in apt's history was to bring, and how many of
/// them are at their new version and installed, as dpkg says.
fn planned_and_done(root: &Path, dpkg: &States) -> Result<(usize, usize)> {
    let path = root.join("var/log/apt/history.log");
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let last = text.split("\n\n").last().unwrap_or_default();
    let lists = last.lines().filter_map(|line| {
        line.strip_prefix("Install: ")
            .or_else(|| line.strip_prefix("Upgrade: "))
    });
    let (mut planned, mut done) = (0, 0);
    // name:architecture (new, automatic), name:architecture (old, new)
    for item in lists.flat_map(|list| list.split("), ")) {
        let (name, versions) = item.split_once(" (").context("an item without versions")?;
        let (name, architecture) = name.split_once(':').context("no architecture")?;
        let versions = versions.trim_end_matches(')').split(", ");
        let new = versions.filter(|word| *word != "automatic").last();
        planned += 1;
        if progress(of(dpkg, name, architecture), new) == "done" {
            done += 1;
        }
    }
    Ok((planned, done))
}

/// The title that packages/upgrade-interrupted must have; none when nothing is
/// left to do.
fn title(root: &Path, upgrade: HalfUpgrade) -> Result<Option<String>> {
    let dpkg = states(root)?;
    let unfinished = dpkg.values().any(|(state, _)| state != "installed");
    let (planned, done) = match planned_and_done(root, &dpkg)? {
        // A power cut emptied the log.
        (0, _) if !unfinished => return Ok(None),
        (0, _) => by_lists(root)?,
        logged => logged,
    };
    let (from, to) = upgrade.ends();
    Ok(match planned - done {
        0 if unfinished => bail!("all is upgraded and something is unfinished"),
        0 => None,
        left => Some(format!(
            "an upgrade from {} to {} stopped: {left} of {planned} packages are not done",
            label(from),
            label(to),
        )),
    })
}

/// Packages that apt's lists would bring, and how many of them are done:
/// [`agrees`] has compared each with dpkg.
fn by_lists(root: &Path) -> Result<(usize, usize)> {
    let counts = &packages(root)?["standing"]["counts"];
    let count = |field: &str| counts[field].as_u64().context("no such count");
    let (planned, done) = (count("planned")?, count("done")?);
    Ok((usize::try_from(planned)?, usize::try_from(done)?))
}

fn label(suite: Suite) -> &'static str {
    match suite {
        Suite::Bullseye => "Debian 11 (bullseye)",
        Suite::Bookworm => "Debian 12 (bookworm)",
        Suite::Trixie => "Debian 13 (trixie)",
        Suite::Forky => "Debian 14 (forky)",
    }
}

/// The ids of the stage `packages` that a tree must have whose upgrade was
/// killed, by what dpkg says and by what lies in the tree.
fn ids(root: &Path) -> Result<BTreeSet<&'static str>> {
    let mut ids = BTreeSet::new();
    let cut_off = |state: &str| matches!(state, "broken" | "half-installed");
    if states(root)?.values().any(|(state, _)| cut_off(state)) {
        ids.insert("packages/half-installed");
    }
    if !leftovers(root)?.is_empty() {
        ids.insert("packages/leftover-files");
    }
    Ok(ids)
}

/// What dpkg leaves beside the file that it replaces. /etc apart: there it puts
/// new configuration files aside.
fn leftovers(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let aside = root.join("etc");
    let entries = WalkDir::new(root).same_file_system(true).into_iter();
    for entry in entries.filter_entry(|entry| entry.path() != aside) {
        let path = entry.context("looking for leftovers")?.into_path();
        let ending = path.extension().and_then(|ending| ending.to_str());
        if matches!(ending, Some("dpkg-new" | "dpkg-tmp")) {
            found.push(path);
        }
    }
    Ok(found)
}

/// Of the stage `packages` a diagnosis tells exactly what dpkg's database and
/// the tree say, with dpkg's own counts.
pub fn expect_told(report: &Report, root: &Path, upgrade: HalfUpgrade) -> Result<()> {
    expect_counts(report, root, upgrade)?;
    let told: BTreeSet<&str> = report
        .ids()
        .into_iter()
        .filter(|id| id.starts_with("packages/"))
        .collect();
    let mut expected = ids(root)?;
    if title(root, upgrade)?.is_some() {
        expected.insert(INTERRUPTED);
    }
    ensure!(told == expected, "told {told:?}, dpkg says {expected:?}");
    Ok(())
}

/// A diagnosis and `lifeboot packages` count as dpkg does.
pub fn expect_counts(report: &Report, root: &Path, upgrade: HalfUpgrade) -> Result<()> {
    agrees(root, upgrade)?;
    let title = title(root, upgrade)?;
    let mut said = report.findings.iter().filter(|f| f.id == INTERRUPTED);
    let said = said.next().map(|finding| &finding.title);
    ensure!(
        said == title.as_ref(),
        "said {said:?}, dpkg counts {title:?}"
    );
    Ok(())
}
