//! Where an upgrade stands: from which release to which, how far it came, and
//! which way is nearer and safer.

use serde::{Deserialize, Serialize};

use super::apt::{Apt, Offers};
use super::dpkg::Dpkg;
use super::history::Run;
use crate::sys::root_dir::RootDir;

pub mod elsewhere;
mod others;
mod plan;
pub mod releases;
mod signs;
#[cfg(test)]
mod tests;
mod ways;

pub use elsewhere::Elsewhere;
pub use others::Others;
pub use plan::{Basis, Counts, Progress, Step};
pub use releases::{Family, Known};
pub use signs::Sign;
pub use ways::{Advice, Direction, Way};

/// A release that is involved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct NamedRelease {
    /// Whose it is.
    pub family: Family,
    /// `bookworm`
    pub codename: String,
    /// `12`
    pub version: String,
    /// The last day of updates for everybody; empty: not decided.
    pub supported_until: String,
    /// Where it is kept now that mirrors have dropped it.
    pub old_archive: Option<String>,
}

impl NamedRelease {
    fn of(known: &Known, today: &str) -> Self {
        let over = known.is_off_mirrors(today);
        Self {
            family: known.family,
            codename: known.codename.to_owned(),
            version: known.version.to_owned(),
            supported_until: known.supported_until.to_owned(),
            old_archive: over.then(|| known.family.old_archive().to_owned()),
        }
    }

    /// `Debian 12 (bookworm)`
    pub fn label(&self) -> String {
        format!(
            "{} {} ({})",
            self.family.word(),
            self.version,
            self.codename
        )
    }
}

/// Where an upgrade stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Standing {
    /// The day by which the end of releases is judged: of this machine's clock
    /// or of the patient's newest record, whichever is later.
    pub today: String,
    /// What tells of a release.
    pub signs: Vec<Sign>,
    /// The oldest release that is on the disk.
    pub from: Option<NamedRelease>,
    /// The newest that is on the disk or that apt is to bring.
    pub to: Option<NamedRelease>,
    /// What the counts go by.
    pub basis: Basis,
    /// How far the packages are.
    pub counts: Counts,
    /// Each package that is to change.
    pub steps: Vec<Step>,
    /// Packages that are no part of it.
    pub others: Others,
    /// True when packages of two releases are on the disk and no pin asks for
    /// that.
    pub mixed: bool,
    /// What it takes to go on.
    pub forward: Option<Way>,
    /// What it takes to go back.
    pub backward: Option<Way>,
    /// Which of them, and why.
    pub advice: Option<Advice>,
    /// Other systems on the disks that have packages which the way forward
    /// needs and the cache lacks.
    #[serde(default)]
    pub elsewhere: Vec<Elsewhere>,
}

impl Standing {
    /// True when two releases are involved.
    pub fn crosses_releases(&self) -> bool {
        self.from != self.to && self.from.is_some() && self.to.is_some()
    }
}

/// True when what is cheap to see speaks of two releases, or apt failed in its
/// last run.
pub(super) fn is_between(root: &RootDir, dpkg: &Dpkg, apt: &Apt, runs: &[Run]) -> bool {
    let plan = plan::Plan::of(runs);
    let signs = signs::collect(root, dpkg, apt, &plan);
    let (from, to) = signs::ends(&signs);
    !plan.is_empty() || from.zip(to).is_some_and(|(from, to)| from != to)
}

/// Judges where it stands.
pub(super) fn judge(root: &RootDir, dpkg: &Dpkg, runs: &[Run], offers: &Offers) -> Standing {
    let today = today(root, dpkg);
    let plan = plan::Plan::of(runs);
    let signs = signs::collect(root, dpkg, &dpkg.apt, &plan);
    let (from, to) = signs::ends(&signs);
    let crosses = from.zip(to).is_some_and(|(from, to)| from != to);
    let named = |known: Option<&'static Known>| known.map(|k| NamedRelease::of(k, &today));
    let mut standing = Standing {
        from: named(from),
        to: named(to),
        today,
        signs,
        ..Standing::default()
    };
    if !crosses && plan.is_empty() && !dpkg.is_interrupted() {
        return standing;
    }
    let listed = others::Listed::new(&dpkg.apt, offers, to);
    let (basis, steps) = plan::steps(dpkg, &plan, &listed, crosses);
    let begun = |step: &Step| !matches!(step.progress, Progress::Done | Progress::Removed);
    if basis == Basis::Lists && !steps.iter().any(begun) {
        // What is left of the older release is what the newer one has not.
        standing.from.clone_from(&standing.to);
        return standing;
    }
    standing.basis = basis;
    standing.counts = Counts::of(&steps);
    standing.others = others::count(dpkg, &listed);
    standing.mixed = crosses && others::is_mixed(dpkg, &listed, from, to);
    let cached = ways::Cached::of(&dpkg.apt.cache);
    standing.forward = Some(ways::forward(&steps, &cached, &listed));
    standing.backward = Some(ways::backward(&steps, &cached, &listed));
    standing.advice = ways::advise(&standing, &steps, from, to);
    standing.steps = steps;
    standing
}

/// A rescue system's clock may be wrong, but never is it earlier than what the
/// patient wrote last.
fn today(root: &RootDir, dpkg: &Dpkg) -> String {
    let log = root
        .metadata("/var/log/dpkg.log")
        .map_or(0, |meta| meta.mtime);
    let written = log.max(dpkg.database.status.modified);
    let latest = crate::date::now().max(u64::try_from(written).unwrap_or(0));
    crate::date::date(latest).chars().take(10).collect()
}
