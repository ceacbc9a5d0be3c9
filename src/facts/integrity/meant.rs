//! Changes of many paths that the packages themselves made.

use std::collections::HashMap;

use super::accounts::Accounts;
use super::look::Seen;
use super::modes::{Change, Extent, SHARE_MIN, Spelling, changes};
use super::owned::Owned;
use super::scripts::{Everyone, Scripts};
use crate::sys::root_dir::RootDir;

/// So many paths are enough to tell.
const PATHS_MAX: usize = 5000;

/// True for what a package may give its own files: to its service, or closed to
/// others.
pub(super) fn may_be_meant(extent: &Extent, accounts: &Accounts) -> bool {
    match extent.change {
        Change::Owner { uid } => !accounts.is_no_service(uid),
        Change::DirectoryMode { mode } | Change::FileMode { mode } => mode & 0o007 == 0,
    }
}

/// True when the maintainer scripts of the packages may have done it, as for
/// the configuration of some services.
pub(super) fn is_of_scripts(
    root: &RootDir,
    owned: &Owned,
    seen: &[Seen],
    spelling: &Spelling,
    extent: &Extent,
) -> bool {
    let packages: Vec<_> = owned.packages.iter().map(|owner| &owner.package).collect();
    let everyone = Everyone::of(root, &owned.home, &packages);
    let top = extent.top.trim_start_matches('/');
    let is_changed = |path: &str| {
        ["etc/", "var/"].iter().any(|at| path.starts_with(at)) && everyone.may_change(path)
    };
    if is_changed(top) {
        return true;
    }
    let top = top.as_bytes();
    let mut scripts: HashMap<u32, Scripts> = HashMap::new();
    let (mut all, mut excused) = (0, 0);
    for (claim, seen) in seen.iter().enumerate() {
        let Ok(meta) = seen else { continue };
        let path = owned.path(claim);
        if !changes(path, meta).contains(&extent.change) {
            continue;
        }
        let real = spelling.real(path);
        let rest = real.strip_prefix(top);
        if !rest.is_some_and(|rest| top.is_empty() || rest.is_empty() || rest[0] == b'/') {
            continue;
        }
        let own = scripts.entry(owned.claims[claim].package);
        let own =
            own.or_insert_with(|| Scripts::of(root, &owned.home, &owned.owner(claim).package));
        all += 1;
        if all > PATHS_MAX {
            break;
        }
        excused += usize::from(own.may_change(&String::from_utf8_lossy(&real)));
    }
    excused * 100 >= all * SHARE_MIN
}
