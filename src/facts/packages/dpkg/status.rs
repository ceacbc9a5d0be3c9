//! `/var/lib/dpkg/status` (deb-control(5), dpkg-query(1)).

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::facts::packages::control::{self, Field};

/// Faults of one file that are told.
const FAULTS_MAX: usize = 20;

/// The state of a package, the least finished first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Unpacking began and did not end.
    HalfInstalled,
    /// Unpacked, not configured.
    Unpacked,
    /// Configuring began and did not end.
    HalfConfigured,
    /// Waits for another package's trigger.
    TriggersAwaited,
    /// Its own trigger has not run.
    TriggersPending,
    /// All done.
    Installed,
    /// Removed; configuration files stay.
    ConfigFiles,
    /// Known, not installed.
    NotInstalled,
}

impl State {
    /// dpkg's own word.
    pub fn word(self) -> &'static str {
        match self {
            Self::HalfInstalled => "half-installed",
            Self::Unpacked => "unpacked",
            Self::HalfConfigured => "half-configured",
            Self::TriggersAwaited => "triggers-awaited",
            Self::TriggersPending => "triggers-pending",
            Self::Installed => "installed",
            Self::ConfigFiles => "config-files",
            Self::NotInstalled => "not-installed",
        }
    }

    fn from_word(word: &[u8]) -> Option<Self> {
        [
            Self::HalfInstalled,
            Self::Unpacked,
            Self::HalfConfigured,
            Self::TriggersAwaited,
            Self::TriggersPending,
            Self::Installed,
            Self::ConfigFiles,
            Self::NotInstalled,
        ]
        .into_iter()
        .find(|state| state.word().as_bytes() == word)
    }
}

/// One package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its architecture.
    pub architecture: String,
    /// The version on disk or being put there.
    pub version: String,
    /// The version that was last configured, where it differs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub configured: Option<String>,
    /// How far it is.
    pub state: State,
    /// True when dpkg asks for a reinstallation (`reinstreq`).
    pub broken: bool,
    /// True when its installation is not wanted (`deinstall`, `purge`).
    pub unwanted: bool,
    /// True when it is to stay at its version (`hold`).
    #[serde(default, skip_serializing_if = "is_false")]
    pub held: bool,
    /// True when nothing works without it (`Essential: yes`).
    #[serde(default, skip_serializing_if = "is_false")]
    pub essential: bool,
    /// True when it may be there for several architectures at once; its files
    /// in `info` then have the architecture in their names.
    #[serde(default, skip_serializing_if = "is_false")]
    pub multi_arch_same: bool,
    /// `required`, `important`, ...
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub priority: String,
    /// The source package, where its name differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as serde asks for it
fn is_false(value: &bool) -> bool {
    !*value
}

impl Package {
    /// An installed package of whatever manager.
    pub(crate) fn installed(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            architecture: String::new(),
            version: String::new(),
            configured: None,
            state: State::Installed,
            broken: false,
            unwanted: false,
            held: false,
            essential: false,
            multi_arch_same: false,
            priority: String::new(),
            source: None,
        }
    }

    /// True when it is neither installed nor removed.
    pub fn unfinished(&self) -> bool {
        self.broken || self.state < State::Installed
    }

    /// True when it was just being unpacked: dpkg cannot configure it.
    pub fn is_cut_off(&self) -> bool {
        self.broken || self.state == State::HalfInstalled
    }

    /// True when its files are there, whole or in part.
    pub fn on_disk(&self) -> bool {
        self.state <= State::Installed
    }

    /// `name (version)`.
    pub fn label(&self) -> String {
        format!("{} {}", self.name, self.version)
    }

    /// What its files in `info` are called before the dot
    /// (dpkg's `pkgadminfile`).
    pub fn info_stem(&self) -> String {
        if self.multi_arch_same {
            format!("{}:{}", self.name, self.architecture)
        } else {
            self.name.clone()
        }
    }
}

/// Reads every stanza; the second list tells what is wrong with the file.
pub fn parse(bytes: &[u8]) -> (Vec<Package>, Vec<String>) {
    let mut faults = Vec::new();
    if bytes.is_empty() {
        faults.push("it is empty".into());
    }
    let nuls = memchr::memchr_iter(0, bytes).count();
    if nuls > 0 {
        faults.push(match bytes.iter().all(|byte| *byte == 0) {
            true => format!("it holds nothing but {nuls} NUL bytes"),
            false => format!("it holds {nuls} NUL bytes"),
        });
    }
    let mut packages: Vec<Package> = Vec::new();
    let mut twice = Vec::new();
    // Keys point into the bytes: a big database has thousands of them.
    let mut seen = HashSet::new();
    for (at, stanza) in control::stanzas(bytes) {
        match package(stanza) {
            Ok(package) => {
                let name = control::field(stanza, "Package");
                let key = (name, control::field(stanza, "Architecture"));
                if !seen.insert(key) {
                    twice.push(format!("{} is listed twice", package.name));
                }
                packages.push(package);
            }
            Err(what) if faults.len() < FAULTS_MAX => {
                let line = memchr::memchr_iter(b'\n', &bytes[..at]).count() + 1;
                faults.push(format!("line {}: {}", line + what.line, what.what));
            }
            Err(_) => {}
        }
    }
    faults.extend(twice);
    if !bytes.is_empty() && !bytes.ends_with(b"\n") {
        faults.push("it ends in the middle of a line".into());
    }
    faults.truncate(FAULTS_MAX);
    (packages, faults)
}

