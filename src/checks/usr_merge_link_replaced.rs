//! A directory stands where the merged /usr has a link: an archive was
//! unpacked over it.

use super::{Check, system_directory_replaced::severity, tree_with_usr};
use crate::facts::Facts;
use crate::facts::layout::{Expected, Seen};
use crate::finding::{Evidence, Findings, Stage};

pub(super) const CHECK: Check = Check {
    id: "root/usr-merge-link-replaced",
    stage: Stage::Root,
    page: include_str!("../../docs/findings/root/usr-merge-link-replaced.md"),
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
        let what = match suspect.seen {
            Seen::Directory => "a directory",
            Seen::Other => "a file",
            Seen::Missing | Seen::Link { .. } => continue,
        };
        let finding = CHECK
            .finding(
                severity(tree, path),
                path,
                format!("{path} is {what}, not the link to {target}"),
            )
            .with([
                Evidence::seen(path, what).expected(format!("link to {target}")),
                Evidence::seen(
                    path,
                    format!(
                        "{} of {} names that packages own are found through it",
                        suspect.reachable, suspect.owned
                    ),
                ),
            ])
            .because("an archive with its own directory of that name was unpacked at /")
            .by_hand(format!(
                "move what is in ROOT{path} into ROOT/{target}, overwriting nothing; \
                 then rmdir ROOT{path} && ln -s {target} ROOT{path}"
            ));
        out.push(finding);
    }
}
