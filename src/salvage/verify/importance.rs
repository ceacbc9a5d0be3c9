//! How much a difference matters, and in which words it is told.

use std::path::Path;

use serde::Serialize;

use super::aspects::Aspect;
use super::services;
use crate::salvage::record::{Kept, PathRecord};
use crate::salvage::rules::{self, Area, Rules};

/// What matters most comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Importance {
    /// Keys and passwords: who may read them.
    Secret,
    /// Who gets in: sshd, PAM, sudo.
    Login,
    /// Users and groups.
    Account,
    /// What is started.
    Service,
    /// What is installed.
    Package,
    /// What is set.
    Configuration,
    /// Everything else.
    Data,
}

impl Importance {
    /// All of them, in order.
    pub const ALL: [Self; 7] = [
        Self::Secret,
        Self::Login,
        Self::Account,
        Self::Service,
        Self::Package,
        Self::Configuration,
        Self::Data,
    ];

    /// The heading of a list.
    pub fn word(self) -> &'static str {
        match self {
            Self::Secret => "secrets",
            Self::Login => "login",
            Self::Account => "users and groups",
            Self::Service => "services",
            Self::Package => "packages",
            Self::Configuration => "configuration",
            Self::Data => "data",
        }
    }
}

/// Files that decide who gets in.
const LOGIN: [&str; 5] = [
    "/etc/ssh",
    "/etc/pam.d",
    "/etc/security",
    "/etc/sudoers",
    "/etc/sudoers.d",
];

pub(super) fn of(
    record: &PathRecord,
    aspects: &[Aspect],
    rules: &Rules,
) -> (Importance, Vec<String>) {
    let path = &record.path;
    let is_login = LOGIN.iter().any(|top| path.starts_with(top))
        || path.components().any(|part| part.as_os_str() == ".ssh");
    let mut words: Vec<String> = aspects.iter().map(Aspect::words).collect();
    let importance = match () {
        () if record.kept == Kept::Secret || rules.is_secret(path) => Importance::Secret,
        () if is_login => Importance::Login,
        () if rules::is_accounts(path) => Importance::Account,
        () if services::is_of_services(path) => {
            if let Some(told) = services::words(record, aspects) {
                words = vec![told];
            }
            Importance::Service
        }
        () => match rules::area(path, true) {
            Area::Data | Area::Never if !Path::starts_with(path, "/root") => Importance::Data,
            _ => Importance::Configuration,
        },
    };
    (importance, words)
}

/// Why a missing file cannot come from the salvage.
pub(super) fn why_left_out(kept: Kept) -> Option<String> {
    let why = match kept {
        Kept::Secret => "a secret, not in the salvage",
        Kept::TooLarge => "too large, not in the salvage",
        Kept::Unread => "could not be read, not in the salvage",
        _ => return None,
    };
    Some(why.to_owned())
}
