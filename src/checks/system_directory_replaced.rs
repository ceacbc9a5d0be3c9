//! A system directory was renamed, and a link, nothing or an impostor stands
//! in its place.

use super::{Check, usr_unseen};
use crate::facts::layout::{Expected, Seen, Suspect};
use crate::facts::{Facts, Tree};
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "root/system-directory-replaced",
    stage: Stage::Root,
    page: include_str!("../../docs/findings/root/system-directory-replaced.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = &facts.tree else { return };
    if usr_unseen(tree) {
        let why = "fstab has a filesystem for it, which is not mounted here";
        out.could_not_tell(Stage::Root, "/usr", why);
        return;
    }
    if tree.layout.unknown {
        out.could_not_tell(
            Stage::Root,
            "whether the system directories are the right ones",
            "no file list of dpkg could be read",
        );
    }
    for suspect in &tree.layout.suspects {
        if suspect.expected != Expected::Directory {
            continue;
        }
        let path = &suspect.path;
        let title = match &suspect.seen {
            Seen::Link { target } => format!("{path} is a link to {target}, not the directory"),
            Seen::Missing => format!("{path} is missing"),
            Seen::Directory => format!("another directory stands in the place of {path}"),
            Seen::Other => format!("{path} is no directory"),
        };
        let mut finding = CHECK
            .finding(severity(tree, path), path, title)
            .with(evidence(suspect));
        finding = match suspect.siblings.first() {
            Some(sibling) => finding
                .because(format!("somebody renamed {path} to {}", sibling.path))
                .by_hand(by_hand(suspect, &sibling.path)),
            None => finding
                .by_hand("no directory holds its files; reinstall the packages that own them"),
        };
        out.push(finding);
    }
}

/// The boot stops when the way to PID 1 leads through the place; everything
/// else in it (sshd, network, getty) is lost to the running system.
pub(super) fn severity(tree: &Tree, path: &str) -> Severity {
    let on_the_way = tree
        .init
        .trail
        .iter()
        .any(|step| std::path::Path::new(step).starts_with(path));
    if on_the_way && !tree.init.closure.starts() {
        Severity::Blocker
    } else if [
        "/etc",
        "/usr",
        "/usr/bin",
        "/usr/sbin",
        "/usr/lib",
        "/bin",
        "/sbin",
        "/lib",
    ]
    .contains(&path)
    {
        Severity::Unreachable
    } else {
        Severity::Degraded
    }
}

fn evidence(suspect: &Suspect) -> Vec<Evidence> {
    let seen = match &suspect.seen {
        Seen::Link { target } => format!("link to {target}"),
        Seen::Missing => "nothing".into(),
        Seen::Directory => "a directory".into(),
        Seen::Other => "no directory".into(),
    };
    let count = format!(
        "{} of {} names that packages own are found through it",
        suspect.reachable, suspect.owned
    );
    let mut all = vec![
        Evidence::seen(&suspect.path, seen).expected("the directory that packages own"),
        Evidence::seen(&suspect.path, count),
    ];
    all.extend(suspect.siblings.iter().map(|sibling| {
        let holds = format!("holds {} of them", sibling.holds);
        Evidence::seen(&sibling.path, holds)
    }));
    let strays = suspect.strays.len();
    if strays > 0 {
        let first = suspect.strays.first().map_or("", |s| s.home.as_str());
        let what = format!("one of {strays} things that were put elsewhere since");
        all.push(Evidence::seen(first, what));
    }
    all
}

fn by_hand(suspect: &Suspect, sibling: &str) -> String {
    let in_root = |path: &str| shell_words::quote(&format!("ROOT{path}")).into_owned();
    let (path, sibling) = (in_root(&suspect.path), in_root(sibling));
    match suspect.seen {
        Seen::Missing => format!("mv {sibling} {path}"),
        Seen::Link { .. } => format!("rm {path} && mv {sibling} {path}"),
        Seen::Directory | Seen::Other => {
            format!("mv {path} {path}.aside && mv {sibling} {path}")
        }
    }
}
