//! A link of the merged /usr (`/bin`, `/lib64`, ...) is gone or leads astray.

use super::{Check, system_directory_replaced::severity, tree_with_usr};
use crate::facts::Facts;
use crate::facts::layout::{Expected, Seen};
use crate::finding::{Evidence, Findings, Stage};

pub(super) const CHECK: Check = Check {
    id: "root/usr-merge-link-missing",
    stage: Stage::Root,
    page: include_str!("../../docs/findings/root/usr-merge-link-missing.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = tree_with_usr(facts) else {
        return;
    };
    for suspect in &tree.layout.suspects {
        let Expected::Link { target } = &suspect.expected else {
            continue;
        };
        let path = &suspect.path;
        let (title, seen) = match &suspect.seen {
            Seen::Missing => (
                format!("the link {path} -> {target} is missing"),
                "nothing".into(),
            ),
            Seen::Link { target: wrong } => (
                format!("the link {path} leads to {wrong}, not to {target}"),
                format!("link to {wrong}"),
            ),
            Seen::Directory | Seen::Other => continue,
        };
        let finding = CHECK
            .finding(severity(tree, path), path, title)
            .with([Evidence::seen(path, seen).expected(format!("link to {target}"))])
            .by_hand(format!("ln -sfn {target} ROOT{path}"));
        out.push(finding);
    }
}
