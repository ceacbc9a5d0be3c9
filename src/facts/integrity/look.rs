//! One look at everything that packages own: what is there, nothing opened but
//! directories, each of them once.

use nix::errno::Errno;
use rayon::prelude::*;

use super::owned::{Owned, split};
use crate::sys::root_dir::{Meta, RootDir};

/// What lies at a path, a link at its end not followed.
pub(super) type Seen = Result<Meta, Errno>;

/// What lies at the path of each claim, in their order.
pub(super) fn look(root: &RootDir, owned: &Owned) -> Vec<Seen> {
    let mut order: Vec<usize> = (0..owned.claims.len()).collect();
    order.par_sort_unstable_by(|a, b| {
        let (a, b) = (split(owned.path(*a)), split(owned.path(*b)));
        a.0.as_os_str().cmp(b.0.as_os_str()).then(a.1.cmp(b.1))
    });
    let same_directory = |a: &usize, b: &usize| {
        split(owned.path(*a)).0.as_os_str() == split(owned.path(*b)).0.as_os_str()
    };
    let directories: Vec<&[usize]> = order.chunk_by(same_directory).collect();
    let looked = directories
        .into_par_iter()
        .map(|claims| directory(root, owned, claims));
    let looked: Vec<Vec<(usize, Seen)>> = looked.collect();
    let mut seen = vec![Err(Errno::ENOENT); owned.claims.len()];
    for (claim, what) in looked.into_iter().flatten() {
        seen[claim] = what;
    }
    seen
}

/// What lies at the paths of `claims`, all in one directory and sorted.
fn directory(root: &RootDir, owned: &Owned, claims: &[usize]) -> Vec<(usize, Seen)> {
    let mut seen: Vec<(usize, Seen)> = Vec::with_capacity(claims.len());
    let Some(first) = claims.first() else {
        return seen;
    };
    let directory = root.directory_behind(split(owned.path(*first)).0);
    let directory = directory.map_err(|error| errno(&error));
    let mut before = None;
    for claim in claims {
        let name = split(owned.path(*claim)).1;
        let what = match (before, seen.last(), &directory) {
            // Several packages own it.
            (Some(same), Some((_, what)), _) if same == name => *what,
            (_, _, Ok(directory)) => directory.metadata(name).map_err(|error| errno(&error)),
            (_, _, Err(errno)) => Err(*errno),
        };
        seen.push((*claim, what));
        before = Some(name);
    }
    seen
}

pub(super) fn errno(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}
