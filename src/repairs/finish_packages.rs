//! Lets dpkg and apt of the patient finish what was interrupted, with the
//! packages that are there: they download nothing, and nothing is removed from
//! the cache. What that lacks Lifeboot itself may bring (`--network`).

use super::{Download, Kind, Outline, Program, Risk, cost, unpack_packages};
use crate::facts::Facts;
use crate::facts::packages::{Dpkg, Packages};
use crate::finding::Finding;

pub(super) const KIND: Kind = Kind {
    name: "finish-packages",
    removes: &["packages/upgrade-interrupted"],
    plan,
};

/// The operator's own files stay, and nobody is asked (dpkg(1)).
const KEEP_CONFFILES: [&str; 2] = ["--force-confdef", "--force-confold"];

fn plan(facts: &Facts, _finding: &Finding) -> Option<Outline> {
    let tree = facts.tree.as_ref()?;
    let Packages::Dpkg(dpkg) = &tree.packages else {
        return None;
    };
    // It would not start.
    if unpack_packages::is_out_of_reach(tree) {
        return None;
    }
    // A damaged database is brought back first: dpkg would refuse it, or lose
    // more.
    if !dpkg.faults.is_empty() {
        return None;
    }
    let unfinished = dpkg.unfinished();
    let untouched = untouched(dpkg);
    let title = match (unfinished.len(), untouched) {
        (0, 0) => "let dpkg finish what was interrupted".to_owned(),
        (count, 0) => format!("let dpkg finish {}", packages(count)),
        (0, left) => format!("go on with the upgrade: {} to do", packages(left)),
        (count, left) => format!(
            "let dpkg finish {}, then go on with the upgrade: {} to do",
            packages(count),
            packages(left)
        ),
    };
    let mut programs = Vec::new();
    let mut archives: Vec<&str> = unfinished
        .iter()
        .filter(|package| package.is_cut_off())
        .filter_map(|package| dpkg.archive_of(package))
        .collect();
    archives.sort_unstable();
    archives.dedup();
    if !archives.is_empty() {
        let words = [&["dpkg", "--unpack"], archives.as_slice()].concat();
        programs.push(Program::that_may_fail(&words));
    }
    let configure = configure();
    // Without apt's lists there is nothing that could mend a dependency.
    let has_apt = dpkg.has(|name| name == "apt");
    match has_apt {
        true => {
            programs.push(Program {
                may_fail: true,
                ..configure
            });
            programs.push(apt(&["-f", "install"]));
            if untouched > 0 {
                programs.push(apt(&["full-upgrade"]));
            }
        }
        false => programs.push(configure),
    }
    let count = unfinished.len() + untouched;
    let download = download(dpkg);
    let bytes = download.as_ref().map_or(0, |download| download.bytes);
    let minutes = cost::packages(count).saturating_add(cost::fetched(bytes));
    Some(Outline {
        title,
        risk: Risk::Medium,
        programs,
        minutes,
        download,
        ..Outline::default()
    })
}

/// Lets dpkg configure all that is unpacked.
pub(super) fn configure() -> Program {
    let words = [&["dpkg"], &KEEP_CONFFILES[..], &["--configure", "-a"]].concat();
    Program::new(&words)
}

fn packages(count: usize) -> String {
    match count {
        1 => "1 package".to_owned(),
        count => format!("{count} packages"),
    }
}

/// What is lacking on the way forward.
fn download(dpkg: &Dpkg) -> Option<Download> {
    let way = dpkg.standing.forward.as_ref()?;
    let packages = way.missing.len() + way.damaged.len();
    (packages > 0).then_some(Download {
        packages,
        offered: way.offered,
        bytes: way.download,
    })
}

/// Packages of the interrupted run that were not begun.
fn untouched(dpkg: &Dpkg) -> usize {
    dpkg.upgrade.as_ref().map_or(0, |run| run.untouched)
}

fn apt(words: &[&str]) -> Program {
    let options = [
        "apt-get",
        "-y",
        "--no-download",
        "-o",
        "Dpkg::Options::=--force-confdef",
        "-o",
        "Dpkg::Options::=--force-confold",
    ];
    Program {
        wants_archives: true,
        ..Program::new(&[&options, words].concat())
    }
}
