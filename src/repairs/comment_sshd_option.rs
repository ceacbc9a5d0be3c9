//! Makes lines of sshd's configuration comments whose options it does not know.

use super::Risk;
use super::edit::{Edit, EditKind, Edits};
use crate::facts::Facts;
use crate::finding::Finding;

pub(super) const KIND: EditKind = EditKind {
    name: "comment-sshd-option",
    removes: &["reach/sshd-config-rejected"],
    plan,
};

fn plan(facts: &Facts, _finding: &Finding) -> Option<Edits> {
    let ssh = facts.tree.as_ref()?.reach.ssh.as_ref()?;
    // A wrong value is somebody's wish, and what is wished for is not known.
    if ssh.refused.iter().any(|refused| !refused.is_unknown) {
        return None;
    }
    let lines = ssh.refused.iter().map(|refused| {
        let mut files = ssh.refused_files.iter();
        let file = files.find(|file| file.path == refused.path)?;
        Edit::comment(file, refused.line)
    });
    let lines: Vec<Edit> = lines.collect::<Option<_>>()?;
    let first = lines.first()?;
    let word = first.old.split_whitespace().next().unwrap_or_default();
    let title = match lines.len() {
        1 => format!(
            "make {word} in {} a comment: sshd knows no such option",
            first.path
        ),
        count => format!("make {count} lines comments with options that sshd does not know"),
    };
    Some(Edits {
        title,
        // A misspelt option may have been meant to keep somebody out.
        risk: Risk::Medium,
        lines,
    })
}
