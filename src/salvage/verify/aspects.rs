//! What of a path differs, and what would set it right.

use crate::journal::{Action, xattrs};
use crate::salvage::accounts::Accounts;
use crate::salvage::record::{Kind, PathRecord};
use crate::sys::xattr::Xattrs;

use super::found::Found;

/// One thing that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Aspect {
    /// Nothing is there.
    Missing,
    /// Something else is there.
    Kind { then: Kind, now: Option<Kind> },
    /// It holds something else.
    Content,
    /// The link leads elsewhere.
    Target { then: String, now: String },
    /// Another device.
    Device,
    /// Permission bits.
    Mode { then: u32, now: u32 },
    /// The owner; `stale` is a user whose old number it still has.
    Owner {
        then: String,
        now: String,
        stale: Option<String>,
    },
    /// The group.
    Group {
        then: String,
        now: String,
        stale: Option<String>,
    },
    /// Extended attributes.
    Attributes(Vec<String>),
}

impl Aspect {
    /// True for what `--fix-permissions` can set right.
    pub(super) fn is_of_rights(&self) -> bool {
        matches!(
            self,
            Self::Mode { .. } | Self::Owner { .. } | Self::Group { .. } | Self::Attributes(_)
        )
    }

    /// For people.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Missing => "missing".into(),
            Self::Kind { then, now } => format!(
                "was {}, is {}",
                then.word(),
                now.map_or("a socket", Kind::word)
            ),
            Self::Content => "other content".into(),
            Self::Target { then, now } => format!("led to {then}, leads to {now}"),
            Self::Device => "another device".into(),
            Self::Mode { then, now } => format!("mode was {then:04o}, is {now:04o}"),
            Self::Owner { then, now, .. } => format!("owner was {then}, is {now}"),
            Self::Group { then, now, .. } => format!("group was {then}, is {now}"),
            Self::Attributes(names) => format!("other {}", names.join(", ")),
        }
    }
}

/// True for attributes that are compared. Labels and signatures belong to the
/// policy of each installation, and others to the kernel.
fn is_compared(name: &str) -> bool {
    name.starts_with("user.")
        || name == "security.capability"
        || name.starts_with("system.posix_acl_")
}

fn compared(all: &Xattrs) -> Xattrs {
    let all = all.iter().filter(|(name, _)| is_compared(name));
    all.map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn name_of(attribute: &str) -> String {
    match attribute {
        "security.capability" => "capabilities".into(),
        "system.posix_acl_access" => "access list".into(),
        "system.posix_acl_default" => "default access list".into(),
        other => format!("attribute {other}"),
    }
}

/// The difference between then and now, content aside.
pub(super) fn of(record: &PathRecord, found: &Found, accounts: &Accounts) -> Vec<Aspect> {
    let (then, now) = (record.kind, found.kind);
    if now != Some(then) {
        return vec![Aspect::Kind { then, now }];
    }
    let mut all = Vec::new();
    if let (Some(then), Some(now)) = (&record.target, &found.target)
        && then != now
    {
        all.push(Aspect::Target {
            then: then.display().to_string(),
            now: now.display().to_string(),
        });
    }
    if record.device != found.device {
        all.push(Aspect::Device);
    }
    let meta = &found.details.meta;
    if then != Kind::Link && record.mode != meta.mode {
        all.push(Aspect::Mode {
            then: record.mode,
            now: meta.mode,
        });
    }
    let user = Id {
        number: record.uid,
        name: record.user.as_deref(),
        now: meta.uid,
        now_name: accounts.user_name(meta.uid),
        wanted: wanted_user(record, accounts),
    };
    if let Some((then, now, stale)) = user.differs() {
        all.push(Aspect::Owner { then, now, stale });
    }
    let group = Id {
        number: record.gid,
        name: record.group.as_deref(),
        now: meta.gid,
        now_name: accounts.group_name(meta.gid),
        wanted: wanted_group(record, accounts),
    };
    if let Some((then, now, stale)) = group.differs() {
        all.push(Aspect::Group { then, now, stale });
    }
    let (before, after) = (compared(&found.xattrs), compared(&record.attributes()));
    let changes = xattrs::changes(&before, &after);
    if !changes.is_empty() {
        let names = changes.iter().map(|change| name_of(&change.name));
        all.push(Aspect::Attributes(names.collect()));
    }
    all
}

/// An owner or a group, then and now.
struct Id<'i> {
    number: u32,
    name: Option<&'i str>,
    now: u32,
    now_name: Option<&'i str>,
    wanted: Option<u32>,
}

impl Id<'_> {
    /// Names count where there are names; numbers may have changed with the new
    /// installation.
    fn differs(&self) -> Option<(String, String, Option<String>)> {
        let is_same = match self.name {
            Some(name) => self.now_name == Some(name) || self.wanted == Some(self.now),
            None => self.now == self.number,
        };
        if is_same {
            return None;
        }
        let shown = |name: Option<&str>, number: u32| {
            name.map_or_else(|| number.to_string(), str::to_owned)
        };
        // The account is there, under another number than it had.
        let has_moved = self.wanted.is_some_and(|wanted| wanted != self.number);
        let stale = self
            .name
            .filter(|_| has_moved && self.now == self.number)
            .map(str::to_owned);
        let (then, now) = (
            shown(self.name, self.number),
            shown(self.now_name, self.now),
        );
        Some((then, now, stale))
    }
}

/// The number that the owner has now; none when there is no such user.
fn wanted_user(record: &PathRecord, accounts: &Accounts) -> Option<u32> {
    match &record.user {
        Some(name) => accounts.user(name).map(|user| user.uid),
        None => Some(record.uid),
    }
}

fn wanted_group(record: &PathRecord, accounts: &Accounts) -> Option<u32> {
    match &record.group {
        Some(name) => accounts.group(name).map(|group| group.gid),
        None => Some(record.gid),
    }
}

/// What sets mode, owner and attributes right; none where the journal cannot,
/// or where an owner is not there.
pub(super) fn fix(
    record: &PathRecord,
    found: &Found,
    aspects: &[Aspect],
    accounts: &Accounts,
) -> Option<Action> {
    let is_fixable = match record.kind {
        Kind::Directory => true,
        Kind::File => found.details.meta.links == 1,
        _ => false,
    };
    if !is_fixable || !aspects.iter().any(Aspect::is_of_rights) {
        return None;
    }
    // A set-user-id bit is not given back to a program that is another one.
    let has_other_content = aspects.contains(&Aspect::Content);
    if has_other_content && record.mode & 0o6000 != 0 {
        return None;
    }
    let (before, after) = (compared(&found.xattrs), compared(&record.attributes()));
    Some(Action::Attributes {
        path: record.path.clone(),
        mode: record.mode,
        uid: wanted_user(record, accounts)?,
        gid: wanted_group(record, accounts)?,
        xattrs: xattrs::changes(&before, &after),
    })
}
