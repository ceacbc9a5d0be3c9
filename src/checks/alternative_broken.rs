//! A link of the alternatives system leads nowhere.

use super::{Check, dpkg, tree_with_usr};
use crate::facts::Facts;
use crate::facts::packages::dpkg::BrokenSlave;
use crate::finding::{Evidence, Finding, Findings, Severity, Stage};

/// What a minimal system leaves out on purpose.
const DOCUMENTS: [&str; 3] = ["/usr/share/man/", "/usr/share/doc/", "/usr/share/info/"];

pub(super) const CHECK: Check = Check {
    id: "packages/alternative-broken",
    stage: Stage::Packages,
    page: include_str!("../../docs/findings/packages/alternative-broken.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let (Some(dpkg), Some(tree)) = (dpkg(facts), tree_with_usr(facts)) else {
        return;
    };
    // In a directory that was replaced everything is missing.
    if tree.layout.unknown || !tree.layout.suspects.is_empty() {
        return;
    }
    for broken in &dpkg.broken_alternatives {
        if is_document(&broken.link) {
            continue;
        }
        let place = format!("/etc/alternatives/{}", broken.name);
        let owner = broken.owner.as_deref();
        // What a package owns was lost; the rest was removed by somebody.
        let severity = match owner {
            Some(_) => Severity::Degraded,
            None => Severity::Note,
        };
        let seen = match (&broken.target, owner) {
            (Some(target), Some(owner)) => {
                format!("leads to {target} of {owner}, which is not there")
            }
            (Some(target), None) => format!("leads to {target}, which is not there"),
            (None, _) => "is not there, or no link".to_owned(),
        };
        let advice = match (owner, broken.there.first()) {
            (Some(owner), _) => format!("in a chroot: apt-get install --reinstall {owner}"),
            (None, Some(_)) => format!("chroot ROOT update-alternatives --auto {}", broken.name),
            (None, None) => format!(
                "chroot ROOT update-alternatives --remove-all {}",
                broken.name
            ),
        };
        let title = format!("{} leads nowhere", broken.link);
        let there = broken.there.first().map(|path| {
            let file = format!("{}/alternatives/{}", dpkg.database.home, broken.name);
            Evidence::seen(file, format!("a choice that is there: {path}"))
        });
        let finding = CHECK
            .finding(severity, &place, title)
            .with([Evidence::seen(&place, seen)])
            .with(there)
            .by_hand(advice);
        out.push(finding);
    }
    let slaves = dpkg.broken_slaves.iter();
    for broken in slaves.filter(|slave| !is_document(&slave.link)) {
        out.push(slave(broken));
    }
}

fn is_document(link: &str) -> bool {
    DOCUMENTS.iter().any(|place| link.starts_with(place))
}

/// A link that goes with another one.
fn slave(broken: &BrokenSlave) -> Finding {
    let place = format!("/etc/alternatives/{}", broken.name);
    let owner = broken.owner.as_deref();
    let by = owner.map_or(String::new(), |owner| format!(" of {owner}"));
    let (title, seen, lost) = match &broken.missing {
        Some(missing) => {
            let title = format!("{} is missing", broken.link);
            let seen = Evidence::seen(missing, "is not there");
            (
                title,
                seen.expected(format!("a link to {}", broken.target)),
                None,
            )
        }
        None => {
            let title = format!("{} leads nowhere", broken.link);
            let seen = format!("should lead to {}{by}, and leads nowhere", broken.target);
            (title, Evidence::seen(&place, seen), owner)
        }
    };
    let master = format!("goes with {}, which is {}", broken.master, broken.choice);
    let advice = match lost {
        Some(owner) => format!("in a chroot: apt-get install --reinstall {owner}"),
        None => format!(
            "chroot ROOT update-alternatives --set {} {}",
            broken.group, broken.choice
        ),
    };
    let severity = match owner {
        Some(_) => Severity::Degraded,
        None => Severity::Note,
    };
    CHECK
        .finding(severity, &place, title)
        .with([seen, Evidence::seen(&broken.link, master)])
        .by_hand(advice)
}
