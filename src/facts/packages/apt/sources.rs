//! Where apt takes packages from: `sources.list` and `sources.list.d`
//! (sources.list(5)), in lines or in stanzas.

use serde::{Deserialize, Serialize};

use crate::facts::packages::control;
use crate::sys::root_dir::{Kind, RootDir};

/// The most bytes of one file.
const FILE_MAX: u64 = 4 << 20;

/// The most sources that are kept.
const SOURCES_MAX: usize = 2000;

/// One source of binary packages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Source {
    /// The file that names it.
    pub file: String,
    /// The archive, without what may be a password in it.
    pub uri: String,
    /// The suite, or a path ending with a slash.
    pub suite: String,
    /// `main`, `universe`, ...
    pub components: Vec<String>,
    /// What `signed-by` says: files of keys, fingerprints, or a key itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub signed_by: String,
}

/// The most bytes of a key that stands in a source.
const KEY_MAX: usize = 64 << 10;

/// The sources in use, and the files that could not be read.
pub(super) fn collect(root: &RootDir) -> (Vec<Source>, Vec<String>) {
    let (mut sources, mut unreadable) = (Vec::new(), Vec::new());
    let mut files = vec!["/etc/apt/sources.list".to_owned()];
    let folder = "/etc/apt/sources.list.d";
    for entry in root.read_dir(folder).unwrap_or_default() {
        let name = entry.name.to_string_lossy();
        let read = name.ends_with(".list") || name.ends_with(".sources");
        if read && entry.kind != Kind::Directory {
            files.push(format!("{folder}/{name}"));
        }
    }
    for file in files {
        let bytes = match root.read(&file, FILE_MAX) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => {
                unreadable.push(format!("{file}: {error}"));
                continue;
            }
        };
        if file.ends_with(".sources") {
            of_stanzas(&file, &bytes, &mut sources);
        } else {
            of_lines(&file, &String::from_utf8_lossy(&bytes), &mut sources);
        }
        if sources.len() > SOURCES_MAX {
            sources.truncate(SOURCES_MAX);
            unreadable.push(format!("{file}: more than {SOURCES_MAX} sources"));
            break;
        }
    }
    (sources, unreadable)
}

/// `deb [option=value ...] URI SUITE COMPONENT ...`
fn of_lines(file: &str, text: &str, sources: &mut Vec<Source>) {
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let Some(rest) = line.trim().strip_prefix("deb") else {
            continue;
        };
        if !rest.starts_with([' ', '\t']) {
            continue;
        }
        let rest = rest.trim_start();
        let (options, rest) = match rest.strip_prefix('[') {
            Some(options) => options.split_once(']').unwrap_or_default(),
            None => ("", rest),
        };
        let mut options = options.split_whitespace();
        let signed_by = options.find_map(|option| option.strip_prefix("signed-by="));
        let mut words = rest.split_whitespace().map(str::to_owned);
        // cdrom:[Debian GNU/Linux ...]/ has blanks in it, and is no archive.
        if let (Some(uri), Some(suite)) = (words.next(), words.next())
            && !uri.starts_with("cdrom:")
        {
            sources.push(Source {
                file: file.to_owned(),
                uri: without_login(&uri),
                suite,
                components: words.collect(),
                signed_by: signed_by.unwrap_or_default().to_owned(),
            });
        }
    }
}

fn of_stanzas(file: &str, bytes: &[u8], sources: &mut Vec<Source>) {
    for (_, stanza) in control::stanzas(bytes) {
        let words = |name: &str| -> Vec<String> {
            let text = control::text(stanza, name).unwrap_or_default();
            text.split_whitespace().map(str::to_owned).collect()
        };
        let off = |word: &String| matches!(word.to_lowercase().as_str(), "no" | "false" | "0");
        let disabled = words("Enabled").first().is_some_and(off);
        if disabled || !words("Types").iter().any(|kind| kind == "deb") {
            continue;
        }
        let signed_by = control::text(stanza, "Signed-By").unwrap_or_default();
        let signed_by = Some(signed_by).filter(|key| key.len() <= KEY_MAX);
        for uri in words("URIs") {
            for suite in words("Suites") {
                if sources.len() > SOURCES_MAX {
                    return;
                }
                sources.push(Source {
                    file: file.to_owned(),
                    uri: without_login(&uri),
                    suite,
                    components: words("Components"),
                    signed_by: signed_by.clone().unwrap_or_default(),
                });
            }
        }
    }
}

/// `https://user:password@host/` without the login: reports are passed on.
fn without_login(uri: &str) -> String {
    let Some((scheme, rest)) = uri.split_once("://") else {
        return uri.to_owned();
    };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn lines_and_stanzas() {
        let mut sources = Vec::new();
        of_lines(
            "a",
            "# deb http://x off main\ndeb [arch=amd64 signed-by=/k] https://u:p@h.example/debian \
             bookworm main contrib # why\ndeb-src http://x bookworm main\n\
             deb cdrom:[Debian 12]/ bookworm main\ndeb http://flat ./\n",
            &mut sources,
        );
        assert_eq!(sources.len(), 2);
        assert_eq!(sources[0].uri, "https://h.example/debian");
        assert_eq!(sources[0].components, ["main", "contrib"]);
        assert_eq!(sources[1].suite, "./");
        assert_eq!(sources[0].signed_by, "/k");
        sources.clear();
        of_stanzas(
            "b",
            b"# comment\nTypes: deb deb-src\nURIs: http://d/debian\n\
              Suites: trixie\n trixie-updates\nComponents: main\nSigned-By:\n -----BEGIN\n .\n\n\
              Types: deb\nEnabled: no\nURIs: http://e\nSuites: x\n",
            &mut sources,
        );
        let suites: Vec<_> = sources.iter().map(|s| s.suite.as_str()).collect();
        assert_eq!(suites, ["trixie", "trixie-updates"]);
        assert!(sources[0].signed_by.contains("-----BEGIN"));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_failing(text in "(deb|\\[|\\]| |x|\n|:|#|Types: deb\n|URIs:){0,40}") {
            let mut sources = Vec::new();
            of_lines("x", &text, &mut sources);
            of_stanzas("x", text.as_bytes(), &mut sources);
        }
    }
}
