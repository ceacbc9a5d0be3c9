//! The lines of a manifest. `docs/salvage.md` tells the format; a field may
//! come, and none may change its meaning without a new [`FORMAT`].

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nix::sys::stat::SFlag;
use serde::{Deserialize, Serialize};

use crate::journal::encoded;

/// The version of the format.
pub const FORMAT: u32 = 1;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case")]
pub enum Record {
    /// The first line.
    Salvage(Header),
    /// A line of passwd(5).
    User(User),
    /// A line of group(5).
    Group(Group),
    /// A package.
    Package(Package),
    /// A path.
    Path(Box<PathRecord>),
    /// What it takes to copy the data below a directory.
    Tree(Tree),
    /// What could not be read.
    Unread(Unread),
    /// The last line: without it the salvage was cut off.
    End(End),
    /// A record of a later version.
    #[serde(other)]
    Other,
}

/// Where and when.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Header {
    /// [`FORMAT`].
    pub format: u32,
    /// The Lifeboot that made it.
    pub lifeboot: String,
    /// When, in seconds since 1970 by the clock of the rescue system.
    pub time: u64,
    /// The host name.
    pub host: Option<String>,
    /// The system, in its own words.
    pub system: Option<String>,
    /// `dpkg`, `rpm`, `pacman`, `apk`; none where no database was found.
    pub manager: Option<String>,
    /// True when it is known what the packages shipped in /etc.
    pub defaults_known: bool,
    /// True when secrets were taken along.
    pub secrets: bool,
    /// True when /root and the dot files of users were taken along.
    pub home: bool,
    /// Content up to so many bytes has a hash; none: of any size.
    pub hash_limit: Option<u64>,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The name.
    pub name: String,
    /// The number.
    pub uid: u32,
    /// The first group.
    pub gid: u32,
    /// The home directory.
    pub home: String,
    /// The login shell.
    pub shell: String,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The name.
    pub name: String,
    /// The number.
    pub gid: u32,
    /// Its members by name.
    pub members: Vec<String>,
}

/// A package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// The name.
    pub name: String,
    /// The architecture, where it is known.
    pub architecture: String,
    /// The version.
    pub version: String,
    /// The state in dpkg's words; `installed` for others.
    pub state: String,
    /// True when it came only because others need it.
    pub automatic: bool,
    /// True when it is to stay at its version.
    pub held: bool,
}

/// What a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A FIFO.
    Fifo,
    /// A character device.
    Character,
    /// A block device.
    Block,
}

impl Kind {
    /// What `stat(2)` calls it; none for a socket, which whoever listens makes.
    pub fn of(format: SFlag) -> Option<Self> {
        Some(match format {
            SFlag::S_IFREG => Self::File,
            SFlag::S_IFDIR => Self::Directory,
            SFlag::S_IFLNK => Self::Link,
            SFlag::S_IFIFO => Self::Fifo,
            SFlag::S_IFCHR => Self::Character,
            SFlag::S_IFBLK => Self::Block,
            _ => return None,
        })
    }

    /// For people.
    pub fn word(self) -> &'static str {
        match self {
            Self::File => "a file",
            Self::Directory => "a directory",
            Self::Link => "a link",
            Self::Fifo => "a FIFO",
            Self::Character => "a character device",
            Self::Block => "a block device",
        }
    }
}

/// What became of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kept {
    /// It is in the salvage, below `files`.
    Taken,
    /// It is in the salvage below `reference`, to be read and not to be put
    /// back.
    Reference,
    /// As its package ships it.
    Default,
    /// Left out: a secret.
    Secret,
    /// Left out: too large.
    TooLarge,
    /// Left out: it is made from other files.
    Generated,
    /// Left out: it could not be read.
    Unread,
    /// Data: only noted.
    Data,
    /// Of a package, with a mode, an owner or attributes that stand out.
    Standing,
}

