//! One library, searched as musl does.
//!
//! Source: musl ldso/dynlink.c, `load_library`, `path_open` and `fixup_rpath`.
//! It knows no cache, no hwcaps directories and no `$LIB`; RPATH and RUNPATH
//! are the same to it, and both are inherited.

use nix::errno::Errno;

use super::damage::Damage;
use super::search::{Member, Outcome, Search, Trail};
use super::tokens::{DIRECTORIES_MAX, directory_of};
use crate::sys::root_dir::RootDir;

/// Libraries that are part of the loader itself.
const BUILT_IN: [&str; 7] = ["c", "pthread", "rt", "m", "dl", "util", "xnet"];

/// Most bytes of a path file.
const PATH_FILE_BYTES_MAX: u64 = 64 * 1024;

/// True for a name that means the loader itself.
pub(super) fn is_built_in(name: &str) -> bool {
    name.strip_prefix("lib")
        .and_then(|rest| rest.split_once('.'))
        .is_some_and(|(stem, _)| BUILT_IN.contains(&stem))
}

/// The directories of `/etc/ld-musl-ARCH.path` below the loader's own prefix,
/// which replace those compiled in, if there is such a file.
pub(super) fn path_file(root: &RootDir, interpreter: &str) -> Option<Vec<String>> {
    let name = interpreter.rsplit('/').next().unwrap_or(interpreter);
    let arch = name.strip_suffix(".so.1").unwrap_or(name);
    let prefix = directory_of(directory_of(interpreter)).trim_end_matches('/');
    let file = format!("{prefix}/etc/{arch}.path");
    root.metadata(&file).ok()?;
    let text = root.read_text(&file, PATH_FILE_BYTES_MAX);
    Some(split(&text.unwrap_or_default()))
}

impl Search<'_> {
    /// Finds the file for `name` as asked for by `members[requester]`.
    pub(super) fn find_musl(
        &self,
        members: &[Member],
        requester: usize,
        name: &str,
        trail: &mut Trail,
    ) -> Outcome {
        if name.contains('/') {
            trail.add(directory_of(name));
            return match self.attempt_musl(name) {
                Ok(end) => end,
                Err(_) => Outcome::Missing,
            };
        }
        let mut above = Some(requester);
        let mut lists = vec![split(self.library_path)];
        while let Some(member) = above.map(|index| &members[index]) {
            lists.push(rpath(member));
            above = member.requester;
        }
        lists.push(self.constants.system_dirs.clone());
        for directory in lists.iter().flatten() {
            trail.add(directory);
            let path = format!("{directory}{name}");
            match self.attempt_musl(&path) {
                Ok(end) => return end,
                Err(Errno::ENOENT | Errno::ENOTDIR | Errno::EACCES | Errno::ENAMETOOLONG) => {}
                Err(errno) => {
                    if errno == Errno::ELOOP {
                        trail.loop_at = Some(path);
                    }
                    return Outcome::Missing;
                }
            }
        }
        Outcome::Missing
    }

    /// The first file that opens is taken, whatever is in it.
    fn attempt_musl(&self, path: &str) -> Result<Outcome, Errno> {
        self.count_attempt()?;
        let opened = self.files.open(path)?;
        let damage = match opened.object.as_ref() {
            Err(damage) => Some(damage.clone()),
            Ok(object) if object.machine != self.machine => Some(Damage::not_loadable(format!(
                "it is for {}",
                object.machine
            ))),
            Ok(object) if !object.is_dynamic => Some(Damage::not_loadable("no dynamic section")),
            Ok(_) => None,
        };
        Ok(match damage {
            None => Outcome::Found {
                path: path.into(),
                opened,
            },
            Some(damage) => Outcome::Broken {
                path: path.to_owned(),
                damage,
            },
        })
    }
}

/// RUNPATH, else RPATH; nothing when it holds a `$` other than `$ORIGIN`.
fn rpath(member: &Member) -> Vec<String> {
    let object = member.object();
    let Some(path) = object.and_then(|object| object.runpath.as_ref().or(object.rpath.as_ref()))
    else {
        return Vec::new();
    };
    let expanded = path.replace("${ORIGIN}", "\0").replace("$ORIGIN", "\0");
    if expanded.contains('$') {
        return Vec::new();
    }
    split(&expanded)
        .into_iter()
        .take(DIRECTORIES_MAX)
        .map(|directory| directory.replace('\0', member.origin()))
        .collect()
}

fn split(path: &str) -> Vec<String> {
    path.split([':', '\n'])
        .filter(|directory| directory.starts_with(['/', '\0']))
        .map(|directory| format!("{directory}/"))
        .collect()
}
