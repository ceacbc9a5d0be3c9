//! Packages: which are absent, and which have another version.

use std::collections::HashMap;

use super::{Difference, Importance};
use crate::salvage::record::Package;

/// By name; several where there are several architectures.
pub(super) type Now = HashMap<String, Vec<Package>>;

/// Packages with a version in their name: a new installation has others.
const KERNELS: [&str; 4] = [
    "linux-image-",
    "linux-headers-",
    "linux-modules-",
    "linux-kbuild-",
];

pub(super) fn by_name(packages: &[Package]) -> Now {
    let mut now = Now::new();
    for package in packages.iter().filter(|package| is_on_disk(package)) {
        let all = now.entry(package.name.clone()).or_default();
        all.push(package.clone());
    }
    now
}

fn is_on_disk(package: &Package) -> bool {
    !matches!(package.state.as_str(), "config-files" | "not-installed")
}

/// The one for the same machine, or one for all where that changed.
fn find<'n>(then: &Package, now: &'n Now) -> Option<&'n Package> {
    let is_for_all = |package: &Package| package.architecture == "all";
    let all = now.get(&then.name)?;
    let own = all.iter().find(|one| one.architecture == then.architecture);
    own.or_else(|| all.iter().find(|one| is_for_all(one) || is_for_all(then)))
}

/// True when it is absent now, or another version.
pub(super) fn is_changed(then: &Package, now: &Now) -> bool {
    find(then, now).is_none_or(|now| now.version != then.version)
}

/// What differs, each with whether it is only noted.
pub(super) fn compare<'p>(
    then: impl Iterator<Item = &'p Package>,
    now: &Now,
) -> Vec<(Difference, bool)> {
    let then = then.filter(|package| is_on_disk(package));
    then.filter_map(|package| one(package, find(package, now)))
        .collect()
}

fn one(then: &Package, now: Option<&Package>) -> Option<(Difference, bool)> {
    let (what, is_noted) = match now {
        None => {
            let is_kernel = KERNELS.iter().any(|start| {
                let rest = then.name.strip_prefix(start);
                rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
            });
            ("not installed".to_owned(), then.automatic || is_kernel)
        }
        Some(now) if now.version != then.version => {
            (format!("was {}, is {}", then.version, now.version), true)
        }
        Some(_) => return None,
    };
    let difference = Difference {
        importance: Importance::Package,
        subject: then.name.clone(),
        what: vec![what],
        below: 0,
        can_be_fixed: false,
    };
    Some((difference, is_noted))
}
