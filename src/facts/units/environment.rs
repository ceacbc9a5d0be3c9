//! One variable of a unit's environment.
//!
//! Source: systemd.exec(5), "Environment"; systemd's `parse_env_file` in
//! src/basic/env-file.c.

use super::files::Unit;
use crate::facts::library_path::LibraryPath;
use crate::sys::root_dir::RootDir;

const VARIABLE: &str = "LD_LIBRARY_PATH";

/// Most bytes of a file of variables.
const LIMIT: u64 = 1 << 20;

/// The `LD_LIBRARY_PATH` that a unit gives its programs.
pub(super) fn library_path(unit: &Unit, section: &str, root: &RootDir) -> Option<LibraryPath> {
    let mut found = None;
    for line in unit.values(section, "Environment") {
        // A line that cannot be split is passed over by systemd as well.
        for word in shell_words::split(line).unwrap_or_default() {
            if let Some(value) = value_of(&word) {
                let specified = unit.name.specified(value);
                found = Some(LibraryPath {
                    is_clear: specified.is_some(),
                    value: specified.unwrap_or_default(),
                });
            }
        }
    }
    // What files say counts more, the last of them most.
    for line in unit.values(section, "EnvironmentFile") {
        let path = line.strip_prefix('-').unwrap_or(line);
        let texts = unit.name.specified(path).map(|path| texts(root, &path));
        for text in texts.unwrap_or_default() {
            found = in_file(&text).or(found);
        }
    }
    let taken = unit.words(section, "UnsetEnvironment");
    found.filter(|path| !path.is_empty() && !taken.iter().any(|name| name == VARIABLE))
}

/// The files that a path, perhaps with wildcards in its last name, means.
fn texts(root: &RootDir, path: &str) -> Vec<String> {
    let read = |path: &str| root.read_text(path, LIMIT).ok();
    if !path.contains(['*', '?', '[']) {
        return read(path).into_iter().collect();
    }
    let Some((folder, pattern)) = path.rsplit_once('/') else {
        return Vec::new();
    };
    let Ok(pattern) = glob::Pattern::new(pattern) else {
        return Vec::new();
    };
    let entries = root.read_dir(folder).unwrap_or_default().into_iter();
    let mut names: Vec<String> = entries.filter_map(|e| e.name.into_string().ok()).collect();
    names.sort_unstable();
    let fitting = names.iter().filter(|name| pattern.matches(name));
    fitting
        .filter_map(|name| read(&format!("{folder}/{name}")))
        .collect()
}

/// The value in a file of `NAME=VALUE` lines; nothing is filled in there.
fn in_file(text: &str) -> Option<LibraryPath> {
    let text = text.replace("\\\n", "");
    let lines = text.lines().map(str::trim_start);
    let last = lines.filter_map(value_of).next_back()?;
    let words = shell_words::split(last).ok()?;
    Some(LibraryPath {
        value: words.join(" "),
        is_clear: true,
    })
}

fn value_of(word: &str) -> Option<&str> {
    word.strip_prefix(VARIABLE)?.trim_start().strip_prefix('=')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_variables_are_read_as_systemd_does() {
        let cases = [
            (
                "# LD_LIBRARY_PATH=/no\nLD_LIBRARY_PATH=/a:/b\n",
                Some("/a:/b"),
            ),
            (
                "LD_LIBRARY_PATH=/a\nOTHER=1\nLD_LIBRARY_PATH=\"/b c\"",
                Some("/b c"),
            ),
            ("LD_LIBRARY_PATH='/opt/$x/lib'", Some("/opt/$x/lib")),
            ("LD_LIBRARY_PATH=/a:\\\n/b", Some("/a:/b")),
            ("MY_LD_LIBRARY_PATH=/a", None),
            ("LD_LIBRARY_PATH_X=/a", None),
            ("LD_LIBRARY_PATH='", None),
        ];
        for (text, expected) in cases {
            let found = in_file(text);
            assert_eq!(
                found.as_ref().map(|path| path.value.as_str()),
                expected,
                "{text}"
            );
        }
    }
}
