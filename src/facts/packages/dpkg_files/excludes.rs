//! `path-exclude` and `path-include` of dpkg.cfg(5): files that were left out
//! when their package was unpacked. The last pattern that fits decides.

use glob::{MatchOptions, Pattern};

use crate::sys::root_dir::RootDir;

/// Bytes of one file of options.
const LIMIT: u64 = 1 << 20;

/// Like fnmatch(3) without flags, which dpkg uses: `*` passes slashes.
const AS_FNMATCH: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: false,
    require_literal_leading_dot: false,
};

/// The patterns, in the order in which dpkg reads them.
#[derive(Debug, Clone, Default)]
pub struct Excludes(Vec<(bool, Pattern)>);

impl Excludes {
    /// Reads the options of a root.
    pub fn of(root: &RootDir) -> Self {
        const PARTS: &str = "/etc/dpkg/dpkg.cfg.d";
        let mut all = Self::default();
        for entry in root.read_dir(PARTS).unwrap_or_default() {
            let name = entry.name.to_string_lossy();
            let counts = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            if name.chars().all(counts) {
                let text = root.read_text(format!("{PARTS}/{name}"), LIMIT);
                all.add(&text.unwrap_or_default());
            }
        }
        let text = root.read_text("/etc/dpkg/dpkg.cfg", LIMIT);
        all.add(&text.unwrap_or_default());
        all
    }

    /// Adds the patterns of a file of options.
    pub fn add(&mut self, text: &str) {
        for line in text.lines().map(str::trim) {
            let line = line.strip_prefix("--").unwrap_or(line);
            let words = line.split_once(['=', ' ', '\t']);
            let Some((option, value)) = words else {
                continue;
            };
            let excludes = match option {
                "path-exclude" => true,
                "path-include" => false,
                _ => continue,
            };
            let mut value = value.trim().trim_matches('"').to_owned();
            // Two stars mean the same to fnmatch, and something else here.
            while value.contains("**") {
                value = value.replace("**", "*");
            }
            if let Ok(pattern) = Pattern::new(&value) {
                self.0.push((excludes, pattern));
            }
        }
    }

    /// True when a file at this path, with its leading slash, is left out.
    pub fn leaves_out(&self, path: &str) -> bool {
        let mut patterns = self.0.iter().rev();
        let fits = patterns.find(|(_, pattern)| pattern.matches_with(path, AS_FNMATCH));
        fits.is_some_and(|(excludes, _)| *excludes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_pattern_decides_and_stars_pass_slashes() {
        let mut all = Excludes::default();
        all.add(
            "# docs\nforce-unsafe-io\npath-exclude=/usr/share/doc/*\n\
             path-include /usr/share/doc/*/copyright\n",
        );
        assert!(all.leaves_out("/usr/share/doc/a/b/c"));
        assert!(!all.leaves_out("/usr/share/doc/a/copyright"));
        assert!(!all.leaves_out("/usr/share/man/man1/a.1"));
    }
}
