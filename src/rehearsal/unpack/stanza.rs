//! The stanza of a package that was just unpacked (`fieldinfos` in dpkg's
//! lib/dpkg/parse.c has the order of the fields, `f_conffiles` and
//! `w_configversion` in fields.c and dump.c what stands in them).

use std::collections::HashMap;

use crate::facts::packages::control::{self, Field};
use crate::facts::packages::dpkg_files::relative;

/// Fields that dpkg writes in this order; all others follow.
const ORDER: [&str; 26] = [
    "Package",
    "Essential",
    "Protected",
    "Status",
    "Priority",
    "Section",
    "Installed-Size",
    "Origin",
    "Maintainer",
    "Bugs",
    "Architecture",
    "Multi-Arch",
    "Source",
    "Version",
    "Config-Version",
    "Replaces",
    "Provides",
    "Depends",
    "Pre-Depends",
    "Recommends",
    "Suggests",
    "Breaks",
    "Conflicts",
    "Enhances",
    "Conffiles",
    "Description",
];

/// Says that a configuration file was never put in its place.
const NEW: &str = "newconffile";

/// The text of a stanza, from the control file of the new version and the
/// stanza of the old one.
pub(super) fn unpacked(
    new: &[u8],
    old: Option<&[u8]>,
    conffiles: &[Vec<u8>],
    obsolete: &[Vec<u8>],
) -> Vec<u8> {
    let mut lines: Vec<(String, Vec<u8>)> = Vec::new();
    let says_no = |field: &Field<'_>| {
        field.value == b"no"
            && (field.is("Essential") || field.is("Protected") || field.is("Multi-Arch"))
    };
    let ours = |field: &Field<'_>| {
        [
            "Status",
            "Config-Version",
            "Conffiles",
            "Triggers-Pending",
            "Triggers-Awaited",
        ]
        .iter()
        .any(|name| field.is(name))
    };
    for field in control::fields(new).flatten() {
        if field.value.is_empty() || says_no(&field) || ours(&field) {
            continue;
        }
        let name = String::from_utf8_lossy(field.name).into_owned();
        let mut value = b" ".to_vec();
        value.extend_from_slice(field.value);
        lines.push((name, value));
    }
    let is_held = old.and_then(|old| control::field(old, "Status"));
    let is_held = is_held.is_some_and(|status| status.starts_with(b"hold "));
    let want = if is_held { "hold" } else { "install" };
    lines.push(("Status".into(), format!(" {want} ok unpacked").into_bytes()));
    if let Some(version) = old.and_then(configured) {
        let mut value = b" ".to_vec();
        value.extend_from_slice(&version);
        lines.push(("Config-Version".into(), value));
    }
    let value = conffiles_field(old, conffiles, obsolete);
    if !value.is_empty() {
        lines.push(("Conffiles".into(), value));
    }
    lines.sort_by_key(|(name, _)| {
        let place = ORDER
            .iter()
            .position(|known| known.eq_ignore_ascii_case(name));
        place.unwrap_or(ORDER.len())
    });
    let mut text = Vec::new();
    for (name, value) in lines {
        text.extend_from_slice(name.as_bytes());
        text.push(b':');
        text.extend_from_slice(&value);
        text.push(b'\n');
    }
    text
}

/// The version that was last configured.
fn configured(old: &[u8]) -> Option<Vec<u8>> {
    let status = control::field(old, "Status")?;
    let state = status.rsplit(|byte| *byte == b' ').next()?;
    let field = match state {
        b"installed" | b"triggers-awaited" | b"triggers-pending" => "Version",
        b"not-installed" => return None,
        _ => "Config-Version",
    };
    control::field(old, field).map(<[u8]>::to_vec)
}

/// The digests that the old version shipped stay: what dpkg asks the operator
/// about goes by them.
fn conffiles_field(old: Option<&[u8]>, conffiles: &[Vec<u8>], obsolete: &[Vec<u8>]) -> Vec<u8> {
    let known = old.map(digests).unwrap_or_default();
    let mut value = Vec::new();
    let mut add = |path: &[u8], more: &str| {
        let digest = known
            .get(path)
            .map_or(NEW.as_bytes(), |digest| digest.as_slice());
        value.extend_from_slice(b"\n /");
        value.extend_from_slice(path);
        value.push(b' ');
        value.extend_from_slice(digest);
        value.extend_from_slice(more.as_bytes());
    };
    conffiles.iter().for_each(|path| add(path, ""));
    obsolete.iter().for_each(|path| add(path, " obsolete"));
    value
}

/// The configuration files of a stanza with their digests; paths without the
/// leading slash.
pub(super) fn digests(stanza: &[u8]) -> HashMap<Vec<u8>, Vec<u8>> {
    let field = control::field(stanza, "Conffiles").unwrap_or_default();
    let lines = field.split(|byte| *byte == b'\n');
    let all = lines.filter_map(|line| {
        let mut words: Vec<&[u8]> = line.trim_ascii().split(|byte| *byte == b' ').collect();
        while matches!(words.last(), Some(&b"obsolete" | &b"remove-on-upgrade")) {
            words.pop();
        }
        let digest = words.pop()?.to_vec();
        let path = words.join(&b' ');
        let path = relative(&path).to_vec();
        (!path.is_empty()).then_some((path, digest))
    });
    all.collect()
}
