//! Whom the configuration of sshd lets in, and by what.
//!
//! Source: sshd_config(5); OpenSSH, auth.c (`allowed_user`), match.c
//! (`match_user`).

use glob::{MatchOptions, Pattern};

use super::accounts::User;
use super::config::{Config, Directive};
use super::keys::Keys;
use crate::sys::root_dir::RootDir;

/// Other names of one keyword, older ones last.
const INTERACTIVE: [&str; 3] = [
    "kbdinteractiveauthentication",
    "challengeresponseauthentication",
    "skeyauthentication",
];

/// What decides about a login.
const DECIDES: [&str; 11] = [
    "allowusers",
    "allowgroups",
    "denyusers",
    "denygroups",
    "permitrootlogin",
    "passwordauthentication",
    "pubkeyauthentication",
    "authorizedkeysfile",
    "authenticationmethods",
    "kbdinteractiveauthentication",
    "challengeresponseauthentication",
];

/// Names in one list; more are no configuration.
const PATTERNS_MAX: usize = 500;

/// Keywords that bring ways in which are not looked at.
const OTHER_WAYS: [&str; 5] = [
    "authorizedkeyscommand",
    "trustedusercakeys",
    "hostbasedauthentication",
    "gssapiauthentication",
    "kerberosauthentication",
];

/// Whom it lets in.
#[derive(Debug)]
pub(super) struct Policy {
    lists: Vec<List>,
    root_login: (String, Option<Line>),
    passwords: (bool, Option<Line>),
    interactive: bool,
    pub(super) takes_keys: bool,
    pub(super) strict: bool,
    /// Ways in that are not looked at.
    pub(super) has_other_ways: bool,
    /// Match blocks make it depend on more than the account.
    pub(super) is_unclear: bool,
}

type Line = (String, String);

#[derive(Debug)]
struct List {
    is_deny: bool,
    is_group: bool,
    patterns: Vec<String>,
    line: Line,
}

impl List {
    /// A negated name, or one that is denied from some hosts only.
    fn is_unclear(&self) -> bool {
        let mut patterns = self.patterns.iter();
        patterns.any(|p| p.starts_with('!') || (self.is_deny && p.contains('@')))
    }
}

impl Policy {
    pub(super) fn of(config: &Config) -> Self {
        let is = |keyword: &str, usual: bool| {
            let value = config.value(&[keyword]);
            value.map_or(usual, |value| value == "yes")
        };
        let interactive = config.value(&INTERACTIVE);
        let interactive = interactive.is_none_or(|value| value == "yes");
        let root_login = config.value(&["permitrootlogin"]);
        Self {
            lists: lists(config),
            root_login: (
                root_login.unwrap_or_else(|| "prohibit-password".into()),
                config.first(&["permitrootlogin"]).map(line_of),
            ),
            passwords: (
                is("passwordauthentication", true),
                config.first(&["passwordauthentication"]).map(line_of),
            ),
            interactive: interactive && is("usepam", false),
            takes_keys: is("pubkeyauthentication", true),
            strict: is("strictmodes", true),
            has_other_ways: OTHER_WAYS.iter().any(|keyword| {
                config
                    .value(&[keyword])
                    .is_some_and(|v| v != "no" && v != "none")
            }),
            is_unclear: config.depends(&DECIDES)
                || config.depends(&OTHER_WAYS)
                || lists(config)
                    .iter()
                    .any(|l| l.patterns.len() >= PATTERNS_MAX)
                || config.first(&["authenticationmethods"]).is_some()
                || lists(config).iter().any(List::is_unclear),
        }
    }

