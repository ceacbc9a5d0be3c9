//! What tells of a release: os-release, base-files, the C library, apt's
//! sources, and the versions that the last run of apt was to bring.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::plan::Plan;
use super::releases::{self, Family, Known};
use crate::facts::packages::Dpkg;
use crate::facts::packages::apt::{Apt, Source};
use crate::sys::root_dir::RootDir;

/// The most bytes of os-release.
const OS_MAX: u64 = 64 << 10;

/// So many packages of another release mean nothing.
pub(super) const FEW: usize = 2;

/// One sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Sign {
    /// The file that tells.
    pub source: String,
    /// What it says.
    pub says: String,
    /// The release that this means.
    pub codename: String,
    /// Whether that release is on the disk, and not only to come.
    pub on_disk: bool,
}

/// All of them.
pub(super) fn collect(root: &RootDir, dpkg: &Dpkg, apt: &Apt, plan: &Plan) -> Vec<Sign> {
    let mut signs = Vec::new();
    let Some(family) = os_release(root, &mut signs) else {
        return signs;
    };
    packages(dpkg, family, &mut signs);
    planned(plan, family, &mut signs);
    marks(dpkg, family, &mut signs);
    sources(apt, family, &mut signs);
    signs
}

/// The oldest and the newest release of the signs. The newest is never taken
/// from the C library or from marks alone: people pin single packages.
pub(super) fn ends(signs: &[Sign]) -> (Option<&'static Known>, Option<&'static Known>) {
    let known = |sign: &Sign| releases::by_codename(&sign.codename);
    let on_disk = signs.iter().filter(|sign| sign.on_disk).filter_map(known);
    let from = on_disk.min_by_key(|known| known.place());
    let others = signs.iter().filter(|sign| {
        let alone = sign.says.starts_with("libc6 ") || sign.says.ends_with("its mark");
        !alone || sign.source.contains("history")
    });
    let to = others.filter_map(known).max_by_key(|known| known.place());
    (from, to)
}

fn os_release(root: &RootDir, signs: &mut Vec<Sign>) -> Option<Family> {
    let path = "/usr/lib/os-release";
    let text = [path, "/etc/os-release"]
        .iter()
        .find_map(|path| root.read_text(path, OS_MAX).ok())?;
    let field = |key: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
            .map(|value| value.trim().trim_matches(['"', '\'']).to_owned())
    };
    let family = Family::called(&field("ID")?)?;
    let codename = field("VERSION_CODENAME").and_then(|name| releases::by_codename(&name));
    let known = codename.or_else(|| releases::by_version(family, &field("VERSION_ID")?));
    if let Some(known) = known.filter(|known| known.family == family) {
        let says = field("PRETTY_NAME").unwrap_or_default();
        push(signs, path, says, known, true);
    }
    Some(family)
}

fn push(signs: &mut Vec<Sign>, source: &str, says: String, known: &Known, on_disk: bool) {
    signs.push(Sign {
        source: source.to_owned(),
        says,
        codename: known.codename.to_owned(),
        on_disk,
    });
}

fn packages(dpkg: &Dpkg, family: Family, signs: &mut Vec<Sign>) {
    let status = format!("{}/status", dpkg.database.home);
    let on_disk = |name: &str| dpkg.named(name).filter(|p| p.on_disk());
    if let Some(package) = on_disk("base-files") {
        for version in [Some(&package.version), package.configured.as_ref()]
            .into_iter()
            .flatten()
        {
            if let Some(known) = by_base_files(family, version) {
                push(signs, &status, format!("base-files {version}"), known, true);
            }
        }
    }
    if let Some(package) = on_disk("libc6")
        && let Some(known) = releases::by_libc(family, &package.version)
    {
        push(
            signs,
            &status,
            format!("libc6 {}", package.version),
            known,
            true,
        );
    }
}

