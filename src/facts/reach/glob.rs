//! glob(3) inside the patient's root: what an `Include` or `source` line means.

use glob::{MatchOptions, Pattern};

use crate::sys::root_dir::RootDir;

/// Files that one pattern may mean; more is no configuration.
const MOST: usize = 1000;

/// Names that all patterns of one configuration may have looked at. Those of a
/// real one are a few dozen; `*/*/*/*` would be every name of the tree.
const NAMES_MAX: usize = 20_000;

const AS_GLOB: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

/// What the patterns of one configuration may cost.
#[derive(Debug)]
pub(super) struct Budget {
    left: usize,
    /// True when it did not suffice, and paths are missing from the answer.
    pub(super) is_spent: bool,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            left: NAMES_MAX,
            is_spent: false,
        }
    }
}

impl Budget {
    /// One more name is looked at.
    fn take(&mut self) -> bool {
        self.is_spent |= self.left == 0;
        self.left = self.left.saturating_sub(1);
        !self.is_spent
    }

    /// The paths that fit `pattern`, sorted; a pattern without a wildcard is
    /// the path itself, be it there or not.
    pub(super) fn expand(&mut self, root: &RootDir, pattern: &str) -> Vec<String> {
        if !pattern.contains(['*', '?', '[']) {
            return vec![pattern.to_owned()];
        }
        let mut paths = vec![String::new()];
        for part in pattern.split('/').filter(|part| !part.is_empty()) {
            let mut next = Vec::new();
            for base in &paths {
                self.step(root, base, part, &mut next);
            }
            paths = next;
        }
        paths
    }

    fn step(&mut self, root: &RootDir, base: &str, part: &str, next: &mut Vec<String>) {
        if !self.take() {
            return;
        }
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
            if !self.take() {
                return;
            }
            if pattern.matches_with(&name, AS_GLOB) {
                if next.len() >= MOST {
                    self.is_spent = true;
                    return;
                }
                next.push(format!("{base}/{name}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_pattern_for_everything_is_cut_and_that_is_told() {
        let folder = tempfile::tempdir().unwrap();
        for outer in 0..40 {
            for inner in 0..20 {
                let path = folder.path().join(format!("d{outer}/e{inner}"));
                std::fs::create_dir_all(path).unwrap();
            }
        }
        let root = RootDir::open(folder.path()).unwrap();
        let mut budget = Budget::default();
        assert_eq!(budget.expand(&root, "/d1*/e1").len(), 11);
        assert_eq!(budget.expand(&root, "/absent"), ["/absent"]);
        assert!(!budget.is_spent);
        // Each costs some 840 names, and the budget is for all of them.
        for _ in 0..40 {
            budget.expand(&root, "/*/*");
        }
        assert!(budget.is_spent);
        assert_eq!(budget.expand(&root, "/*/*"), [""; 0]);
        // So is one that means more files than a configuration has.
        let many = folder.path().join("many");
        std::fs::create_dir(&many).unwrap();
        for name in 0..=MOST {
            std::fs::write(many.join(name.to_string()), "").unwrap();
        }
        let mut budget = Budget::default();
        assert_eq!(budget.expand(&root, "/many/*").len(), MOST);
        assert!(budget.is_spent);
    }
}
