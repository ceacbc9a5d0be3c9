//! The patient's root is mounted for writing by somebody else.

use super::Check;
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Severity, Stage};
use crate::sysroot::Search;

pub(super) const CHECK: Check = Check {
    id: "root/mounted-for-writing",
    stage: Stage::Root,
    page: include_str!("../../docs/findings/root/mounted-for-writing.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Search::Found(info) = &facts.search else {
        return;
    };
    if !info.mounted_for_writing {
        return;
    }
    let path = info.path.display().to_string();
    let finding = CHECK
        .finding(
            Severity::Note,
            &path,
            format!("the root is already mounted for writing at {path}"),
        )
        .with([Evidence::seen(&path, "mounted read-write")])
        .because("the rescue system or another technician mounted it, or it is running")
        .by_hand(format!("umount {path}, or repair that tree: --root {path}"));
    out.push(finding);
}
