//! Services: what is enabled and what is masked, by the links of systemd.unit(5).

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::aspects::Aspect;
use super::{Difference, Importance};
use crate::journal::encoded::encode;
use crate::salvage::record::{Kind, PathRecord};
use crate::sys::root_dir::{self, RootDir};

/// Where systemctl(1) makes its links.
const UNITS: &str = "/etc/systemd/system";

/// Units that are looked through for masks.
const UNITS_MAX: usize = 10_000;

/// True for units, drop-ins and their links, and for those of System V init.
pub(super) fn is_of_services(path: &Path) -> bool {
    let is_rc = || {
        let parent = path.parent().map(|parent| parent.to_string_lossy());
        parent.is_some_and(|parent| parent.starts_with("/etc/rc") && parent.ends_with(".d"))
    };
    path.starts_with("/etc/systemd")
        || path.starts_with("/usr/lib/systemd/system")
        || path.starts_with("/etc/init.d")
        || is_rc()
}

/// What a lost or changed link means.
pub(super) fn words(record: &PathRecord, aspects: &[Aspect]) -> Option<String> {
    let is_gone = aspects.iter().any(|aspect| {
        matches!(
            aspect,
            Aspect::Missing | Aspect::Kind { .. } | Aspect::Target { .. }
        )
    });
    if record.kind != Kind::Link || !is_gone {
        return None;
    }
    let unit = record.path.file_name()?.to_string_lossy();
    if record.target.as_deref() == Some(Path::new("/dev/null")) {
        return Some(format!("{unit} was masked, and is not"));
    }
    let by = record.path.parent()?.file_name()?.to_string_lossy();
    let by = by
        .strip_suffix(".wants")
        .or_else(|| by.strip_suffix(".requires"))?;
    match aspects {
        [Aspect::Target { .. }] => None,
        _ => Some(format!("{unit} is not enabled (it was, for {by})")),
    }
}

/// Units that are masked now and were not.
pub(super) fn masked_now(root: &RootDir, then: &HashSet<PathBuf>) -> Vec<Difference> {
    let entries = root.read_dir(UNITS).unwrap_or_default();
    let links = entries
        .into_iter()
        .filter(|entry| entry.kind == root_dir::Kind::Symlink)
        .take(UNITS_MAX);
    let mut all = Vec::new();
    for entry in links {
        let path = Path::new(UNITS).join(&entry.name);
        let is_masked = root
            .read_link(&path)
            .is_ok_and(|target| target == Path::new("/dev/null"));
        if is_masked && !then.contains(&path) {
            all.push(Difference {
                importance: Importance::Service,
                subject: encode(&path),
                what: vec![format!(
                    "{} is masked, and was not",
                    entry.name.to_string_lossy()
                )],
                below: 0,
                can_be_fixed: false,
            });
        }
    }
    all
}
