//! `$ORIGIN`, `$LIB` and `$PLATFORM` in search paths.
//!
//! ld.so(8), "Dynamic string tokens"; glibc elf/dl-load.c, `_dl_dst_substitute`
//! and `fillin_rpath`.

/// A longer path cannot be opened anyway (`PATH_MAX`).
const PATH_BYTES_MAX: usize = 4096;

/// Most directories taken from one search path.
pub(super) const DIRECTORIES_MAX: usize = 256;

/// What the tokens stand for in one object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tokens<'a> {
    /// Directory of the object.
    pub(super) origin: &'a str,
    /// `$LIB`.
    pub(super) lib: &'a str,
    /// `$PLATFORM`; some machines have none.
    pub(super) platform: Option<&'a str>,
}

impl Tokens<'_> {
    /// Replaces the tokens in `text`; `None` when one of them has no value. An
    /// unknown token stays as it is.
    pub(super) fn expand(&self, text: &str) -> Option<String> {
        let mut expanded = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            if expanded.len() > PATH_BYTES_MAX {
                return None;
            }
            expanded.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            let values = [
                ("ORIGIN", Some(self.origin)),
                ("PLATFORM", self.platform),
                ("LIB", Some(self.lib)),
            ];
            let found = values
                .into_iter()
                .find_map(|(name, value)| Some((after_token(rest, name)?, value)));
            match found {
                Some((after, value)) => {
                    expanded.push_str(value?);
                    rest = after;
                }
                None => expanded.push('$'),
            }
        }
        expanded.push_str(rest);
        Some(expanded)
    }

    /// The directories of `LD_LIBRARY_PATH`, in which a semicolon parts as well;
    /// the tokens are the program's.
    pub(super) fn told(&self, path: &str) -> Vec<String> {
        match path {
            "" => Vec::new(),
            path => self.directories(&path.replace(';', ":")),
        }
    }

    /// The directories of an RPATH or RUNPATH, each ending in `/`. Elements
    /// that depend on the working directory (empty or relative ones) lead
    /// nowhere for a program that is not running and are left out.
    pub(super) fn directories(&self, path: &str) -> Vec<String> {
        let mut directories: Vec<String> = Vec::new();
        for element in path.split(':') {
            let Some(directory) = self.expand(element) else {
                continue;
            };
            if !directory.starts_with('/') || directories.len() >= DIRECTORIES_MAX {
                continue;
            }
            let directory = format!("{}/", directory.trim_end_matches('/'));
            if !directories.contains(&directory) {
                directories.push(directory);
            }
        }
        directories
    }
}

/// What follows the token `name`, written `$name` or `${name}`.
fn after_token<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    if let Some(braced) = text.strip_prefix('{') {
        return braced.strip_prefix(name)?.strip_prefix('}');
    }
    let after = text.strip_prefix(name)?;
    let goes_on = after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    (!goes_on).then_some(after)
}

/// The directory part of a path, as the loader cuts it.
pub(super) fn directory_of(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) => "/",
        Some(at) => &path[..at],
        None => ".",
    }
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
