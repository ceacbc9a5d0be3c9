//! What the loader's refusals mean in a whole root: a program that nobody can
//! start is broken; a plugin is judged only in the program that loads it, and
//! files for another machine or another system not at all.

use std::collections::{HashMap, HashSet};

use super::object::Machine;
use super::problem::Problem;
use super::walk::Found;

/// Where programs are kept with libraries of their own, and how many names of
/// the path make one bundle.
const BUNDLES: [(&str, usize); 6] = [
    ("/home/", 3),
    ("/usr/lib/", 3),
    ("/usr/libexec/", 3),
    ("/usr/local/", 3),
    ("/usr/share/", 3),
    ("/var/", 3),
];

/// The other directories of the system; what else stands at the top (`/opt`,
/// `/srv`, `/data`) holds bundles.
const SYSTEM: [&str; 6] = ["/usr/", "/bin/", "/sbin/", "/lib", "/etc/", "/boot/"];

/// How many names of the path make one bundle there.
const AT_THE_TOP: usize = 2;

/// What is to be found where in a root.
#[derive(Debug)]
pub(super) struct Judge<'f> {
    native: Option<Machine>,
    /// The loaders that the system's programs name, those of bundles apart.
    loaders: HashSet<&'f str>,
    /// The paths of the files with each name or soname.
    by_name: HashMap<&'f str, Vec<&'f str>>,
}

impl<'f> Judge<'f> {
    pub(super) fn new(found: &'f [Found]) -> Self {
        let mut machines: HashMap<Machine, usize> = HashMap::new();
        let mut by_name: HashMap<&str, Vec<&str>> = HashMap::new();
        let mut loaders = HashSet::new();
        for file in found {
            if bundle(&file.path).is_none() {
                loaders.extend(file.interpreter.as_deref());
            }
            *machines.entry(file.machine).or_default() += usize::from(file.is_program);
            let last = file.path.rsplit('/').next().unwrap_or_default();
            by_name.entry(last).or_default().push(&file.path);
            if let Some(soname) = file.soname.as_deref().filter(|soname| *soname != last) {
                by_name.entry(soname).or_default().push(&file.path);
            }
        }
        let most = machines.into_iter().max_by_key(|(_, programs)| *programs);
        Self {
            native: most.map(|(machine, _)| machine),
            loaders,
            by_name,
        }
    }

    /// True when the file is for a machine whose programs this root cannot
    /// start, or in a bundle for many systems and for another one: nothing of
    /// the system itself names its loader.
    pub(super) fn is_foreign(&self, found: &Found, problems: &[Problem]) -> bool {
        let in_bundle = bundle(&found.path).is_some();
        problems.iter().any(|problem| match problem {
            Problem::InterpreterMissing { interpreter, .. } => {
                let is_own = self.loaders.contains(interpreter.as_str());
                Some(found.machine) != self.native || (in_bundle && !is_own)
            }
            _ => false,
        })
    }

    /// True when the program's bundle has what it misses: a script that starts
    /// it says where.
    pub(super) fn is_in_bundle(&self, path: &str, problem: &Problem) -> bool {
        let Some(bundle) = bundle(path) else {
            return false;
        };
        let name = match problem {
            Problem::LibraryMissing { name, .. } => name.rsplit('/').next().unwrap_or(name),
            Problem::VersionMissing { library, .. } => library,
            _ => return false,
        };
        let paths = self.by_name.get(name).into_iter().flatten();
        let mut inside = paths.filter(|path| path.starts_with(bundle));
        inside.next().is_some()
    }
}

/// The top of the bundle that `path` belongs to, with a slash at its end.
fn bundle(path: &str) -> Option<&str> {
    let listed = BUNDLES.iter().find(|(top, _)| path.starts_with(top));
    let names = match listed {
        Some((_, names)) => *names,
        None if SYSTEM.iter().any(|top| path.starts_with(top)) => return None,
        None => AT_THE_TOP,
    };
    // One slash stands before each name, and one behind the last.
    let (end, _) = path.match_indices('/').nth(names)?;
    path.get(..=end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_has_a_directory_of_its_own() {
        assert_eq!(bundle("/opt/x/bin/y"), Some("/opt/x/"));
        assert_eq!(
            bundle("/usr/lib/firefox/firefox"),
            Some("/usr/lib/firefox/")
        );
        assert_eq!(bundle("/var/www/site/bin/y"), Some("/var/www/site/"));
        assert_eq!(bundle("/data/x/bin/y"), Some("/data/x/"));
        assert_eq!(bundle("/lib64/x/bin/y"), None);
        assert_eq!(bundle("/usr/lib/program"), None);
        assert_eq!(bundle("/usr/libexec/program"), None);
        assert_eq!(bundle("/opt/program"), None);
        assert_eq!(bundle("/usr/bin/program"), None);
    }
}
