//! systemd-boot's entries, where its partition is mounted in the tree
//! (loader.conf(5); systemd 257, `src/boot/boot.c`).

use glob::{MatchOptions, Pattern};

use super::super::grub::{Decides, Entry, Loader, Menu, Way};
use super::super::text_file::{CHANGED_MAX, TextFile};
use super::bls::{self, BlsEntry};
use crate::sys::root_dir::RootDir;

const LIMIT: u64 = 1 << 20;

/// Where the EFI system partition is mounted.
const PLACES: [&str; 3] = ["/efi", "/boot", "/boot/efi"];

pub(super) fn collect(root: &RootDir) -> Option<Menu> {
    let has = |path: String| root.metadata(path).is_ok();
    let place = PLACES.into_iter().find(|place| {
        ["x64", "aa64"]
            .iter()
            .any(|machine| has(format!("{place}/EFI/systemd/systemd-boot{machine}.efi")))
    })?;
    let path = format!("{place}/loader/loader.conf");
    let mut menu = Menu::empty(Loader::SystemdBoot, &path);
    let config = root.read_text(&path, LIMIT).unwrap_or_default();
    // A second partition with entries (XBOOTLDR) is mounted at /boot.
    let mut found = Vec::new();
    for place in [place, "/boot"] {
        let entries = bls::read(root, &format!("{place}/loader/entries"));
        let entries = entries.unwrap_or_default().into_iter();
        found.extend(entries.map(|entry| (place, entry)));
        if place == "/boot" {
            break;
        }
    }
    let images = [place, "/boot"].map(|place| root.read_dir(format!("{place}/EFI/Linux")));
    let has_images = images.into_iter().flatten().any(|list| !list.is_empty());
    let names = fill(&mut menu, found, &config, has_images);
    let file = TextFile::read(root, &path, CHANGED_MAX);
    menu.way = file.ok().map(|file| {
        let lines = file.text.lines().enumerate();
        let own = lines.filter(|(_, line)| default_of(line).is_some());
        let last = own.last().map(|(number, _)| number + 1);
        let decides = match last {
            Some(number) => Decides::Line(file, number),
            None => Decides::Added(file),
        };
        Way { decides, names }
    });
    Some(menu)
}

/// What a line of loader.conf says about the default.
fn default_of(line: &str) -> Option<&str> {
    let (key, value) = line.trim().split_once(char::is_whitespace)?;
    (key == "default").then(|| value.trim())
}

/// Fills the menu; the entries by their index, and a name that means each alone.
fn fill(
    menu: &mut Menu,
    found: Vec<(&str, BlsEntry)>,
    config: &str,
    has_images: bool,
) -> Vec<(usize, String)> {
    let place_of = |entry: &BlsEntry| {
        let own = found.iter().find(|(_, other)| other == entry);
        own.map_or("", |(place, _)| *place)
    };
    let mut entries: Vec<BlsEntry> = found.iter().map(|(_, entry)| entry.clone()).collect();
    bls::in_systemds_order(&mut entries);
    for entry in &entries {
        let place = place_of(entry);
        let inside = |path: &String| format!("{place}/{}", path.trim_start_matches('/'));
        menu.entries.push(Entry {
            kernel: inside(&entry.kernel),
            command_line: entry.options.clone(),
            initramfs: entry.initramfs.iter().map(inside).collect(),
            ..Entry::titled(&entry.title)
        });
    }
    // The order of images among the entries, and what is in them, is not known;
    // entries that were tried in vain go to the end.
    let counted = entries.iter().any(|entry| entry.id.contains('+'));
    let wanted = config.lines().rev().find_map(default_of);
    menu.default = match wanted {
        _ if counted || has_images => None,
        Some(special) if special.starts_with('@') => None,
        Some(pattern) => entries
            .iter()
            .position(|entry| fits(pattern, &entry.id))
            .or((!entries.is_empty()).then_some(0)),
        None => (!entries.is_empty()).then_some(0),
    };
    let program = |at: usize| entries.get(at).is_some_and(|entry| entry.is_program);
    menu.default = menu.default.filter(|at| !program(*at));
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.~+".contains(c);
    let named = entries.iter().enumerate().filter(|(at, entry)| {
        let first = entries.iter().position(|other| fits(&entry.id, &other.id));
        first == Some(*at) && !entry.is_program && entry.id.chars().all(plain)
    });
    named
        .map(|(at, entry)| (at, format!("{}.conf", entry.id)))
        .collect()
}

/// True for a pattern of loader.conf that means this entry.
fn fits(pattern: &str, id: &str) -> bool {
    let options = MatchOptions {
        case_sensitive: false,
        ..MatchOptions::default()
    };
    let is = |pattern: &str| {
        Pattern::new(pattern).is_ok_and(|p| p.matches_with(&format!("{id}.conf"), options))
    };
    is(pattern) || is(&format!("{pattern}.conf"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn menu(config: &str, has_images: bool) -> Menu {
        let entry = |id: &str, version: &str| BlsEntry {
            id: id.to_owned(),
            title: id.to_owned(),
            version: version.to_owned(),
            kernel: format!("/m/{version}/linux"),
            sort_key: Some("debian".into()),
            ..BlsEntry::default()
        };
        let found = vec![
            ("/efi", entry("m-6.1", "6.1")),
            ("/efi", entry("m-6.10", "6.10")),
        ];
        let mut menu = Menu::empty(Loader::SystemdBoot, "x");
        fill(&mut menu, found, config, has_images);
        menu
    }

    #[test]
    fn the_newest_is_first_unless_a_pattern_says_otherwise() {
        let default = |config: &str| {
            let menu = menu(config, false);
            menu.default.map(|at| menu.entries[at].title.clone())
        };
        assert_eq!(default("timeout 3\n").as_deref(), Some("m-6.10"));
        assert_eq!(default("default m-6.1.conf\n").as_deref(), Some("m-6.1"));
        assert_eq!(default("default *-6.1\n").as_deref(), Some("m-6.1"));
        assert_eq!(default("default @saved\n"), None);
        assert_eq!(menu("", true).default, None);
        assert_eq!(menu("", false).entries[0].kernel, "/efi/m/6.10/linux");
    }
}
