//! A library's link does not lead to the library it is named for.

use super::surroundings::{few, is_misplaced, owned_by};
use super::{Check, tree_with_usr};
use crate::facts::elf::Problem;
use crate::facts::elf::surroundings::directories::{BadLink, LinkFault};
use crate::facts::{Facts, Tree};
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "init/library-link-broken",
    stage: Stage::Init,
    page: include_str!("../../docs/findings/init/library-link-broken.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = tree_with_usr(facts) else {
        return;
    };
    let links = tree.surroundings.links.iter();
    let links = links.filter(|link| !is_misplaced(tree, &link.path) && !is_told(tree, link));
    let (owned, others): (Vec<&BadLink>, Vec<_>) = links.partition(|link| link.owner.is_some());
    for (severity, links) in [(Severity::Degraded, owned), (Severity::Note, others)] {
        let Some(first) = links.first() else {
            continue;
        };
        let title = match links.len() {
            1 => format!("The library link {} {}", first.path, words(first)),
            count => format!(
                "{count} library links are broken; {} {}",
                first.path,
                words(first)
            ),
        };
        let evidence = links.iter().map(|link| {
            let line = Evidence::seen(
                &link.path,
                format!("a link to {}: {}", link.target, words(link)),
            );
            match link.owners_known {
                true => line.expected(format!("a library {}", owned_by(link.owner.as_deref()))),
                false => line,
            }
        });
        let finding = CHECK
            .finding(severity, &first.path, title)
            .with(few(evidence.collect()))
            .because(
                "an upgrade that stopped, a file removed by hand, or one version linked to another",
            )
            .by_hand(by_hand(first));
        out.push(finding);
    }
}

fn words(link: &BadLink) -> String {
    match &link.fault {
        LinkFault::Dangling { at } => format!("leads nowhere, {at} is not there"),
        LinkFault::Loop => "leads in a circle".to_owned(),
        LinkFault::OtherName { leads_to, soname } => {
            format!("leads to another library, {leads_to} is {soname}")
        }
    }
}

fn by_hand(link: &BadLink) -> String {
    match &link.owner {
        Some(package) => format!("install {package} again; ls -l ROOT{}*", link.path),
        None => format!("ls -l ROOT{}; rm it if nothing needs it", link.path),
    }
}

/// PID 1's own closure tells it already.
fn is_told(tree: &Tree, link: &BadLink) -> bool {
    if let LinkFault::Dangling { at } = &link.fault
        && is_misplaced(tree, at)
    {
        return true;
    }
    let name = link.path.rsplit('/').next().unwrap_or(&link.path);
    let mut problems = tree.init.best_closure().problems.iter();
    problems.any(|problem| match problem {
        Problem::LibraryMissing { name: other, .. } => other == name,
        Problem::LinkLoop { path, .. } => path.rsplit('/').next() == Some(name),
        Problem::VersionMissing { library, .. } => library == name,
        _ => false,
    })
}
