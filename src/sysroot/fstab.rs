//! fstab(5): which filesystem the patient wants where.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// One line of fstab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Entry {
    /// Line number, from 1.
    pub line: usize,
    /// The device: `UUID=...`, `LABEL=...`, `/dev/...`, or a word such as
    /// `tmpfs`.
    pub spec: String,
    /// Where it is mounted; `none` or `swap` for swap.
    #[serde(with = "crate::journal::encoded")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub target: PathBuf,
    /// Filesystem type.
    pub fstype: String,
    /// Mount options.
    pub options: Vec<String>,
}

/// A line that mount(8) cannot use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct BadLine {
    /// Line number, from 1.
    pub line: usize,
    /// The line itself.
    pub text: String,
    /// What is wrong with it.
    pub why: String,
}

/// A whole fstab.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Fstab {
    /// The lines in order.
    pub entries: Vec<Entry>,
    /// The lines that could not be used.
    pub bad: Vec<BadLine>,
}

impl Entry {
    /// True when the option is set.
    pub fn has(&self, option: &str) -> bool {
        self.options.iter().any(|set| set == option)
    }

    /// True for swap.
    pub fn is_swap(&self) -> bool {
        self.fstype == "swap"
    }

    /// True when the line names a block device, not a kernel filesystem, a
    /// network share or a bind mount.
    pub fn wants_device(&self) -> bool {
        let tagged = ["UUID=", "LABEL=", "PARTUUID=", "PARTLABEL=", "ID="];
        let bind = self.has("bind") || self.has("rbind");
        !bind && (self.spec.starts_with("/dev/") || tagged.iter().any(|t| self.spec.starts_with(t)))
    }
}

/// Reads fstab; nothing in it can make this fail as a whole.
pub fn parse(text: &str) -> Fstab {
    let mut fstab = Fstab::default();
    for (index, raw) in text.lines().enumerate() {
        let line = index + 1;
        let trimmed = raw.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        match entry(line, trimmed) {
            Ok(entry) => fstab.entries.push(entry),
            Err(why) => fstab.bad.push(BadLine {
                line,
                text: trimmed.chars().take(200).collect(),
                why,
            }),
        }
    }
    fstab
}

fn entry(line: usize, text: &str) -> Result<Entry, String> {
    let mut fields = text.split_whitespace();
    let mut next = |name: &str| {
        fields
            .next()
            .ok_or_else(|| format!("the {name} is missing"))
    };
    let spec = next("device")?;
    let target = next("mount point")?;
    let fstype = next("filesystem type")?;
    // Options, dump and pass may be left out (getmntent(3) fills them in).
    let options = next("options").unwrap_or("defaults");
    for name in ["dump field", "pass field"] {
        if let Ok(number) = next(name)
            && number.parse::<u32>().is_err()
            && !number.starts_with('#')
        {
            return Err(format!("the {name} is {number:?}, not a number"));
        }
    }
    let target = PathBuf::from(unescape(target));
    if !target.is_absolute() && fstype != "swap" && target.as_os_str() != "none" {
        return Err(format!("{} is no absolute path", target.display()));
    }
    Ok(Entry {
        line,
        spec: unescape(spec).to_string_lossy().replace('"', ""),
        target,
        fstype: fstype.to_owned(),
        options: options.split(',').map(str::to_owned).collect(),
    })
}

/// Octal escapes such as `\040` for a space.
fn unescape(field: &str) -> OsString {
    let mut rest = field.as_bytes();
    let mut out = Vec::with_capacity(rest.len());
    while let Some((&first, tail)) = rest.split_first() {
        let digits = tail
            .get(..3)
            .filter(|d| d.iter().all(|c| (b'0'..=b'7').contains(c)));
        let byte = digits.and_then(|d| {
            let value = d.iter().fold(0_u32, |sum, c| sum * 8 + u32::from(c - b'0'));
            u8::try_from(value).ok()
        });
        match (first, byte) {
            (b'\\', Some(byte)) => {
                out.push(byte);
                rest = &tail[3..];
            }
            _ => {
                out.push(first);
                rest = tail;
            }
        }
    }
    OsString::from_vec(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn lines_of_every_kind() {
        let fstab = parse(
            "# comment\n\
             UUID=\"abc\" / ext4 errors=remount-ro 0 1\n\
             /dev/sda2 none swap sw 0 0\n\
             LABEL=my\\040data /srv/my\\040data xfs nofail,x-systemd.automount\n\
             proc /proc proc\n\
             tmpfs relative tmpfs defaults 0 0\n\
             lonely\n\
             UUID=x /x ext4 defaults zero 0\n",
        );
        assert_eq!(fstab.entries.len(), 4);
        assert_eq!(fstab.entries[0].spec, "UUID=abc");
        assert!(fstab.entries[0].wants_device());
        assert!(fstab.entries[1].is_swap());
        assert_eq!(fstab.entries[2].spec, "LABEL=my data");
        assert_eq!(fstab.entries[2].target, PathBuf::from("/srv/my data"));
        assert!(fstab.entries[2].has("nofail"));
        assert!(!fstab.entries[3].wants_device());
        let lines: Vec<_> = fstab.bad.iter().map(|bad| bad.line).collect();
        assert_eq!(lines, [6, 7, 8]);
    }

    #[test]
    fn odd_escapes_stay_as_they_are() {
        assert_eq!(unescape("a\\"), "a\\");
        assert_eq!(unescape("a\\9z"), "a\\9z");
        assert_eq!(unescape("\\777"), "\\777");
    }
}
