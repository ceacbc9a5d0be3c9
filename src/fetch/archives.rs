//! Which archives are asked: those of the patient's own sources, or a mirror of
//! them that the operator names.

use super::url::Url;
use crate::date;
use crate::facts::packages::apt::Source;
use crate::facts::packages::standing::releases::{Family, Known, RELEASES};

/// More than anybody has.
const ARCHIVES_MAX: usize = 100;

/// A suite of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// Where it is.
    pub url: Url,
    /// `bookworm`, or a path that ends with a slash.
    pub suite: String,
    /// `main`, ...
    pub components: Vec<String>,
    /// The keys that the source names.
    pub signed_by: String,
}

/// What is to be asked, and which sources are passed over, and why.
pub fn chosen(
    sources: &[Source],
    codename: Option<&str>,
    mirror: Option<&Url>,
) -> (Vec<Archive>, Vec<String>) {
    let (mut archives, mut passed) = (Vec::new(), Vec::new());
    for source in sources {
        let url = match mirror {
            Some(mirror) => Ok(mirror.clone()),
            None => Url::read(&source.uri),
        };
        match url {
            Ok(url) => add(&mut archives, url, source),
            Err(why) => passed.push(format!("{}: {why}", source.file)),
        }
    }
    // Sources that are gone, or that say nothing.
    let known = codename.and_then(|name| Some((name, known(name)?)));
    if archives.is_empty()
        && let Some((suite, known)) = known
    {
        let source = Source {
            suite: suite.to_owned(),
            components: vec!["main".to_owned()],
            ..Source::default()
        };
        let url = mirror.cloned().or_else(|| old_archive(known, ""));
        if let Some(url) = url {
            add(&mut archives, url, &source);
        }
    }
    archives.truncate(ARCHIVES_MAX);
    passed.sort();
    passed.dedup();
    (archives, passed)
}

fn add(archives: &mut Vec<Archive>, url: Url, source: &Source) {
    let same = |one: &&mut Archive| one.url == url && one.suite == source.suite;
    let Some(known) = archives.iter_mut().find(same) else {
        archives.push(Archive {
            url,
            suite: source.suite.clone(),
            components: source.components.clone(),
            signed_by: source.signed_by.clone(),
        });
        return;
    };
    for component in &source.components {
        if !known.components.contains(component) {
            known.components.push(component.clone());
        }
    }
}

fn known(suite: &str) -> Option<&'static Known> {
    let codename = suite.split(['-', '/']).next().unwrap_or(suite);
    RELEASES.iter().find(|known| known.codename == codename)
}

fn old_archive(known: &Known, path: &str) -> Option<Url> {
    let folder = match known.family {
        Family::Debian if path.contains("security") => "debian-security",
        Family::Debian => "debian",
        Family::Ubuntu => "ubuntu",
    };
    Url::read(&format!("http://{}/{folder}", known.family.old_archive())).ok()
}

impl Archive {
    /// The same suite where releases are kept that have left the mirrors; none
    /// for one that should still be there.
    pub fn of_old(&self, now: u64) -> Option<Self> {
        let known = known(&self.suite)?;
        let today = date::date(now);
        let gone = known.on_mirrors_until;
        if gone.is_empty() || gone >= today.get(..gone.len())? {
            return None;
        }
        let url = old_archive(known, &self.url.path)?;
        (url != self.url).then(|| Self {
            url,
            ..self.clone()
        })
    }

    /// Where its files lie.
    pub fn place(&self) -> Url {
        match self.is_flat() {
            true => self.url.join(self.suite.trim_start_matches("./")),
            false => self.url.join(&format!("dists/{}", self.suite)),
        }
    }

    /// True for one without suites and components.
    pub fn is_flat(&self) -> bool {
        self.suite.ends_with('/')
    }

    /// The indexes of its packages for an architecture, without their endings.
    pub fn indexes(&self, architecture: &str) -> Vec<String> {
        if self.is_flat() {
            return vec!["Packages".to_owned()];
        }
        let of = |component: &String| {
            [architecture, "all"].map(|word| format!("{component}/binary-{word}/Packages"))
        };
        self.components.iter().flat_map(of).collect()
    }

    /// For people.
    pub fn label(&self) -> String {
        format!("{} {}", self.url, self.suite)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn source(uri: &str, suite: &str, components: &[&str]) -> Source {
        Source {
            file: "/etc/apt/sources.list".into(),
            uri: uri.into(),
            suite: suite.into(),
            components: components.iter().map(|one| (*one).to_owned()).collect(),
            signed_by: String::new(),
        }
    }

    const AUTUMN_2026: u64 = 1_795_827_843;

    #[test]
    fn own_sources_or_a_mirror_of_them() {
        let sources = [
            source("http://m.example/debian", "bookworm", &["main"]),
            source("http://m.example/debian", "bookworm", &["contrib", "main"]),
            source("https://s.example/x", "stable", &["main"]),
        ];
        let (archives, passed) = chosen(&sources, None, None);
        assert_eq!(archives.len(), 1);
        assert_eq!(archives[0].components, ["main", "contrib"]);
        assert!(passed[0].contains("https is not spoken"), "{passed:?}");
        let mirror = Url::read("http://other/d").unwrap();
        let (archives, passed) = chosen(&sources, None, Some(&mirror));
        let labels: Vec<String> = archives.iter().map(Archive::label).collect();
        assert_eq!(labels, ["http://other/d bookworm", "http://other/d stable"]);
        assert!(passed.is_empty());
        let (archives, _) = chosen(&[], Some("trixie"), Some(&mirror));
        assert_eq!(archives[0].indexes("amd64").len(), 2);
    }

    #[test]
    fn releases_that_have_left_the_mirrors() {
        let of = |uri, suite| {
            let (archives, _) = chosen(&[source(uri, suite, &["main"])], None, None);
            archives[0].of_old(AUTUMN_2026).map(|old| old.label())
        };
        assert_eq!(
            of("http://m/debian", "buster-updates").unwrap(),
            "http://archive.debian.org/debian buster-updates"
        );
        assert_eq!(
            of("http://m/debian-security", "buster/updates").unwrap(),
            "http://archive.debian.org/debian-security buster/updates"
        );
        assert_eq!(of("http://m/debian", "trixie"), None);
        assert_eq!(of("http://m/debian", "forky"), None);
    }

    #[test]
    fn a_flat_archive() {
        let (archives, _) = chosen(&[source("http://m/x", "./", &[])], None, None);
        assert_eq!(archives[0].place().to_string(), "http://m/x/");
        assert_eq!(archives[0].indexes("amd64"), ["Packages"]);
    }
}
