//! What can be wrong with a file of a package, and how dpkg writes it.

use serde::{Deserialize, Serialize};

use crate::sys::root_dir::Kind;

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Damage {
    /// Nothing is there.
    Missing {
        /// The kernel's answer, where it is more than that.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        why: Option<String>,
    },
    /// It holds something else.
    Changed,
    /// It holds nothing, and should.
    Empty,
    /// It ends in NUL bytes, and should not: its data never reached the disk.
    NulBytes {
        /// At least so many.
        bytes: u64,
    },
    /// It ends early.
    Truncated {
        /// Bytes that it should have at least.
        whole: u64,
    },
    /// It should be a file.
    WrongType {
        /// What it is.
        seen: Kind,
        /// For a link: whether what it leads to holds what it should; none
        /// when it leads nowhere.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        holds_the_same: Option<bool>,
    },
    /// A link between programs or libraries that leads nowhere.
    DanglingLink {
        /// Its text.
        target: String,
        /// Where the way ends.
        at: String,
        /// Where the links on the way lie.
        through: Vec<String>,
    },
    /// It could not be read.
    Unreadable {
        /// Why.
        why: String,
    },
    /// A configuration file of a package that is not configured yet, and that
    /// dpkg has nothing to compare with.
    NotYet,
}

/// A file of a package with something wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Damaged {
    /// Where it lies.
    pub path: String,
    /// What is wrong.
    pub damage: Damage,
    /// Bytes that it has.
    pub size: u64,
    /// A configuration file.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub is_conffile: bool,
    /// Diverted: it lies elsewhere than its package put it.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub is_diverted: bool,
    /// Its package says what it should hold; else it may be a directory or a
    /// link.
    pub has_sum: bool,
    /// The boot needs it.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub is_critical: bool,
}

impl Damaged {
    /// The line of `dpkg --verify` (`verify_output_rpm` in src/main/verify.c).
    pub fn dpkg_line(&self) -> Option<String> {
        let (mode, md5, why) = match &self.damage {
            Damage::DanglingLink { .. } => return None,
            Damage::Missing { why } => {
                let why = why.as_ref().map(|why| format!(" ({why})"));
                return Some(self.line("missing  ", &why.unwrap_or_default()));
            }
            Damage::Unreadable { .. } => ('?', '?', ""),
            Damage::WrongType { holds_the_same, .. } => {
                let md5 = match holds_the_same {
                    Some(true) => '.',
                    Some(false) => '5',
                    None => '?',
                };
                ('M', md5, "")
            }
            _ => ('?', '5', ""),
        };
        Some(self.line(&format!("?{mode}{md5}??????"), why))
    }

    fn line(&self, result: &str, why: &str) -> String {
        // dpkg looks for a diverted file's name in vain.
        let is_conffile = self.is_conffile && !self.is_diverted;
        let attribute = if is_conffile { 'c' } else { ' ' };
        format!("{result} {attribute} {}{why}", self.path)
    }
}

impl Damage {
    /// True when content is lost for certain, whatever version it was of.
    pub fn is_loss(&self) -> bool {
        matches!(
            self,
            Self::Empty
                | Self::NulBytes { .. }
                | Self::Truncated { .. }
                | Self::WrongType { .. }
                | Self::Unreadable { .. }
        )
    }

    /// What is seen, in a few words.
    pub fn words(&self) -> String {
        match self {
            Self::Missing { why: None } => "missing".into(),
            Self::Missing { why: Some(why) } => format!("missing ({why})"),
            Self::Changed => "not what its package shipped".into(),
            Self::Empty => "no bytes".into(),
            Self::NulBytes { bytes } => format!("ends in {bytes} or more NUL bytes"),
            Self::Truncated { whole } => format!("cut off: it should have {whole} bytes"),
            Self::WrongType { seen, .. } => match seen {
                Kind::Directory => "a directory stands in its place".into(),
                Kind::Symlink => "a link stands in its place".into(),
                Kind::Special | Kind::File => "something else stands in its place".into(),
            },
            Self::DanglingLink { target, .. } => format!("link to {target}, which leads nowhere"),
            Self::Unreadable { why } => format!("cannot be read: {why}"),
            Self::NotYet => "not configured yet".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(damage: Damage, is_conffile: bool) -> Option<String> {
        let damaged = Damaged {
            path: "/x".into(),
            damage,
            size: 0,
            is_conffile,
            is_diverted: false,
            has_sum: true,
            is_critical: false,
        };
        damaged.dpkg_line()
    }

    #[test]
    fn lines_are_those_of_dpkg() {
        let link = |holds_the_same| Damage::WrongType {
            seen: Kind::Symlink,
            holds_the_same,
        };
        let not_a_directory = Damage::Missing {
            why: Some("Not a directory".into()),
        };
        for (damage, is_conffile, expected) in [
            (Damage::Missing { why: None }, false, "missing     /x"),
            (Damage::Missing { why: None }, true, "missing   c /x"),
            (not_a_directory, false, "missing     /x (Not a directory)"),
            (Damage::Changed, true, "??5?????? c /x"),
            (Damage::Empty, false, "??5??????   /x"),
            (link(Some(true)), false, "?M.??????   /x"),
            (link(Some(false)), false, "?M5??????   /x"),
            (link(None), false, "?M???????   /x"),
        ] {
            assert_eq!(line(damage, is_conffile).as_deref(), Some(expected));
        }
    }
}