    /// The line that keeps `user` out, whatever the credentials.
    pub(super) fn forbids(&self, user: &User) -> Option<Line> {
        if user.uid == 0 && self.root_login.0 == "no" {
            return self.root_login.1.clone();
        }
        let fits = |list: &List| {
            let names = if list.is_group {
                user.groups.as_slice()
            } else {
                std::slice::from_ref(&user.name)
            };
            names
                .iter()
                .any(|name| is_named(&list.patterns, name, list.is_group))
        };
        let denied = self.lists.iter().find(|list| list.is_deny && fits(list));
        if let Some(list) = denied {
            return Some(list.line.clone());
        }
        [false, true].into_iter().find_map(|is_group| {
            let mut allow = self
                .lists
                .iter()
                .filter(|l| !l.is_deny && l.is_group == is_group);
            let first = allow.clone().next()?;
            (!allow.any(fits)).then(|| first.line.clone())
        })
    }

    /// True when a right password lets this user in.
    pub(super) fn takes_passwords(&self, user: &User) -> bool {
        let root_may = user.uid != 0 || self.root_login.0 == "yes";
        root_may && (self.passwords.0 || self.interactive)
    }

    /// The line that makes the user's password useless where there is no key.
    pub(super) fn forbids_credential(&self, user: &User, keys: &Keys) -> Option<Line> {
        let no_password = !self.passwords.0 && !self.interactive;
        (no_password && *keys == Keys::None && user.has_password())
            .then(|| self.passwords.1.clone())
            .flatten()
    }
}

fn lists(config: &Config) -> Vec<List> {
    let kinds = [
        ("denyusers", true, false),
        ("denygroups", true, true),
        ("allowusers", false, false),
        ("allowgroups", false, true),
    ];
    let lines = config.directives.iter().filter(|line| !line.matched);
    let lists = lines.filter_map(|line| {
        let (_, is_deny, is_group) = kinds.into_iter().find(|kind| kind.0 == line.keyword)?;
        Some(List {
            is_deny,
            is_group,
            patterns: line.arguments.iter().take(PATTERNS_MAX).cloned().collect(),
            line: line_of(line),
        })
    });
    lists.collect()
}

fn line_of(line: &Directive) -> Line {
    let text = format!("{} {}", line.keyword, line.arguments.join(" "));
    (format!("{} line {}", line.path, line.line), text)
}

/// True when one of the patterns names `name`: `USER`, or `USER@HOST`, of which
/// every host is taken to be right.
fn is_named(patterns: &[String], name: &str, is_group: bool) -> bool {
    const OPTIONS: MatchOptions = MatchOptions {
        case_sensitive: true,
        require_literal_separator: false,
        require_literal_leading_dot: false,
    };
    patterns.iter().any(|pattern| {
        let user = match pattern.rsplit_once('@') {
            Some((user, _)) if !is_group => user,
            _ => pattern,
        };
        // Brackets are no wildcards to sshd.
        let plain = user.replace('[', "[[]");
        Pattern::new(&plain).is_ok_and(|p| p.matches_with(name, OPTIONS))
    })
}

/// True when accounts may come from places other than passwd.
pub(super) fn has_other_accounts(root: &RootDir) -> bool {
    const LIMIT: u64 = 1 << 20;
    let text = root
        .read_text("/etc/nsswitch.conf", LIMIT)
        .unwrap_or_default();
    let passwd = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("passwd:"));
    let mut sources = passwd.unwrap_or_default().split_whitespace();
    sources.any(|source| match source {
        "files" | "compat" | "systemd" | "altfiles" => false,
        // Named by default where nobody uses it.
        "sss" => root.metadata("/etc/sssd/sssd.conf").is_ok(),
        other => !other.starts_with('['),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_sshd() {
        let of = |list: &[&str]| list.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>();
        assert!(is_named(&of(&["a", "adm?n"]), "admin", false));
        assert!(is_named(&of(&["admin@192.0.2.*"]), "admin", false));
        assert!(!is_named(&of(&["root"]), "admin", false));
        assert!(!is_named(&of(&["adm[i]n"]), "admin", false));
        assert!(is_named(&of(&["su*"]), "sudo", true));
    }
}
