//! Makes lines of fstab comments that mount nothing.

use super::Risk;
use super::edit::{Edit, EditKind, Edits};
use crate::facts::Facts;
use crate::finding::Finding;

pub(super) const KIND: EditKind = EditKind {
    name: "comment-fstab-line",
    removes: &["services/fstab-invalid"],
    plan,
};

fn plan(facts: &Facts, _finding: &Finding) -> Option<Edits> {
    let mounts = &facts.tree.as_ref()?.mounts;
    let file = mounts.file.as_ref()?;
    let lines = mounts.bad.iter().map(|bad| Edit::comment(file, bad.line));
    let lines: Vec<Edit> = lines.collect::<Option<_>>()?;
    let title = match lines.len() {
        1 => "make the line of /etc/fstab that mounts nothing a comment".to_owned(),
        count => format!("make {count} lines of /etc/fstab that mount nothing comments"),
    };
    let risk = Risk::Safe;
    (!lines.is_empty()).then_some(Edits { title, risk, lines })
}
