//! Single files and directories have a mode or an owner that they should not
//! have.

use super::{Check, tree_with_usr};
use crate::facts::integrity::{Lone, Says};
use crate::facts::{Facts, Tree};
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "packages/mode-changed",
    stage: Stage::Packages,
    page: include_str!("../../docs/findings/packages/mode-changed.md"),
    run,
};

/// Paths that are named.
const NAMED_MAX: usize = 12;

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = tree_with_usr(facts) else {
        return;
    };
    let permissions = &tree.integrity.permissions;
    if let Some(why) = &permissions.overrides_unreadable {
        out.could_not_tell(Stage::Packages, "modes and owners of single files", why);
    }
    let mut lone: Vec<&Lone> = permissions
        .lone
        .iter()
        // The top of a tree that was only put there has its finder's mode.
        .filter(|lone| !lone.is_powerless && (lone.path != "/" || facts.has_disks()))
        .filter(|lone| !is_told(tree, lone))
        .collect();
    lone.sort_by_key(|lone| (effect(lone).is_none(), &lone.path));
    let Some(first) = lone.first() else { return };
    let severity = match lone.iter().any(|lone| effect(lone).is_some()) {
        true => Severity::Degraded,
        false => Severity::Note,
    };
    let count = lone.len() + permissions.more_lone;
    let what = first.seen.words();
    let mut title = match effect(first) {
        Some(effect) => format!("{} has {what}: {effect}", first.path),
        None => {
            let expected = first.expected.words();
            format!("{} has {what}, and should have {expected}", first.path)
        }
    };
    if count > 1 {
        title += &format!(", and {} more", count - 1);
    }
    let shown: Vec<Evidence> = lone.iter().take(NAMED_MAX).map(|l| l.evidence()).collect();
    let commands: Vec<String> = lone.iter().take(NAMED_MAX).map(|l| l.command()).collect();
    let finding = CHECK
        .finding(severity, &first.path, title)
        .with(shown)
        .by_hand(commands.join("; "));
    out.push(finding);
}

/// What does not work because of it.
fn effect(lone: &Lone) -> Option<&str> {
    match &lone.says {
        Says::Reader { effect } => Some(effect),
        Says::Script { .. } => Some("its service cannot use it"),
        _ => None,
    }
}

/// What only root can read is told by init/library-not-readable.
fn is_told(tree: &Tree, lone: &Lone) -> bool {
    let mut closed = tree.surroundings.closed.iter();
    closed.any(|closed| closed.path == lone.path)
}

impl Lone {
    /// What it has and should have, and what says so.
    pub(super) fn evidence(&self) -> Evidence {
        let by = match &self.says {
            Says::Override => "by dpkg-statoverride".to_owned(),
            Says::Archive { file } => format!("by {file}"),
            Says::Script { file } => format!("by {file}"),
            Says::Debian => "as Debian ships it".to_owned(),
            Says::Reader { effect } => format!("else {effect}"),
            Says::Neighbours { same, of } => {
                format!("as {same} of {of} files beside it")
            }
        };
        let expected = format!("{}, {by}", self.expected.words());
        Evidence::seen(&self.path, self.seen.words()).expected(expected)
    }

    /// What sets it right. A chown takes set-user-id bits, so it goes first.
    pub(super) fn command(&self) -> String {
        let path = format!("ROOT{}", self.path);
        let owner = match (&self.expected.user, &self.expected.group) {
            (Some(user), Some(group)) => Some(format!("{user}:{group}")),
            (Some(user), None) => Some(user.clone()),
            (None, Some(group)) => Some(format!(":{group}")),
            (None, None) => None,
        };
        let chown = owner.map(|owner| match owner == "root" || owner == "root:root" {
            true => format!("chown {owner} {path}"),
            // The rescue system has other numbers for these names.
            false => format!("chroot ROOT chown {owner} {}", self.path),
        });
        let mode = self.expected.mode.or(self.restored);
        let chmod = mode.map(|mode| format!("chmod {mode:04o} {path}"));
        let both: Vec<String> = [chown, chmod].into_iter().flatten().collect();
        both.join(" && ")
    }
}