/// Why a stanza is no package.
struct Refused {
    /// Lines behind the first of the stanza.
    line: usize,
    what: String,
}

impl From<String> for Refused {
    fn from(what: String) -> Self {
        Self { line: 0, what }
    }
}

/// The fields of a stanza that are looked at.
#[derive(Default)]
struct Known<'a> {
    name: Option<&'a [u8]>,
    status: Option<&'a [u8]>,
    version: Option<&'a [u8]>,
    architecture: Option<&'a [u8]>,
    configured: Option<&'a [u8]>,
    essential: bool,
    same: bool,
    priority: Option<&'a [u8]>,
    source: Option<&'a [u8]>,
}

impl<'a> Known<'a> {
    /// Notes the field; true for one that is ASCII by its grammar.
    fn take(&mut self, field: Field<'a>) -> bool {
        let value = field.value;
        // The first one counts, as it does for dpkg before it gives up.
        match field.name.to_ascii_lowercase().as_slice() {
            b"package" => self.name = self.name.or(Some(value)),
            b"status" => self.status = self.status.or(Some(value)),
            b"version" => self.version = self.version.or(Some(value)),
            b"architecture" => self.architecture = self.architecture.or(Some(value)),
            b"config-version" => self.configured = self.configured.or(Some(value)),
            b"essential" => self.essential = value.eq_ignore_ascii_case(b"yes"),
            b"multi-arch" => self.same = value.eq_ignore_ascii_case(b"same"),
            b"priority" => self.priority = self.priority.or(Some(value)),
            b"source" => self.source = self.source.or(Some(value)),
            b"depends" | b"pre-depends" | b"section" | b"installed-size" => {}
            _ => return false,
        }
        true
    }
}

fn package(stanza: &[u8]) -> Result<Package, Refused> {
    let mut known = Known::default();
    let mut ascii = Vec::new();
    for field in control::fields(stanza) {
        match field {
            Ok(field) => {
                ascii.push(field.name);
                if known.take(field) {
                    ascii.push(field.value);
                }
            }
            Err(line) => {
                let at = line.as_ptr().addr() - stanza.as_ptr().addr();
                return Err(Refused {
                    line: memchr::memchr_iter(b'\n', stanza.get(..at).unwrap_or(&[])).count(),
                    what: flipped(line).unwrap_or(format!("{} is no field", shown(line))),
                });
            }
        }
    }
    for part in ascii {
        if !part.is_ascii() {
            let at = part.as_ptr().addr() - stanza.as_ptr().addr();
            return Err(Refused {
                line: memchr::memchr_iter(b'\n', stanza.get(..at).unwrap_or(&[])).count(),
                what: flipped(part).unwrap_or(format!("{} is not ASCII", shown(part))),
            });
        }
    }
    Ok(made(&known)?)
}

fn made(known: &Known<'_>) -> Result<Package, String> {
    let text =
        |value: Option<&[u8]>| String::from_utf8_lossy(value.unwrap_or_default()).into_owned();
    let name = known.name.ok_or("a stanza without a Package field")?;
    if !name_is_legal(name) {
        return Err(format!("{} is no name of a package", shown(name)));
    }
    let name = text(Some(name));
    let status = known.status.ok_or(format!("{name} has no Status field"))?;
    let mut words = status
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    let (want, flag, state) = (words.next(), words.next(), words.next());
    let state = state
        .and_then(State::from_word)
        .ok_or(format!("{name} has the unknown status {}", shown(status)))?;
    if known.version.is_none() && state < State::NotInstalled && state != State::HalfInstalled {
        return Err(format!("{name} has no Version field"));
    }
    let version = text(known.version);
    if version.chars().any(|c| c.is_control() || c == ' ') {
        return Err(format!("{name} has the impossible version {version:?}"));
    }
    // `Source: name (version)`
    let source = known.source.map(|source| text(Some(source)));
    let source = source.and_then(|text| Some(text.split_whitespace().next()?.to_owned()));
    Ok(Package {
        architecture: text(known.architecture),
        configured: known
            .configured
            .map(|configured| text(Some(configured)))
            .filter(|configured| *configured != version),
        version,
        state,
        broken: flag.is_some_and(|flag| memchr::memmem::find(flag, b"reinstreq").is_some()),
        unwanted: matches!(want, Some(b"deinstall" | b"purge")),
        held: want == Some(b"hold"),
        essential: known.essential,
        multi_arch_same: known.same,
        priority: text(known.priority),
        source: source.filter(|source| *source != name),
        name,
    })
}

