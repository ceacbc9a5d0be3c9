//! An installed package, from its header: what it is called, and its files.

use serde::{Deserialize, Serialize};

use super::header::{Header, tag};

/// A package in rpm's database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Package {
    /// Its number in the database.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// Its epoch, where it has one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub epoch: Option<u64>,
    /// Its version.
    pub version: String,
    /// Its release.
    pub release: String,
    /// Its architecture; a key has none.
    pub architecture: Option<String>,
    /// When it was installed, seconds since 1970.
    pub installed: Option<u64>,
    /// The transaction that installed it.
    pub transaction: Option<u64>,
    /// It may be there in several versions.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub is_multiple: bool,
}

impl Package {
    /// The package that a header describes.
    pub fn of(number: u32, header: &Header<'_>) -> Option<Self> {
        let name = header.text(tag::NAME).filter(|name| !name.is_empty())?;
        Some(Self {
            number,
            name,
            epoch: header.number(tag::EPOCH),
            version: header.text(tag::VERSION)?,
            release: header.text(tag::RELEASE)?,
            architecture: header.text(tag::ARCHITECTURE),
            installed: header.number(tag::INSTALL_TIME),
            transaction: header.number(tag::TRANSACTION),
            is_multiple: false,
        })
    }

    /// `name-version-release.architecture`, as `rpm -qa` prints it.
    pub fn label(&self) -> String {
        let Self {
            name,
            version,
            release,
            ..
        } = self;
        match &self.architecture {
            Some(architecture) => format!("{name}-{version}-{release}.{architecture}"),
            None => format!("{name}-{version}-{release}"),
        }
    }

    /// `epoch:version-release`, without an epoch that is none.
    pub fn full_version(&self) -> String {
        let (version, release) = (&self.version, &self.release);
        match self.epoch {
            Some(epoch) => format!("{epoch}:{version}-{release}"),
            None => format!("{version}-{release}"),
        }
    }
}

/// Flags of a file (`RPMFILE_*` in rpm's include/rpm/rpmfiles.h).
pub(crate) mod flag {
    pub const CONFIG: u32 = 1 << 0;
    pub const MISSING_OK: u32 = 1 << 3;
    pub const GHOST: u32 = 1 << 6;
}

/// What became of a file (`RPMFILE_STATE_*`).
pub(crate) mod state {
    pub const REPLACED: u8 = 1;
    pub const NOT_INSTALLED: u8 = 2;
    pub const NET_SHARED: u8 = 3;
    pub const WRONG_COLOR: u8 = 4;
}

/// Bytes of a path, and of all paths of a package, that are kept.
const PATH_BYTES_MAX: usize = 4096;
const PATHS_BYTES_MAX: usize = 128 << 20;

/// What the database says of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its path, with the leading slash.
    pub path: Vec<u8>,
    /// Its kind and mode, as in `stat(2)`.
    pub mode: u32,
    /// Its size.
    pub size: u64,
    /// Its time of modification.
    pub mtime: i64,
    /// The number of a device.
    pub device: u32,
    /// Its digest, as bytes; empty when it has none.
    pub digest: Vec<u8>,
    /// What a link says.
    pub link: Vec<u8>,
    /// [`flag`]s.
    pub flags: u32,
    /// What is to be verified (`RPMVERIFY_*`).
    pub verify: u32,
    /// Its [`state`].
    pub state: u8,
    /// Its owner's and group's names.
    pub owner: [Vec<u8>; 2],
}

/// The files of a package, and the number of the algorithm of their digests
/// (RFC 4880, 9.4).
pub fn files(header: &Header<'_>) -> (u64, Vec<File>) {
    // MD5 before rpm 4.6.
    let algorithm = header.number(tag::DIGEST_ALGORITHM).unwrap_or(1);
    let paths = paths(header);
    let sizes = match header.numbers(tag::SIZES) {
        sizes if sizes.is_empty() => header.numbers(tag::LONG_SIZES),
        sizes => sizes,
    };
    let number = |numbers: &[u64], at: usize| numbers.get(at).copied();
    let [modes, devices, times, flags, verify, states] = [
        tag::MODES,
        tag::DEVICES,
        tag::TIMES,
        tag::FLAGS,
        tag::VERIFY_FLAGS,
        tag::STATES,
    ]
    .map(|tag| header.numbers(tag));
    let [digests, links, users, groups] =
        [tag::DIGESTS, tag::LINKS, tag::USERS, tag::GROUPS].map(|tag| header.strings(tag));
    let text = |strings: &[&[u8]], at: usize| strings.get(at).map_or(Vec::new(), |s| s.to_vec());
    let small =
        |numbers: &[u64], at: usize| u32::try_from(number(numbers, at).unwrap_or(0)).unwrap_or(0);
    let files = paths.into_iter().enumerate().map(|(at, path)| File {
        path,
        mode: small(&modes, at),
        size: number(&sizes, at).unwrap_or(0),
        mtime: i64::from(small(&times, at)),
        device: small(&devices, at),
        digest: digests.get(at).map_or(Vec::new(), |hex| unhex(hex)),
        link: text(&links, at),
        flags: small(&flags, at),
        verify: number(&verify, at).map_or(u32::MAX, |_| small(&verify, at)),
        state: u8::try_from(small(&states, at)).unwrap_or(0),
        owner: [text(&users, at), text(&groups, at)],
    });
    (algorithm, files.collect())
}

/// The paths of the files: a directory and a name each, or, before rpm 4,
/// whole.
fn paths(header: &Header<'_>) -> Vec<Vec<u8>> {
    let names = header.strings(tag::BASE_NAMES);
    if names.is_empty() {
        let old = header.strings(tag::OLD_FILE_NAMES);
        return old.into_iter().map(<[u8]>::to_vec).collect();
    }
    let directories = header.strings(tag::DIRECTORIES);
    let indexes = header.numbers(tag::DIRECTORY_INDEXES);
    let mut paths = Vec::new();
    let mut room = PATHS_BYTES_MAX;
    for (name, index) in names.iter().zip(indexes) {
        let directory = usize::try_from(index).ok().and_then(|i| directories.get(i));
        let directory = directory.copied().unwrap_or_default();
        let mut path = Vec::new();
        // The kernel takes no longer one; its place among the others counts.
        if directory.len() + name.len() <= PATH_BYTES_MAX {
            path = [directory, name].concat();
        }
        let Some(left) = room.checked_sub(path.len()) else {
            break;
        };
        room = left;
        paths.push(path);
    }
    paths
}

/// Bytes from their hexadecimal spelling; none from any other text.
pub(crate) fn unhex(text: &[u8]) -> Vec<u8> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let byte = |pair: &[u8]| {
        let [high, low] = pair else { return None };
        u8::try_from(digit(high)? << 4 | digit(low)?).ok()
    };
    let bytes: Option<Vec<u8>> = text.chunks(2).map(byte).collect();
    bytes.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_and_what_is_none() {
        assert_eq!(unhex(b"00ff1A"), [0, 255, 26]);
        assert!(unhex(b"0g").is_empty());
        assert!(unhex(b"123").is_empty());
    }
}
