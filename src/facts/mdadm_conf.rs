//! mdadm.conf(5): which name the patient gives to which array.

use serde::{Deserialize, Serialize};

use super::text_file::TextFile;
use crate::sys::root_dir::RootDir;

const LIMIT: u64 = 1 << 20;

/// Debian's place, and everybody else's.
const PLACES: [&str; 2] = ["/etc/mdadm/mdadm.conf", "/etc/mdadm.conf"];

/// An ARRAY line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ArrayLine {
    /// Line number, from 1; of its first line where it is continued.
    pub line: usize,
    /// The name that it gives: `/dev/md0`, `/dev/md/root`, `root`.
    pub device: Option<String>,
    /// The array's UUID, as mdadm spells it.
    pub uuid: Option<String>,
    /// The name in the superblock: `host:0`.
    pub name: Option<String>,
    /// The members that it names, and no others: `/dev/sda2,/dev/sdb2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<String>,
}

/// The file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MdadmConf {
    /// The file; none when there is none.
    pub file: Option<TextFile>,
    /// Its ARRAY lines.
    pub arrays: Vec<ArrayLine>,
    /// True when arrays are identified in ways that are not read: by devices,
    /// by number, or in a folder of further files.
    pub says_more: bool,
    /// Its HOMEHOST, where it has one.
    pub homehost: Option<String>,
    /// Its AUTO lines, in words: which arrays without an ARRAY line are
    /// assembled. Where there is none, all are.
    #[serde(default)]
    pub auto: Vec<String>,
    /// Why it could not be read.
    pub unreadable: Option<String>,
}

impl MdadmConf {
    /// The ARRAY line for the array with this UUID and name (`host:0`).
    pub fn entry_of(&self, uuid: &str, name: &str) -> Option<&ArrayLine> {
        let mut lines = self.arrays.iter();
        lines.find(|line| match (&line.uuid, &line.name) {
            (Some(own), _) => own == uuid,
            (None, Some(own)) => own == name,
            (None, None) => false,
        })
    }
}

/// `0` for `/dev/md0`, `/dev/md/0`, `md0` and `0`; `root` for `/dev/md/root`.
pub fn short_name(device: &str) -> &str {
    let name = device.strip_prefix("/dev/").unwrap_or(device);
    if let Some(name) = name.strip_prefix("md/") {
        return name;
    }
    match name.strip_prefix("md") {
        Some(number) if number.starts_with(|c: char| c.is_ascii_digit()) => number,
        _ => name,
    }
}

pub(super) fn collect(root: &RootDir) -> MdadmConf {
    for path in PLACES {
        match TextFile::read(root, path, LIMIT) {
            Ok(file) => {
                let conf = parse(&file.text);
                let more = root.read_dir(format!("{path}.d")).unwrap_or_default();
                return MdadmConf {
                    file: Some(file),
                    says_more: conf.says_more || !more.is_empty(),
                    ..conf
                };
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                return MdadmConf {
                    unreadable: Some(format!("{path}: {error}")),
                    ..MdadmConf::default()
                };
            }
        }
    }
    MdadmConf::default()
}

/// Reads the text; a line that makes no sense is passed over, as mdadm does.
fn parse(text: &str) -> MdadmConf {
    let mut conf = MdadmConf::default();
    for (line, words) in logical_lines(text) {
        let mut words = words.into_iter();
        let keyword = words.next().unwrap_or_default().to_ascii_lowercase();
        match keyword.as_str() {
            "array" => conf.arrays.push(array_line(line, words)),
            "auto" => conf.auto.extend(words.map(str::to_owned)),
            "homehost" => conf.homehost = words.next().map(str::to_owned),
            _ => {}
        }
    }
    let unknown = |line: &ArrayLine| line.uuid.is_none() && line.name.is_none();
    // `<ignore>` names an array that is left alone.
    let ignored = |line: &ArrayLine| line.device.as_deref() == Some("<ignore>");
    let mut lines = conf.arrays.iter();
    conf.says_more = lines.any(|line| unknown(line) && !ignored(line));
    conf
}

/// Lines in their words: one that begins with a blank continues the line
/// before, and `#` begins a comment at the start of a word.
fn logical_lines(text: &str) -> Vec<(usize, Vec<&str>)> {
    let mut lines: Vec<(usize, Vec<&str>)> = Vec::new();
    for (index, raw) in text.lines().enumerate() {
        let words = raw
            .split_whitespace()
            .take_while(|word| !word.starts_with('#'))
            .map(|word| word.trim_matches('"'));
        match lines.last_mut() {
            Some((_, before)) if raw.starts_with([' ', '\t']) => before.extend(words),
            _ => lines.push((index + 1, words.collect())),
        }
    }
    lines.retain(|(_, words)| !words.is_empty());
    lines
}

fn array_line<'a>(line: usize, words: impl Iterator<Item = &'a str>) -> ArrayLine {
    let mut array = ArrayLine {
        line,
        device: None,
        uuid: None,
        name: None,
        members: None,
    };
    for word in words {
        match word.split_once('=') {
            Some((key, value)) if key.eq_ignore_ascii_case("uuid") => {
                array.uuid = uuid(value);
            }
            Some((key, value)) if key.eq_ignore_ascii_case("devices") => {
                array.members = Some(value.to_owned());
            }
            Some((key, value)) if key.eq_ignore_ascii_case("name") => {
                array.name = Some(value.to_owned());
            }
            Some(_) => {}
            None if array.device.is_none() => array.device = Some(word.to_owned()),
            None => {}
        }
    }
    array
}

/// Any spelling of a UUID in mdadm's: four words with colons.
fn uuid(text: &str) -> Option<String> {
    let hex: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    let odd = text
        .chars()
        .any(|c| !c.is_ascii_hexdigit() && !":-. ".contains(c));
    if odd || hex.len() != 32 {
        return None;
    }
    let hex = hex.to_ascii_lowercase();
    let words = [&hex[..8], &hex[8..16], &hex[16..24], &hex[24..]];
    Some(words.join(":"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn array_lines_are_read_in_every_spelling() {
        let text = "# mdadm.conf\nHOMEHOST <system>\n\
                    ARRAY /dev/md/0 metadata=1.2 UUID=0A:bb-1111222233334444555566667777 name=srv:0\n\
                    array md1\n  uuid=00112233:44556677:8899aabb:ccddeeff # old\n\
                    DEVICE partitions\nARRAY <ignore> UUID=nonsense\n";
        let conf = parse(text);
        assert_eq!(conf.homehost.as_deref(), Some("<system>"));
        assert_eq!(conf.arrays.len(), 3);
        let first = &conf.arrays[0];
        assert_eq!(
            (first.line, first.device.as_deref()),
            (3, Some("/dev/md/0"))
        );
        assert_eq!(
            first.uuid.as_deref(),
            Some("0abb1111:22223333:44445555:66667777")
        );
        assert_eq!(first.name.as_deref(), Some("srv:0"));
        let second = &conf.arrays[1];
        assert_eq!(second.line, 4);
        assert_eq!(
            second.uuid.as_deref(),
            Some("00112233:44556677:8899aabb:ccddeeff")
        );
        assert_eq!(conf.arrays[2].uuid, None);
    }
}
