//! The releases of Debian and Ubuntu, with the dates that their projects have
//! published (the package distro-info-data) and their version of the C library.

use serde::{Deserialize, Serialize};

/// Whose releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// Debian.
    Debian,
    /// Ubuntu.
    Ubuntu,
}

impl Family {
    /// By the `ID` of os-release(5) or the `Origin` of an archive.
    pub fn called(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "debian" | "debian backports" => Some(Self::Debian),
            "ubuntu" => Some(Self::Ubuntu),
            _ => None,
        }
    }

    /// For people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Debian => "Debian",
            Self::Ubuntu => "Ubuntu",
        }
    }

    /// The host that keeps releases when the usual mirrors no longer do.
    pub fn old_archive(self) -> &'static str {
        match self {
            Self::Debian => "archive.debian.org",
            Self::Ubuntu => "old-releases.ubuntu.com",
        }
    }
}

/// One release.
#[derive(Debug, PartialEq, Eq)]
pub struct Known {
    /// Whose it is.
    pub family: Family,
    /// `bookworm`
    pub codename: &'static str,
    /// `12`
    pub version: &'static str,
    /// The last day of updates for everybody; empty: not decided.
    pub supported_until: &'static str,
    /// From then on mirrors drop it (long-term releases of Ubuntu stay longer
    /// than their free support); empty: not decided.
    pub on_mirrors_until: &'static str,
    /// The upstream version of its C library; empty: not decided.
    pub libc: &'static str,
}

const fn known(
    family: Family,
    codename: &'static str,
    version: &'static str,
    supported_until: &'static str,
    on_mirrors_until: &'static str,
    libc: &'static str,
) -> Known {
    Known {
        family,
        codename,
        version,
        supported_until,
        on_mirrors_until,
        libc,
    }
}

/// Each family's in the order of their release.
#[rustfmt::skip]
pub static RELEASES: &[Known] = &[
    known(Family::Debian, "wheezy", "7", "2018-05-31", "2018-05-31", "2.13"),
    known(Family::Debian, "jessie", "8", "2020-06-30", "2020-06-30", "2.19"),
    known(Family::Debian, "stretch", "9", "2022-06-30", "2022-06-30", "2.24"),
    known(Family::Debian, "buster", "10", "2024-06-30", "2024-06-30", "2.28"),
    known(Family::Debian, "bullseye", "11", "2026-08-31", "2026-08-31", "2.31"),
    known(Family::Debian, "bookworm", "12", "2028-06-30", "2028-06-30", "2.36"),
    known(Family::Debian, "trixie", "13", "2030-06-30", "2030-06-30", "2.41"),
    known(Family::Debian, "forky", "14", "", "", ""),
    known(Family::Ubuntu, "precise", "12.04", "2017-04-28", "2019-04-26", "2.15"),
    known(Family::Ubuntu, "quantal", "12.10", "2014-05-16", "2014-05-16", ""),
    known(Family::Ubuntu, "raring", "13.04", "2014-01-27", "2014-01-27", ""),
    known(Family::Ubuntu, "saucy", "13.10", "2014-07-17", "2014-07-17", ""),
    known(Family::Ubuntu, "trusty", "14.04", "2019-04-25", "", "2.19"),
    known(Family::Ubuntu, "utopic", "14.10", "2015-07-23", "2015-07-23", "2.19"),
    known(Family::Ubuntu, "vivid", "15.04", "2016-02-04", "2016-02-04", "2.21"),
    known(Family::Ubuntu, "wily", "15.10", "2016-07-28", "2016-07-28", "2.21"),
    known(Family::Ubuntu, "xenial", "16.04", "2021-04-30", "", "2.23"),
    known(Family::Ubuntu, "yakkety", "16.10", "2017-07-20", "2017-07-20", "2.24"),
    known(Family::Ubuntu, "zesty", "17.04", "2018-01-13", "2018-01-13", "2.24"),
    known(Family::Ubuntu, "artful", "17.10", "2018-07-19", "2018-07-19", "2.26"),
    known(Family::Ubuntu, "bionic", "18.04", "2023-05-31", "", "2.27"),
    known(Family::Ubuntu, "cosmic", "18.10", "2019-07-18", "2019-07-18", "2.28"),
    known(Family::Ubuntu, "disco", "19.04", "2020-01-23", "2020-01-23", "2.29"),
    known(Family::Ubuntu, "eoan", "19.10", "2020-07-17", "2020-07-17", "2.30"),
    known(Family::Ubuntu, "focal", "20.04", "2025-05-29", "", "2.31"),
    known(Family::Ubuntu, "groovy", "20.10", "2021-07-22", "2021-07-22", "2.32"),
    known(Family::Ubuntu, "hirsute", "21.04", "2022-01-20", "2022-01-20", "2.33"),
    known(Family::Ubuntu, "impish", "21.10", "2022-07-14", "2022-07-14", "2.34"),
    known(Family::Ubuntu, "jammy", "22.04", "2027-06-01", "", "2.35"),
    known(Family::Ubuntu, "kinetic", "22.10", "2023-07-20", "2023-07-20", "2.36"),
    known(Family::Ubuntu, "lunar", "23.04", "2024-01-25", "2024-01-25", "2.37"),
    known(Family::Ubuntu, "mantic", "23.10", "2024-07-11", "2024-07-11", "2.38"),
    known(Family::Ubuntu, "noble", "24.04", "2029-05-31", "", "2.39"),
    known(Family::Ubuntu, "oracular", "24.10", "2025-07-10", "2025-07-10", "2.40"),
    known(Family::Ubuntu, "plucky", "25.04", "2026-01-15", "2026-01-15", "2.41"),
    known(Family::Ubuntu, "questing", "25.10", "2026-07-09", "2026-07-09", "2.42"),
    known(Family::Ubuntu, "resolute", "26.04", "2031-05-29", "", ""),
];

