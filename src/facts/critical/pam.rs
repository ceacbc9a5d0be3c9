//! The PAM modules that a login of one service goes through.
//!
//! Source: pam.conf(5), pam.d(5).

use std::collections::HashSet;

use crate::sys::root_dir::RootDir;

/// Where stacks lie, what counts most first.
const STACKS: [&str; 2] = ["/etc/pam.d", "/usr/lib/pam.d"];

/// Files that include each other; libpam allows as many.
const DEPTH_MAX: usize = 16;

/// Modules of one service that are looked at.
const MODULES_MAX: usize = 1000;

const LIMIT: u64 = 1 << 20;

/// What it means when a module cannot be loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// Nobody gets in.
    Required,
    /// It is one of several ways.
    Alternative,
    /// Nothing.
    Optional,
}

/// One line of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Module {
    /// `pam_unix.so`, or a path.
    pub(super) name: String,
    /// `auth`, `account`, `session`, `password`.
    pub(super) kind: String,
    pub(super) weight: Weight,
    /// The file that the line is in.
    pub(super) file: String,
}

/// The modules of `service`, the files that it includes followed. `other` is
/// used for a service without a file.
pub(super) fn modules(root: &RootDir, service: &str) -> Vec<Module> {
    let mut reader = Reader {
        root,
        open: HashSet::new(),
        modules: Vec::new(),
    };
    if !reader.service(service, None, 0) {
        reader.service("other", None, 0);
    }
    reader.modules
}

struct Reader<'r> {
    root: &'r RootDir,
    /// The files on the way; one that includes itself is not read again.
    open: HashSet<String>,
    modules: Vec<Module>,
}

impl Reader<'_> {
    /// Reads a stack, or its lines of one kind; false when there is none.
    fn service(&mut self, name: &str, kind: Option<&str>, depth: usize) -> bool {
        // A name is a file of the folder and no way out of it.
        if depth > DEPTH_MAX || name.contains('/') {
            return false;
        }
        for folder in STACKS {
            let path = format!("{folder}/{name}");
            if let Ok(text) = self.root.read_text(&path, LIMIT) {
                if self.open.insert(path.clone()) {
                    self.lines(&text, &path, kind, depth);
                    self.open.remove(&path);
                }
                return true;
            }
        }
        false
    }

    fn lines(&mut self, text: &str, path: &str, only: Option<&str>, depth: usize) {
        for line in text.replace("\\\n", " ").lines() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if self.modules.len() >= MODULES_MAX {
                return;
            }
            if let Some(name) = line.strip_prefix("@include") {
                self.service(name.trim(), only, depth + 1);
                continue;
            }
            let Some((kind, control, name)) = fields(line) else {
                continue;
            };
            let (kind, silent) = match kind.strip_prefix('-') {
                Some(kind) => (kind, true),
                None => (kind, false),
            };
            if only.is_some_and(|only| only != kind) {
                continue;
            }
            if matches!(control, "include" | "substack") {
                self.service(name, Some(kind), depth + 1);
                continue;
            }
            self.modules.push(Module {
                name: name.to_owned(),
                kind: kind.to_owned(),
                weight: if silent {
                    Weight::Optional
                } else {
                    weight(control)
                },
                file: path.to_owned(),
            });
        }
    }
}

/// Kind, control and module of a line.
fn fields(line: &str) -> Option<(&str, &str, &str)> {
    let (kind, rest) = line.split_once(char::is_whitespace)?;
    let rest = rest.trim_start();
    let (control, rest) = if rest.starts_with('[') {
        let end = rest.find(']')? + 1;
        rest.split_at(end)
    } else {
        rest.split_once(char::is_whitespace)?
    };
    let name = rest.split_whitespace().next()?;
    Some((kind, control, name))
}

/// What a control says about a module that libpam cannot load: it stands for
/// one that answers `module_unknown`.
fn weight(control: &str) -> Weight {
    match control {
        "optional" => return Weight::Optional,
        "sufficient" => return Weight::Alternative,
        _ => {}
    }
    let Some(pairs) = control.strip_prefix('[') else {
        return Weight::Required;
    };
    let mut unknown = None;
    let mut default = None;
    let mut jumps = false;
    for pair in pairs.trim_end_matches(']').split_whitespace() {
        let (key, action) = pair.split_once('=').unwrap_or((pair, ""));
        match key {
            "module_unknown" => unknown = Some(action),
            "default" => default = Some(action),
            "success" => {
                let is_number = action.parse::<u32>().is_ok_and(|number| number > 0);
                jumps = is_number || action == "done";
            }
            _ => {}
        }
    }
    match unknown.or(default) {
        Some("bad" | "die") => Weight::Required,
        // What follows is passed over only if it succeeds.
        _ if jumps => Weight::Alternative,
        _ => Weight::Optional,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;

    use super::*;

    #[test]
    fn debians_stacks_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("etc/pam.d");
        fs::create_dir_all(&folder).unwrap();
        let login = "auth optional pam_faildelay.so delay=3000000\n\
            auth [success=ok new_authtok_reqd=ok ignore=ignore user_unknown=bad default=die] \
            pam_securetty.so\n@include common-auth\n-session optional pam_gone.so\n\
            account include common-account\n";
        fs::write(folder.join("login"), login).unwrap();
        let auth = "auth [success=1 default=ignore] pam_unix.so nullok\n\
            auth requisite pam_deny.so # no\nauth required pam_permit.so\n@include login\n";
        fs::write(folder.join("common-auth"), auth).unwrap();
        let account = "account required pam_a.so\nauth required pam_never.so\n";
        fs::write(folder.join("common-account"), account).unwrap();
        let root = RootDir::open(dir.path()).unwrap();
        let found: Vec<_> = modules(&root, "login")
            .into_iter()
            .map(|module| (module.name, module.weight))
            .collect();
        let expected = [
            ("pam_faildelay.so", Weight::Optional),
            ("pam_securetty.so", Weight::Required),
            ("pam_unix.so", Weight::Alternative),
            ("pam_deny.so", Weight::Required),
            ("pam_permit.so", Weight::Required),
            ("pam_gone.so", Weight::Optional),
            ("pam_a.so", Weight::Required),
        ];
        let expected = expected.map(|(name, weight)| (name.to_owned(), weight));
        assert_eq!(found, expected);
        assert!(modules(&root, "nothing").is_empty());
        assert!(modules(&root, "../pam.d/login").is_empty());
    }
}
