//! Extended attributes in a journal.

use std::io;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::sys::root_dir::RootDir;
use crate::sys::write_root::WriteRoot;
use crate::sys::xattr::{self, Xattrs};

/// An extended attribute that changes. Values are in base64: they are bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Attribute {
    /// Its name, such as `system.posix_acl_default`.
    pub name: String,
    /// What it was; none when it was not there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub before: Option<String>,
    /// What it becomes; none when it goes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after: Option<String>,
}

/// What changes between two sets of attributes.
pub fn changes(before: &Xattrs, after: &Xattrs) -> Vec<Attribute> {
    let names = before.keys().chain(after.keys());
    let mut names: Vec<&String> = names.collect();
    names.sort_unstable();
    names.dedup();
    let text = |of: &Xattrs, name: &String| of.get(name).map(|value| STANDARD.encode(value));
    let all = names.into_iter().map(|name| Attribute {
        name: name.clone(),
        before: text(before, name),
        after: text(after, name),
    });
    all.filter(|one| one.before != one.after).collect()
}

/// True when the directory at `path` has what each attribute is before, or
/// after.
pub(super) fn stand(
    root: &RootDir,
    path: &Path,
    wanted: &[Attribute],
    is_after: bool,
) -> io::Result<bool> {
    if wanted.is_empty() {
        return Ok(true);
    }
    let now = xattr::all(root, path)?;
    Ok(wanted.iter().all(|one| {
        let value = if is_after { &one.after } else { &one.before };
        now.get(&one.name).map(|value| STANDARD.encode(value)) == *value
    }))
}

/// Gives the directory at `path` what each attribute is after, or before.
pub(super) fn give(
    write: &WriteRoot<'_>,
    path: &Path,
    wanted: &[Attribute],
    is_after: bool,
) -> io::Result<()> {
    for one in wanted {
        match if is_after { &one.after } else { &one.before } {
            Some(value) => {
                let value = STANDARD.decode(value).map_err(io::Error::other)?;
                write.set_xattr(path, &one.name, &value)?;
            }
            None => write.remove_xattr(path, &one.name)?,
        }
    }
    Ok(())
}