/// The release with this codename.
pub fn by_codename(codename: &str) -> Option<&'static Known> {
    // What is not released yet, by its other names.
    let codename = match codename {
        "sid" | "unstable" | "testing" | "experimental" => "forky",
        other => other,
    };
    RELEASES.iter().find(|known| known.codename == codename)
}

/// The release with this number.
pub fn by_version(family: Family, version: &str) -> Option<&'static Known> {
    of(family).find(|known| known.version == version)
}

/// The release whose C library has this version (`2.36-9+deb12u13`); none where
/// two of them have it.
pub fn by_libc(family: Family, version: &str) -> Option<&'static Known> {
    let upstream = version.split(['-', '+']).next().unwrap_or_default();
    let mut same = of(family).filter(|known| !known.libc.is_empty() && known.libc == upstream);
    same.next().filter(|_| same.next().is_none())
}

/// The release whose mark this version bears: `+deb12u1`, `~deb12u1`,
/// `~bpo12+1`, `0ubuntu0.22.04.1`, `~22.04.2`.
pub fn by_mark(family: Family, version: &str) -> Option<&'static Known> {
    of(family).find(|known| {
        let number = known.version;
        match family {
            Family::Debian => ["+deb", "~deb", "~bpo"].iter().any(|mark| {
                let behind = version.rsplit_once(mark).map(|(_, behind)| behind);
                let rest = behind.and_then(|behind| behind.strip_prefix(number));
                rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
            }),
            Family::Ubuntu => ["ubuntu0.", "~", "ubuntu0~"]
                .iter()
                .any(|mark| version.contains(&format!("{mark}{number}"))),
        }
    })
}

fn of(family: Family) -> impl Iterator<Item = &'static Known> {
    RELEASES.iter().filter(move |known| known.family == family)
}

impl Known {
    /// Its place among the releases of its family.
    pub fn place(&self) -> usize {
        of(self.family).take_while(|known| *known != self).count()
    }

    /// True when mirrors have dropped it by `today` (`2026-11-27`).
    pub fn is_off_mirrors(&self, today: &str) -> bool {
        !self.on_mirrors_until.is_empty() && self.on_mirrors_until < today
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_table_is_in_order_and_its_dates_are_dates() {
        for family in [Family::Debian, Family::Ubuntu] {
            let numbers: Vec<f32> = of(family).map(|k| k.version.parse().unwrap()).collect();
            assert!(numbers.is_sorted(), "{numbers:?}");
        }
        for known in RELEASES {
            for date in [known.supported_until, known.on_mirrors_until] {
                assert!(date.is_empty() || date.len() == 10, "{date}");
                assert!(date.chars().all(|c| c == '-' || c.is_ascii_digit()));
            }
        }
    }

    #[test]
    fn releases_are_known_by_what_they_leave() {
        let codename = |known: Option<&'static Known>| known.map(|known| known.codename);
        assert_eq!(
            codename(by_libc(Family::Debian, "2.36-9+deb12u13")),
            Some("bookworm")
        );
        assert_eq!(
            codename(by_libc(Family::Ubuntu, "2.35-0ubuntu3.8")),
            Some("jammy")
        );
        assert_eq!(codename(by_libc(Family::Ubuntu, "2.24-9ubuntu2")), None);
        let debian = |version| codename(by_mark(Family::Debian, version));
        assert_eq!(debian("1:9.2p1-2+deb12u7"), Some("bookworm"));
        assert_eq!(debian("257.13-1~deb13u1"), Some("trixie"));
        assert_eq!(debian("2.0-1~bpo11+1"), Some("bullseye"));
        assert_eq!(debian("2.0-1"), None);
        let ubuntu = |version| codename(by_mark(Family::Ubuntu, version));
        assert_eq!(ubuntu("1.2-3ubuntu0.22.04.1"), Some("jammy"));
        assert_eq!(ubuntu("2.39-0ubuntu8.3"), None);
    }

    #[test]
    fn the_end_of_a_release() {
        let zesty = by_codename("zesty").unwrap();
        assert!(zesty.is_off_mirrors("2026-01-01"));
        assert!(!by_codename("trixie").unwrap().is_off_mirrors("2026-01-01"));
        assert!(!by_codename("forky").unwrap().is_off_mirrors("2030-01-01"));
    }
}
