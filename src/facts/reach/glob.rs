//! glob(3) inside the patient's root: what an `Include` or `source` line means.

use glob::{MatchOptions, Pattern};

use crate::sys::root_dir::RootDir;

/// Files that one pattern may mean; more is no configuration.
const MOST: usize = 1000;

const AS_GLOB: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// The paths that fit `pattern`, sorted; a pattern without a wildcard is the
/// path itself, be it there or not.
pub(super) fn expand(root: &RootDir, pattern: &str) -> Vec<String> {
    if !pattern.contains(['*', '?', '[']) {
        return vec![pattern.to_owned()];
    }
    let mut paths = vec![String::new()];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        let mut next = Vec::new();
        for base in &paths {
            step(root, base, part, &mut next);
        }
        paths = next;
    }
    paths
}

fn step(root: &RootDir, base: &str, part: &str, next: &mut Vec<String>) {
    if !part.contains(['*', '?', '[']) {
        let path = format!("{base}/{part}");
        if root.metadata(&path).is_ok() {
            next.push(path);
        }
        return;
    }
    let Ok(pattern) = Pattern::new(part) else {
        return;
    };
    let folder = if base.is_empty() { "/" } else { base };
    for entry in root.read_dir(folder).unwrap_or_default() {
        let name = entry.name.to_string_lossy();
        if next.len() < MOST && pattern.matches_with(&name, AS_GLOB) {
            next.push(format!("{base}/{name}"));
        }
    }
}
