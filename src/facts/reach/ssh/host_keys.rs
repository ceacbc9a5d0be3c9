//! The keys by which sshd shows who it is; without one it does not start.
//!
//! Source: OpenSSH, sshd.c (`sensitive_data`), authfile.c
//! (`sshkey_perm_ok`), sshkey.c (`sshkey_parse_private2`), PROTOCOL.key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::facts::place::Place;
use crate::sys::root_dir::{Meta, RootDir};

/// The largest key has 13 KiB.
const LIMIT: u64 = 1 << 20;

const BEGIN: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\n";
const END: &str = "-----END OPENSSH PRIVATE KEY-----\n";
const MAGIC: &[u8] = b"openssh-key-v1\0";

/// What libcrypto reads.
const PEM: [&str; 4] = [
    "-----BEGIN RSA PRIVATE KEY-----\n",
    "-----BEGIN EC PRIVATE KEY-----\n",
    "-----BEGIN DSA PRIVATE KEY-----\n",
    "-----BEGIN PRIVATE KEY-----\n",
];

/// One key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HostKey {
    /// Where it lies.
    pub path: String,
    /// Why sshd does not take it.
    pub fault: Option<KeyFault>,
    /// What it has of mode and owner, where that is the fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

/// What is wrong with a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum KeyFault {
    /// There is none.
    Missing,
    /// It has no byte.
    Empty,
    /// Others than root may read it.
    Open {
        /// The permission bits.
        mode: u32,
    },
    /// It is no private key, or one cut off.
    Damaged {
        /// What is wrong with it.
        why: String,
    },
    /// It could not be read.
    Unreadable {
        /// The kernel's answer.
        why: String,
    },
}

/// Looks at one key; `key_group` may read it where the distribution says so.
pub(super) fn look(root: &RootDir, path: &str, key_group: Option<u32>) -> HostKey {
    let fault = fault(root, path, key_group);
    let open = matches!(fault, Some(KeyFault::Open { .. }));
    HostKey {
        path: path.to_owned(),
        place: open.then(|| Place::read(root, path)).flatten(),
        fault,
    }
}

fn fault(root: &RootDir, path: &str, key_group: Option<u32>) -> Option<KeyFault> {
    let bytes = root.metadata(path).and_then(|meta| {
        let bytes = root.read(path, LIMIT)?;
        Ok((meta, bytes))
    });
    let (meta, bytes) = match bytes {
        Ok(found) => found,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Some(KeyFault::Missing);
        }
        Err(error) => {
            let why = error.to_string();
            return Some(KeyFault::Unreadable { why });
        }
    };
    if bytes.is_empty() {
        return Some(KeyFault::Empty);
    }
    if is_open(&meta, key_group) {
        return Some(KeyFault::Open { mode: meta.mode });
    }
    let why = parse(&bytes).err()?.to_owned();
    Some(KeyFault::Damaged { why })
}

/// sshd refuses a key of its own user that others may read. Fedora lets the
/// group `ssh_keys` read them.
fn is_open(meta: &Meta, key_group: Option<u32>) -> bool {
    let others = meta.mode & 0o077;
    let for_group = others == 0o040 && key_group == Some(meta.gid);
    meta.uid == 0 && others != 0 && !for_group
}

/// Reads as much of a key as shows that it is whole.
fn parse(bytes: &[u8]) -> Result<(), &'static str> {
    if bytes.iter().all(|byte| *byte == 0) {
        return Err("nothing but zero bytes");
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "no text")?;
    // Nothing may stand before it, and its last line must be ended.
    if let Some(body) = text.strip_prefix(BEGIN) {
        return openssh(body);
    }
    if let Some(begin) = PEM.iter().find(|begin| text.contains(*begin)) {
        let end = begin.replace("BEGIN", "END");
        let closed = text.contains(end.trim_end());
        return closed.then_some(()).ok_or("its end is missing");
    }
    if text.contains("-----BEGIN") && text.contains("PRIVATE KEY-----\r\n") {
        return Err("its lines end as on Windows");
    }
    Err("no private key")
}

/// The body of a key in OpenSSH's own format.
fn openssh(body: &str) -> Result<(), &'static str> {
    const CUT: &str = "it is cut off";
    let (body, _) = body
        .split_once(END)
        .ok_or(if body.ends_with(END.trim_end()) {
            "its last line has no line feed"
        } else {
            "its end is missing"
        })?;
    let packed: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let blob = STANDARD
        .decode(packed)
        .map_err(|_| "its base64 is damaged")?;
    let rest = blob
        .strip_prefix(MAGIC)
        .ok_or("it does not begin as a key")?;
    let (cipher, rest) = string(rest).ok_or(CUT)?;
    let (_, rest) = string(rest).ok_or(CUT)?;
    let (_, rest) = string(rest).ok_or(CUT)?;
    let (count, rest) = number(rest).ok_or(CUT)?;
    let (_, rest) = string(rest).ok_or(CUT)?;
    let (secret, _) = string(rest).ok_or(CUT)?;
    if cipher != b"none" {
        return Err("it has a passphrase, which nobody types at a boot");
    }
    let (first, secret) = number(secret).ok_or(CUT)?;
    let (second, _) = number(secret).ok_or(CUT)?;
    if count != 1 || first != second {
        return Err("its content is damaged");
    }
    Ok(())
}

fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*head), rest))
}

fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = number(bytes)?;
    rest.split_at_checked(usize::try_from(length).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `ssh-keygen -t ed25519 -N ''` for this test.
    const KEY: &str = include_str!("host_key_for_tests.txt");

    #[test]
    fn a_whole_key_is_told_from_a_cut_one() {
        assert_eq!(parse(KEY.as_bytes()), Ok(()));
        let not_ended = KEY.trim_end();
        let why = Err("its last line has no line feed");
        assert_eq!(parse(not_ended.as_bytes()), why);
        for end in 0..KEY.len() {
            assert!(parse(&KEY.as_bytes()[..end]).is_err(), "{end} bytes");
        }
        let windows = KEY.replace('\n', "\r\n");
        assert_eq!(
            parse(windows.as_bytes()),
            Err("its lines end as on Windows")
        );
        assert_eq!(parse(&[0; 400]), Err("nothing but zero bytes"));
    }
}
