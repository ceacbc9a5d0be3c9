//! How another entry of GRUB's menu becomes the default one: by the line of the
//! configuration that sets it, or by a variable in its environment block.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::text_file::{CHANGED_MAX, TextFile};
use super::choice::{self, Item};
use crate::sys::root_dir::RootDir;

/// The environment block has this length and no other.
const BLOCK_BYTES: u64 = 1024;

/// Entries of a menu that are named.
const NAMES_MAX: usize = 256;

/// What decides about the default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Decides {
    /// This line of the configuration, counted from 1.
    Line(TextFile, usize),
    /// A line that this configuration has not.
    Added(TextFile),
    /// This variable of the environment block.
    Variable(TextFile, String),
}

/// How another entry becomes the default one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Way {
    /// What is to be changed.
    pub decides: Decides,
    /// Entries of the menu by their index, and how GRUB names them:
    /// `submenu>entry`.
    pub names: Vec<(usize, String)>,
}

impl Way {
    /// Nothing where it is not known what decides.
    pub(in super::super) fn find(
        root: &RootDir,
        config: &str,
        items: &[Item],
        values: &[String],
        environment: &BTreeMap<String, String>,
    ) -> Option<Self> {
        let set = |name: &str| environment.get(name).is_some_and(|value| !value.is_empty());
        let folder = config.rsplit_once('/')?.0;
        let block = || TextFile::read(root, &format!("{folder}/grubenv"), BLOCK_BYTES).ok();
        let variable = |name: &str| Some(Decides::Variable(block()?, name.to_owned()));
        let once = |value: &&String| value.contains("next_entry");
        let mut others: Vec<&String> = values.iter().filter(|value| !once(value)).collect();
        others.dedup();
        let decides = match others.as_slice() {
            _ if values.iter().any(|value| once(&value)) && set("next_entry") => {
                variable("next_entry")?
            }
            [value] if matches!(value.as_str(), "${saved_entry}" | "$saved_entry") => {
                variable("saved_entry")?
            }
            [value] => {
                let file = TextFile::read(root, config, CHANGED_MAX).ok()?;
                let lines = file.text.lines().enumerate();
                let mut own = lines.filter(|(_, line)| sets(line, value));
                let (index, _) = own.next()?;
                if own.next().is_some() {
                    return None;
                }
                Decides::Line(file, index + 1)
            }
            _ => return None,
        };
        let known = items.iter().enumerate().take(NAMES_MAX);
        let names = known.filter_map(|(at, item)| {
            let (entry, name) = (item.entry?, name_of(items, at)?);
            (choice::find(items, &name) == Some(entry)).then_some((entry, name))
        });
        Some(Self {
            decides,
            names: names.collect(),
        })
    }
}

/// True for `set default="0"` with this value.
fn sets(line: &str, value: &str) -> bool {
    let rest = line.trim().strip_prefix("set").map(str::trim_start);
    let own = rest.and_then(|rest| rest.strip_prefix("default="));
    own.is_some_and(|own| own.trim_matches(['"', '\'']) == value)
}

/// By ids, else titles; none where GRUB would read another name.
fn name_of(items: &[Item], at: usize) -> Option<String> {
    let item = items.get(at)?;
    let plain = |name: &&str| {
        let odd = ['>', '$', '"', '\'', '\\', '`', '#', '='];
        !name.is_empty() && !name.contains(odd) && !name.contains(char::is_control)
    };
    let id = item.id.as_deref().filter(plain);
    let own = id.or_else(|| Some(item.title.as_str()).filter(plain))?;
    match item.inside {
        // What is inside stands behind what it is in.
        Some(above) if above < at => Some(format!("{}>{own}", name_of(items, above)?)),
        Some(_) => None,
        None => Some(own.to_owned()),
    }
}

/// The block with a variable set, as `grub-editenv` writes it (GRUB 2.12,
/// `grub-core/lib/envblk.c`): in its place, or behind the others. Nothing where
/// it is no block or has no room.
pub fn block_with(block: &str, name: &str, value: &str) -> Option<String> {
    let length = usize::try_from(BLOCK_BYTES).ok()?;
    let body = block.trim_end_matches('#');
    let is_whole = block.starts_with(super::grub_env::SIGNATURE) && body.ends_with('\n');
    if block.len() != length || !is_whole {
        return None;
    }
    let begin = format!("{name}=");
    let line = format!("{begin}{value}\n");
    let mut lines: Vec<&str> = body.split_inclusive('\n').collect();
    match lines.iter_mut().find(|old| old.starts_with(&begin)) {
        // A value may go on in the next line.
        Some(old) if old.ends_with("\\\n") => return None,
        Some(old) => *old = &line,
        None => lines.push(&line),
    }
    let text = lines.concat();
    (text.len() <= length).then(|| format!("{text:#<length$}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_block_keeps_its_length_and_its_other_variables() {
        let block =
            |lines: &str| format!("{:#<1024}", format!("# GRUB Environment Block\n{lines}"));
        let old = block("a=1\nsaved_entry=x\nb=2\n");
        let set = |block: &str, value: &str| block_with(block, "saved_entry", value);
        assert_eq!(set(&old, "y>z"), Some(block("a=1\nsaved_entry=y>z\nb=2\n")));
        assert_eq!(set(&block(""), "y"), Some(block("saved_entry=y\n")));
        assert_eq!(set(&block(""), &"y".repeat(1000)), None);
        assert_eq!(set("# GRUB Environment Block\n", "y"), None);
        assert_eq!(set(&"#".repeat(1024), "y"), None);
    }

    #[test]
    fn an_entry_is_named_by_all_that_it_is_in() {
        let item = |title: &str, id: Option<&str>, inside| Item {
            title: title.into(),
            id: id.map(str::to_owned),
            inside,
            ..Item::default()
        };
        let items = [
            item("Debian", Some("gnulinux-simple"), None),
            item("Advanced", None, None),
            item("Linux 6.1", Some("$odd"), Some(1)),
            item("a>b", None, Some(1)),
        ];
        assert_eq!(name_of(&items, 0).as_deref(), Some("gnulinux-simple"));
        assert_eq!(name_of(&items, 2).as_deref(), Some("Advanced>Linux 6.1"));
        assert_eq!(name_of(&items, 3), None);
    }
}