/// Versions with the mark of a release. One or two may have been left behind in
/// a whole upgrade.
fn marks(dpkg: &Dpkg, family: Family, signs: &mut Vec<Sign>) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for package in dpkg.packages.iter().filter(|p| p.on_disk() && !p.held) {
        if let Some(known) = releases::by_mark(family, &package.version) {
            *counts.entry(known.codename).or_default() += 1;
        }
    }
    let status = format!("{}/status", dpkg.database.home);
    for (codename, count) in counts {
        if let Some(known) = releases::by_codename(codename).filter(|_| count > FEW) {
            let says = format!("{count} versions with its mark");
            push(signs, &status, says, known, true);
        }
    }
}

/// Debian's base-files has the number of the release as its version.
fn by_base_files(family: Family, version: &str) -> Option<&'static Known> {
    let number = version.split(['.', '+', '-', '~']).next()?;
    match family {
        Family::Debian => releases::by_version(family, number),
        Family::Ubuntu => None,
    }
}

/// The old versions of what was to be replaced are on the disk or were until
/// just now; the new ones are to come.
fn planned(plan: &Plan, family: Family, signs: &mut Vec<Sign>) {
    let history = "/var/log/apt/history.log";
    for (name, known) in [
        ("base-files", by_base_files as fn(Family, &str) -> _),
        ("libc6", releases::by_libc),
    ] {
        let Some(change) = plan.change(name) else {
            continue;
        };
        let ends = [(&change.old, true), (&change.new, false)];
        for (version, on_disk) in ends {
            let Some(version) = version else { continue };
            if let Some(known) = known(family, version) {
                let word = if on_disk { "from" } else { "to" };
                push(
                    signs,
                    history,
                    format!("{name} {word} {version}"),
                    known,
                    on_disk,
                );
            }
        }
    }
}

/// The suites that apt takes packages from by itself.
fn sources(apt: &Apt, family: Family, signs: &mut Vec<Sign>) {
    let mut seen = BTreeSet::new();
    for source in &apt.sources {
        let Some(known) = suite(apt, source).filter(|known| known.family == family) else {
            continue;
        };
        if is_pinned_away(apt, known) || !seen.insert((source.file.clone(), known.codename)) {
            continue;
        }
        let says = format!("{} {}", source.uri, source.suite);
        push(signs, &source.file, says, known, false);
    }
}

/// The release that a source of the distribution itself stands for.
fn suite(apt: &Apt, source: &Source) -> Option<&'static Known> {
    let name = source.suite.trim_end_matches('/');
    let plain = [
        "-updates",
        "-security",
        "-proposed-updates",
        "-proposed",
        "/updates",
    ]
    .iter()
    .find_map(|ending| name.strip_suffix(ending))
    .unwrap_or(name);
    let place = source.uri.split_once("://").map_or("", |(_, rest)| rest);
    let place = place.trim_end_matches('/').replace('/', "_");
    let prefix = format!("{place}_dists_{}", name.replace('/', "_"));
    // What the archive says of itself counts more than any name.
    match apt.releases.iter().find(|release| release.prefix == prefix) {
        Some(release) => {
            Family::called(&release.origin)?;
            releases::by_codename(release.codename.split(['-', '/']).next()?)
        }
        None => {
            let path = source.uri.trim_end_matches('/');
            let ends = ["/debian", "/debian-security", "/ubuntu", "/ubuntu-ports"];
            let official = ends.iter().any(|end| path.ends_with(end));
            let main = source
                .components
                .iter()
                .any(|component| component == "main");
            releases::by_codename(plain).filter(|_| official && main)
        }
    }
}

/// True when packages of this release are only taken when asked for.
fn is_pinned_away(apt: &Apt, known: &Known) -> bool {
    let named = |text: &str| {
        let suites = apt.releases.iter().filter(|r| r.codename == known.codename);
        let mut names: Vec<&str> = suites.map(|release| release.suite.as_str()).collect();
        names.push(known.codename);
        names.push(known.version);
        text.split(['=', ',', ' ', ';'])
            .any(|word| !word.is_empty() && names.contains(&word))
    };
    if let Some(default) = &apt.default_release {
        return !named(default);
    }
    let general = apt.pins.iter().filter(|pin| pin.is_general());
    let about = general.filter(|pin| named(&pin.pin));
    about.map(|pin| pin.priority).max().is_some_and(|p| p < 500)
}