/// dpkg's `pkg_name_is_illegal`.
fn name_is_legal(name: &[u8]) -> bool {
    let first = name.first().is_some_and(u8::is_ascii_alphanumeric);
    first
        && name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-+._".contains(byte))
}

/// Text in which a byte has the highest bit set that it should not have: what
/// failing memory and failing disks leave behind.
fn flipped(text: &[u8]) -> Option<String> {
    let wrong = text.iter().find(|byte| !byte.is_ascii())?;
    let cleared: Vec<u8> = text.iter().map(|byte| byte & 0x7f).collect();
    let printable = cleared.iter().all(|byte| (b' '..=b'~').contains(byte));
    // Two bytes of UTF-8 are somebody's spelling, one byte alone is a fault.
    let spelled = std::str::from_utf8(text).is_ok();
    (printable && !spelled).then(|| {
        format!(
            "the byte {wrong:#04x} in {} has bit 7 set; with that bit cleared it reads {}",
            shown(text),
            shown(&cleared)
        )
    })
}

/// The beginning of it, for a message.
fn shown(text: &[u8]) -> String {
    let text = text.get(..40).unwrap_or(text);
    format!("\"{}\"", text.escape_ascii())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const GOOD: &str = "Package: a\nStatus: install ok installed\nArchitecture: amd64\n\
        Version: 1\nDescription: x\n more: text\n\n\
        Package: b\nStatus: install reinstreq half-installed\nArchitecture: amd64\n\n\
        Package: c\nStatus: install ok unpacked\nArchitecture: all\nVersion: 3\n\
        Config-Version: 2\n\n\
        Package: d\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 3\n\n";

    #[test]
    fn states_and_versions() {
        let (packages, faults) = parse(GOOD.as_bytes());
        assert!(faults.is_empty(), "{faults:?}");
        assert_eq!(packages.len(), 4);
        assert!(!packages[0].unfinished());
        assert!(packages[1].unfinished() && packages[1].broken);
        assert_eq!(packages[2].configured.as_deref(), Some("2"));
        assert!(!packages[3].unfinished() && packages[3].unwanted);
    }

    #[test]
    fn cut_anywhere_it_never_fails_and_says_so() {
        for end in 1..GOOD.len() - 1 {
            let (packages, faults) = parse(&GOOD.as_bytes()[..end]);
            let whole =
                GOOD.as_bytes()[end..].starts_with(b"\n") || GOOD.as_bytes()[end - 1] == b'\n';
            assert!(whole || !faults.is_empty(), "cut at {end}: {packages:?}");
        }
    }

    #[test]
    fn nul_bytes_and_flipped_bits_are_told() {
        let mut bytes = GOOD.as_bytes().to_vec();
        bytes[60] = 0;
        assert!(!parse(&bytes).1.is_empty());
        let flipped = GOOD.replace("unpacked", "unpacjed");
        assert!(!parse(flipped.as_bytes()).1.is_empty());
        assert_eq!(parse(b"").1, ["it is empty"]);
        assert!(parse(&[0; 64]).1[0].contains("nothing but 64 NUL"));
    }

    #[test]
    fn a_set_bit_7_is_told_with_what_the_text_was() {
        for (good, place) in [
            ("Package: b", 9),
            ("Architecture: amd64", 3),
            ("Version: 3", 8),
        ] {
            let mut bytes = GOOD.as_bytes().to_vec();
            let at = GOOD.find(good).unwrap() + place;
            bytes[at] |= 0x80;
            let (packages, faults) = parse(&bytes);
            assert_eq!(packages.len(), 3, "{faults:?}");
            assert!(faults[0].contains("bit 7"), "{faults:?}");
            let line = GOOD[..at].matches('\n').count() + 1;
            assert!(
                faults[0].starts_with(&format!("line {line}:")),
                "{faults:?}"
            );
        }
        // Maintainers' names and descriptions are no matter of the grammar.
        let names = GOOD.replace("Description: x", "Maintainer: Jos\u{e9} <j@x>");
        assert!(parse(names.as_bytes()).1.is_empty());
        let mut latin = GOOD.as_bytes().to_vec();
        latin[GOOD.find("text").unwrap()] = 0xe9;
        assert!(parse(&latin).1.is_empty());
    }

    #[test]
    fn what_else_a_stanza_says() {
        let text = "Package: libc6\nEssential: yes\nStatus: hold ok installed\n\
            Priority: optional\nArchitecture: amd64\nMulti-Arch: same\n\
            Source: glibc (2.36-9)\nVersion: 2.36-9\n\n";
        let package = &parse(text.as_bytes()).0[0];
        assert!(package.held && package.essential && !package.unfinished());
        assert_eq!(package.info_stem(), "libc6:amd64");
        assert_eq!(package.source.as_deref(), Some("glibc"));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_failing(
            cut in 0..GOOD.len(), at in 0..GOOD.len(), byte: u8
        ) {
            let mut bytes = GOOD.as_bytes().to_vec();
            bytes[at] = byte;
            parse(&bytes[..cut]);
        }
    }
}
