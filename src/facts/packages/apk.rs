//! Alpine's database: `/lib/apk/db/installed` (apk(5), `installed` format).

use serde::{Deserialize, Serialize};

use super::pacman::Installed;
use super::{DatabaseFault, LIMIT};
use crate::sys::root_dir::RootDir;

/// The directory of the database.
pub(super) const PLACE: &str = "/lib/apk/db";

/// apk's database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Apk {
    /// The packages that it knows.
    pub packages: Vec<Installed>,
    /// What is wrong with it.
    pub faults: Vec<DatabaseFault>,
}

/// The file that lists the packages.
pub(crate) fn installed() -> String {
    format!("{PLACE}/installed")
}

/// The database, where the root has one.
pub(crate) fn database(root: &RootDir) -> Option<Apk> {
    root.symlink_metadata(PLACE).ok().map(|_| collect(root))
}

/// Reads it.
pub(super) fn collect(root: &RootDir) -> Apk {
    let path = installed();
    let fault = |what: String| DatabaseFault {
        path: path.clone(),
        what,
    };
    match root.read_text(&path, LIMIT) {
        Ok(text) => {
            let packages = parse(&text);
            let empty = packages
                .is_empty()
                .then(|| fault("it names no package".into()));
            Apk {
                packages,
                faults: empty.into_iter().collect(),
            }
        }
        Err(error) => Apk {
            packages: Vec::new(),
            faults: vec![fault(format!("cannot be read: {error}"))],
        },
    }
}

/// Stanzas of `P:name`, `V:version`, `A:architecture` and others.
fn parse(text: &str) -> Vec<Installed> {
    let stanzas = text.split("\n\n");
    stanzas
        .filter_map(|stanza| {
            let field = |name: &str| stanza.lines().find_map(|line| line.strip_prefix(name));
            Some(Installed {
                name: field("P:")?.to_owned(),
                version: field("V:")?.to_owned(),
                architecture: field("A:").unwrap_or_default().to_owned(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stanzas_of_the_manual() {
        let text = "C:Q1abc=\nP:musl\nV:1.2.5-r0\nA:x86_64\nF:lib\nR:ld-musl-x86_64.so.1\n\n\
            P:busybox\nV:1.36.1-r29\nA:x86_64\n\nP:cut off\n";
        let found = parse(text);
        let names: Vec<_> = found.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names, ["musl", "busybox"]);
        assert_eq!(found[0].version, "1.2.5-r0");
    }
}
