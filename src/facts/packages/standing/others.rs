//! Which packages belong to a release, and which are no part of an upgrade:
//! of other archives, pinned, held, or in no index at all.

use serde::{Deserialize, Serialize};

use super::releases::{self, Family, Known};
use super::signs::FEW;
use crate::facts::packages::apt::{Apt, Offer, Offers};
use crate::facts::packages::dpkg::{Dpkg, Package};
use crate::facts::packages::version;

/// Packages that are no part of an upgrade.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Others {
    /// Only archives of others offer them.
    pub third_party: Vec<String>,
    /// Held or pinned by name.
    pub kept: Vec<String>,
    /// Of backports.
    pub backports: Vec<String>,
    /// In no index: of an older release, or installed by hand. None when no
    /// index was read.
    pub unlisted: Option<Vec<String>>,
}

/// What is offered, seen from the newer release.
#[derive(Debug)]
pub(super) struct Listed<'a> {
    apt: &'a Apt,
    offers: &'a Offers,
    to: Option<&'static Known>,
}

impl<'a> Listed<'a> {
    pub(super) fn new(apt: &'a Apt, offers: &'a Offers, to: Option<&'static Known>) -> Self {
        Self { apt, offers, to }
    }

    /// All that is offered of a package, of whichever archive.
    pub(super) fn offers(&self, name: &str, architecture: &str) -> &'a [Offer] {
        let of = |architecture: &str| {
            self.offers
                .get(&(name.to_owned(), architecture.to_owned()))
                .map_or(&[][..], Vec::as_slice)
        };
        match of(architecture) {
            [] => of("all"),
            found => found,
        }
    }

    /// The same for people: each with the name of its release.
    pub(super) fn named(&self, name: &str, architecture: &str) -> Vec<String> {
        let offers = self.offers(name, architecture).iter();
        let told = offers.map(|offer| {
            let release = self.release(offer);
            let release = release.map_or("?", |release| match release.codename.as_str() {
                "" => &release.suite,
                codename => codename,
            });
            format!("{release} {}", offer.version)
        });
        told.collect()
    }

    /// What the newer release offers of it.
    fn of_release(&self, package: &Package) -> impl Iterator<Item = &'a str> {
        let offers = self.offers(&package.name, &package.architecture).iter();
        offers
            .filter(|offer| self.is_to(offer))
            .map(|offer| offer.version.as_str())
    }

    fn is_to(&self, offer: &Offer) -> bool {
        let release = self.release(offer);
        release.is_some_and(|release| {
            let codename = release.codename.split(['-', '/']).next();
            Family::called(&release.origin).is_some()
                && codename.is_some_and(|name| self.to.is_some_and(|to| to.codename == name))
                && !release.codename.contains("backports")
                && !release.suite.contains("backports")
        })
    }

    fn release(&self, offer: &Offer) -> Option<&'a crate::facts::packages::apt::Release> {
        let index = self.apt.indexes.get(offer.index)?;
        self.apt.releases.get(index.release?)
    }

    /// The newest version that the newer release has of it.
    pub(super) fn newest(&self, package: &Package) -> Option<&'a str> {
        self.of_release(package)
            .max_by(|a, b| version::compare(a, b))
    }

    /// True when the version on disk is one of the newer release: its oldest
    /// or later, or the one that its oldest was made of by a point release.
    pub(super) fn is_of_release(&self, package: &Package) -> bool {
        let Some(to) = self.to else { return false };
        let marked = releases::by_mark(to.family, &package.version);
        if let Some(marked) = marked {
            return marked.place() >= to.place();
        }
        let oldest = self
            .of_release(package)
            .min_by(|a, b| version::compare(a, b));
        oldest.is_some_and(|oldest| {
            let plain = oldest.find("+deb").map_or(oldest, |at| &oldest[..at]);
            version::compare(&package.version, oldest).is_ge()
                || version::compare(&package.version, plain).is_ge()
        })
    }

    /// True when somebody wants it to stay as it is.
    pub(super) fn is_kept(&self, package: &Package) -> bool {
        package.held || self.apt.pins.iter().any(|pin| pin.names(&package.name))
    }

    /// True when exactly this version comes from an archive of others.
    fn is_third_party(&self, package: &Package) -> bool {
        let offers = self.offers(&package.name, &package.architecture);
        let mut same = offers.iter().filter(|o| o.version == package.version);
        let others = |offer: &Offer| {
            let release = self.release(offer);
            release.is_none_or(|release| Family::called(&release.origin).is_none())
        };
        let first = same.next();
        first.is_some_and(&others) && same.all(others)
    }

    fn was_read(&self) -> bool {
        let all = !self.apt.indexes.is_empty();
        all && self
            .apt
            .indexes
            .iter()
            .all(|index| index.packages.is_some())
    }
}

pub(super) fn count(dpkg: &Dpkg, listed: &Listed<'_>) -> Others {
    let mut others = Others {
        unlisted: listed.was_read().then(Vec::new),
        ..Others::default()
    };
    for package in dpkg.packages.iter().filter(|p| p.on_disk()) {
        let label = package.label();
        if listed.is_kept(package) {
            others.kept.push(label);
        } else if package.version.contains("~bpo") {
            others.backports.push(label);
        } else if listed.is_third_party(package) {
            others.third_party.push(label);
        } else if listed
            .offers(&package.name, &package.architecture)
            .is_empty()
            && let Some(unlisted) = &mut others.unlisted
        {
            unlisted.push(label);
        }
    }
    others
}

/// True when packages of both releases are on the disk. Held and pinned ones
/// and those that the newer release has not are left out: they stay behind in
/// any upgrade.
pub(super) fn is_mixed(
    dpkg: &Dpkg,
    listed: &Listed<'_>,
    from: Option<&'static Known>,
    to: Option<&'static Known>,
) -> bool {
    let (Some(from), Some(to)) = (from, to) else {
        return false;
    };
    let (mut older, mut newer) = (0, 0);
    for package in dpkg.packages.iter().filter(|p| p.on_disk()) {
        if listed.is_kept(package) || listed.newest(package).is_none() {
            continue;
        }
        match listed.is_of_release(package) {
            true => newer += 1,
            // What both releases have in one version is of the newer one, so
            // this is older for certain.
            false => older += 1,
        }
    }
    // Without an index, the two packages that name their release.
    let named = |name: &str, known: &dyn Fn(&str) -> Option<&'static Known>| {
        dpkg.named(name)
            .filter(|p| p.on_disk())
            .and_then(|p| known(&p.version))
    };
    let libc = named("libc6", &|version| releases::by_libc(to.family, version));
    let base = named("base-files", &|version| {
        releases::by_version(to.family, version.split(['.', '+']).next()?)
    });
    (older > FEW && newer > 0 && is_really_newer(dpkg, listed, to))
        || (libc == Some(from) && base == Some(to))
}

/// Versions that two releases share are no sign of the newer one: at least one
/// package bears its mark, or is the C library or base-files of it.
fn is_really_newer(dpkg: &Dpkg, listed: &Listed<'_>, to: &'static Known) -> bool {
    let on_disk = dpkg.packages.iter().filter(|p| p.on_disk());
    on_disk
        .filter(|p| listed.newest(p).is_some())
        .any(|package| {
            let version = &package.version;
            releases::by_mark(to.family, version) == Some(to)
                || (package.name == "libc6" && releases::by_libc(to.family, version) == Some(to))
                || (package.name == "base-files" && listed.is_of_release(package))
        })
}
