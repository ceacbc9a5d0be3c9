//! What the checks of the loader's surroundings have in common.

use std::path::Path;

use crate::facts::Tree;
use crate::finding::Evidence;

/// Most lines of evidence in one finding.
const LINES_MAX: usize = 8;

/// The first pieces of evidence, and how many more there are.
pub(super) fn few(mut all: Vec<Evidence>) -> Vec<Evidence> {
    let more = all.len().saturating_sub(LINES_MAX);
    all.truncate(LINES_MAX);
    if let Some(last) = all.last_mut().filter(|_| more > 0) {
        last.seen = format!("{}; and {more} more like this", last.seen);
    }
    all
}

/// True when `path` lies in a place that is not what it should be itself: what
/// is wrong there follows from that.
pub(super) fn is_misplaced(tree: &Tree, path: &str) -> bool {
    let real = tree.layout.real_name(Path::new(path));
    tree.layout.suspects.iter().any(|suspect| {
        real.starts_with(&suspect.path) || Path::new(path).starts_with(&suspect.path)
    })
}

/// `(2, 36)` as people write it.
pub(super) fn release((major, minor): (u32, u32)) -> String {
    format!("{major}.{minor}")
}

/// A word for who owns a file.
pub(super) fn owned_by(owner: Option<&str>) -> String {
    match owner {
        Some(package) => format!("of package {package}"),
        None => "of no package".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_and_counted() {
        let lines = |count: usize| (0..count).map(|n| Evidence::seen(n.to_string(), "x"));
        assert_eq!(few(lines(8).collect()).len(), 8);
        let cut = few(lines(11).collect());
        assert_eq!(cut.len(), 8);
        assert_eq!(cut[7].seen, "x; and 3 more like this");
    }
}