/// A path of the patient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathRecord {
    /// Absolute. What is no UTF-8, a control character or `%` is `%XX`.
    #[serde(with = "encoded")]
    pub path: PathBuf,
    /// What it is.
    pub kind: Kind,
    /// Permission bits, octal.
    #[serde(with = "octal")]
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// Its name; none when the patient knows none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The group.
    pub gid: u32,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Bytes; of a file only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// When the content changed, in seconds since 1970.
    pub mtime: i64,
    /// What a link says.
    #[serde(
        with = "encoded::optional",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub target: Option<PathBuf>,
    /// Major and minor number of a device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<(u64, u64)>,
    /// Another name of the same file, noted before.
    #[serde(
        with = "encoded::optional",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub same_as: Option<PathBuf>,
    /// Extended attributes (ACLs and capabilities are such), in base64.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub xattrs: BTreeMap<String, String>,
    /// SHA-256 of the content, where it was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The package that owns it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// What became of it.
    pub kept: Kept,
}

impl PathRecord {
    /// Its attributes as bytes.
    pub fn attributes(&self) -> BTreeMap<String, Vec<u8>> {
        let decoded = self.xattrs.iter().map(|(name, value)| {
            let value = STANDARD.decode(value).unwrap_or_default();
            (name.clone(), value)
        });
        decoded.collect()
    }
}

/// The form of attributes in a record.
pub fn in_base64(attributes: &BTreeMap<String, Vec<u8>>) -> BTreeMap<String, String> {
    let coded = attributes
        .iter()
        .map(|(name, value)| (name.clone(), STANDARD.encode(value)));
    coded.collect()
}

/// Data to be copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Tree {
    /// The directory.
    #[serde(with = "encoded")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub path: PathBuf,
    /// Files in it.
    pub files: u64,
    /// Bytes that they take on the disk.
    pub bytes: u64,
}

/// What could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Unread {
    /// The path.
    #[serde(with = "encoded")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub path: PathBuf,
    /// Why.
    pub why: String,
}

/// How it ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct End {
    /// Records of paths.
    pub paths: u64,
    /// Files taken along.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// What could not be read.
    pub unread: u64,
}

/// A mode as `"0644"`.
mod octal {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    #[allow(clippy::trivially_copy_pass_by_ref)] // as serde asks for it
    pub(super) fn serialize<S: Serializer>(mode: &u32, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&format!("{mode:04o}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
        let text = String::deserialize(from)?;
        let wrong = || D::Error::custom(format!("{text:?} is no mode"));
        let mode = u32::from_str_radix(&text, 8).map_err(|_| wrong())?;
        (mode <= 0o7777).then_some(mode).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    #[test]
    fn a_line_holds_any_name_and_is_read_again() {
        let record = Record::Path(Box::new(PathRecord {
            path: PathBuf::from(OsString::from_vec(b"/etc/\xff\n%".to_vec())),
            kind: Kind::Link,
            mode: 0o4755,
            uid: 1,
            user: None,
            gid: 2,
            group: Some("g".into()),
            size: None,
            mtime: -1,
            target: Some("../x".into()),
            device: None,
            same_as: None,
            xattrs: in_base64(&BTreeMap::from([("user.a".into(), vec![0, 255])])),
            sha256: None,
            package: None,
            kept: Kept::Taken,
        }));
        let line = serde_json::to_string(&record).unwrap();
        assert!(line.contains(r#""path":"/etc/%FF%0A%25""#), "{line}");
        assert!(line.contains(r#""mode":"4755""#), "{line}");
        assert_eq!(serde_json::from_str::<Record>(&line).unwrap(), record);
        let later = r#"{"record":"news","x":1}"#;
        assert_eq!(
            serde_json::from_str::<Record>(later).unwrap(),
            Record::Other
        );
        let bad = line.replace("4755", "99");
        assert!(serde_json::from_str::<Record>(&bad).is_err());
    }
}
