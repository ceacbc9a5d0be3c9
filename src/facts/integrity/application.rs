//! Directories of applications: what a recursive command changes there concerns
//! the application and no part of the system.

use std::collections::BTreeSet;

use super::Scope;
use super::look::Seen;
use super::modes::{Change, Extent, Spelling};
use super::owned::Owned;
use crate::sys::root_dir::RootDir;

/// An application may come in parts.
const PACKAGES_MAX: usize = 4;

/// `/usr/share/phpmyadmin`, not `/usr/share`.
const DEPTH_MIN: usize = 3;

/// Marks the directories whose owner was changed and that hold nothing but an
/// application: packages without which Debian calls a system complete
/// (Policy, 2.5), and no file that the boot needs.
pub(super) fn mark(
    root: &RootDir,
    owned: &Owned,
    seen: &[Seen],
    scope: &Scope,
    extents: &mut [Extent],
) {
    let is_owner = |extent: &&mut Extent| {
        let depth = extent.top.split('/').filter(|part| !part.is_empty());
        matches!(extent.change, Change::Owner { .. }) && depth.count() >= DEPTH_MIN
    };
    let spelling = Spelling::of(root);
    for extent in extents.iter_mut().filter(is_owner) {
        extent.application = is_application(&spelling, owned, seen, scope, &extent.top);
    }
}

fn is_application(
    spelling: &Spelling,
    owned: &Owned,
    seen: &[Seen],
    scope: &Scope,
    top: &str,
) -> bool {
    let inside = format!("{}/", top.trim_start_matches('/'));
    let mut packages = BTreeSet::new();
    for (claim, seen) in seen.iter().enumerate() {
        if !spelling
            .real(owned.path(claim))
            .starts_with(inside.as_bytes())
        {
            continue;
        }
        let package = &owned.owner(claim).package;
        let of_the_system = package.essential
            || matches!(
                package.priority.as_str(),
                "required" | "important" | "standard"
            );
        let id = seen.ok().map(|meta| (meta.dev, meta.ino));
        if of_the_system || scope.boot.has(&owned.shown(claim), id) {
            return false;
        }
        packages.insert(owned.claims[claim].package);
    }
    (1..=PACKAGES_MAX).contains(&packages.len())
}
