//! Users and groups: which are missing, and which are others.

use std::collections::BTreeMap;

use super::{Difference, Importance};
use crate::salvage::accounts::Accounts;
use crate::salvage::record::{Group, User};

/// Below it are the numbers that packages take as they come (Debian Policy,
/// 9.2.2; login.defs(5)).
const PEOPLE: u32 = 1000;

/// What differs, each with whether it is only noted.
pub(super) fn compare(
    users: &[User],
    groups: &[Group],
    now: &Accounts,
    stale: &[BTreeMap<String, u64>; 2],
) -> Vec<(Difference, bool)> {
    let mut all = Vec::new();
    for then in users {
        let found = now.user(&then.name);
        let paths = stale[0].get(&then.name).copied().unwrap_or(0);
        all.extend(user(then, found, paths));
    }
    for then in groups {
        let found = now.group(&then.name);
        let paths = stale[1].get(&then.name).copied().unwrap_or(0);
        all.extend(group(then, found, paths));
    }
    all
}

fn user(then: &User, now: Option<&User>, paths: u64) -> Option<(Difference, bool)> {
    let mut what = Vec::new();
    let mut matters = true;
    match now {
        None => what.push("there is no such user".to_owned()),
        Some(now) => {
            matters = then.uid >= PEOPLE || paths > 0;
            number(&mut what, then.uid, now.uid, paths);
            let fields = [
                ("home", &then.home, &now.home),
                ("shell", &then.shell, &now.shell),
            ];
            for (name, then, now) in fields {
                if then != now {
                    what.push(format!("{name} was {then}, is {now}"));
                    matters = true;
                }
            }
        }
    }
    told("user", &then.name, what, matters, paths)
}

fn group(then: &Group, now: Option<&Group>, paths: u64) -> Option<(Difference, bool)> {
    let mut what = Vec::new();
    let mut matters = true;
    match now {
        None => what.push("there is no such group".to_owned()),
        Some(now) => {
            matters = then.gid >= PEOPLE || paths > 0;
            number(&mut what, then.gid, now.gid, paths);
            let lost = then.members.iter().filter(|one| !now.members.contains(one));
            let lost: Vec<&str> = lost.map(String::as_str).collect();
            if !lost.is_empty() {
                what.push(format!("{} not in it any more", lost.join(", ")));
                matters = true;
            }
        }
    }
    told("group", &then.name, what, matters, paths)
}

fn number(what: &mut Vec<String>, then: u32, now: u32, paths: u64) {
    if then != now {
        what.push(format!("number was {then}, is {now}"));
    }
    if paths > 0 {
        what.push(format!("{paths} paths still have the old number"));
    }
}

fn told(
    kind: &str,
    name: &str,
    what: Vec<String>,
    matters: bool,
    paths: u64,
) -> Option<(Difference, bool)> {
    (!what.is_empty()).then(|| {
        let difference = Difference {
            importance: Importance::Account,
            subject: format!("{kind} {name}"),
            what,
            below: 0,
            // Only the paths are, and the number stays.
            can_be_fixed: false,
        };
        (difference, !matters && paths == 0)
    })
}
