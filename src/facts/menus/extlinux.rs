//! `extlinux.conf` (SYSLINUX 6, `doc/syslinux.txt` and `com32/menu`).

use super::super::grub::{Decides, Entry, Loader, Menu, Way};
use super::super::text_file::{CHANGED_MAX, TextFile};
use crate::sys::root_dir::RootDir;

const LIMIT: u64 = 1 << 20;

/// Where it lies.
const PLACES: [&str; 5] = [
    "/boot/extlinux/extlinux.conf",
    "/boot/extlinux.conf",
    "/boot/syslinux/extlinux.conf",
    "/boot/syslinux/syslinux.cfg",
    "/extlinux/extlinux.conf",
];

pub(super) fn collect(root: &RootDir) -> Option<Menu> {
    let path = PLACES
        .into_iter()
        .find(|path| root.metadata(path).is_ok())?;
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let text = root.read_text(path, LIMIT);
    let mut menu = Menu::empty(Loader::Extlinux, path);
    menu.unreadable = text.as_ref().err().map(ToString::to_string);
    let line = parse(&text.unwrap_or_default(), folder, &mut menu);
    menu.way = line.and_then(|line| {
        let file = TextFile::read(root, path, CHANGED_MAX).ok()?;
        let labels = menu.entries.iter().enumerate();
        // A label with a space has options behind it.
        let plain = labels.filter(|(_, entry)| !entry.title.contains(char::is_whitespace));
        Some(Way {
            decides: Decides::Line(file, line),
            names: plain.map(|(at, entry)| (at, entry.title.clone())).collect(),
        })
    });
    Some(menu)
}

/// What decides when nobody is there: the first word and its line, from 1.
#[derive(Debug, Clone)]
struct Named {
    label: String,
    line: usize,
}

/// Words that tell whether it waits for somebody.
#[derive(Debug, Default)]
struct Waits {
    asks: bool,
    time: u32,
    /// What is started when nobody came (`ONTIMEOUT`).
    then: Option<Named>,
}

/// Reads it; the line that decides about the default, where one does.
fn parse(text: &str, folder: &str, menu: &mut Menu) -> Option<usize> {
    let mut default = None;
    let mut waits = Waits::default();
    let mut marked = None;
    let mut labels: Vec<String> = Vec::new();
    // A further file, or an entry for the end of the waiting time, may decide.
    let mut sure = true;
    let file = |name: &str| match name.starts_with('/') {
        true => name.to_owned(),
        false => format!("{folder}/{name}"),
    };
    for (number, line) in text.lines().map(str::trim).enumerate() {
        let line_number = number + 1;
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        let entry = menu.entries.last_mut();
        match (word.to_ascii_lowercase().as_str(), entry) {
            ("default", _) if is_menu(rest) => waits.asks = true,
            ("default", _) => {
                default = Some(Named {
                    label: rest.to_owned(),
                    line: line_number,
                });
            }
            ("ontimeout", _) => {
                waits.then = Some(Named {
                    label: rest.to_owned(),
                    line: line_number,
                });
            }
            ("ui", _) => waits.asks = true,
            ("prompt", _) => waits.asks |= rest != "0",
            ("timeout", _) => waits.time = rest.parse().unwrap_or(0),
            ("include" | "totaltimeout" | "config", _) => sure = false,
            ("label", _) => {
                labels.push(rest.to_owned());
                menu.entries.push(Entry::titled(rest));
            }
            ("menu", _) if rest.to_ascii_lowercase().starts_with("include") => sure = false,
            ("menu", Some(_)) if rest.eq_ignore_ascii_case("default") => {
                marked = labels.last().cloned();
            }
            ("linux" | "kernel", Some(entry)) => entry.kernel = file(rest),
            ("append", Some(entry)) => {
                entry.command_line = rest.to_owned();
                let named = entry.parameter("initrd").map(str::to_owned);
                let files = named.iter().flat_map(|all| all.split(','));
                entry.initramfs.extend(files.map(file));
            }
            ("initrd", Some(entry)) => entry.initramfs.extend(rest.split(',').map(file)),
            _ => {}
        }
    }
    let position = |wanted: &String| labels.iter().position(|label| label == wanted);
    let named = match (waits.then, waits.asks, waits.time) {
        // It waits for ever.
        (Some(_), true, 0) => None,
        (Some(then), true, _) => Some(then),
        // Without a question DEFAULT is started at once.
        (_, _, _) if marked.is_none() => default,
        _ => None,
    };
    let wanted = named.as_ref().map(|named| &named.label);
    menu.default = match wanted.or(marked.as_ref()) {
        Some(wanted) if sure => position(wanted),
        _ => None,
    };
    named
        .filter(|_| menu.default.is_some())
        .map(|named| named.line)
}

/// The default may be the program that shows the menu.
fn is_menu(word: &str) -> bool {
    word.ends_with(".c32") || word.ends_with("menu")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entry_of_alpine_and_one_that_is_not_sure() {
        let text = "DEFAULT menu.c32\nTIMEOUT 10\nLABEL virt\n  MENU DEFAULT\n  \
                    LINUX vmlinuz-virt\n  INITRD initramfs-virt\n  APPEND root=UUID=1 quiet\n\
                    LABEL lts\n  KERNEL /boot/vmlinuz-lts\n  APPEND initrd=/boot/i-lts ro\n";
        let mut menu = Menu::empty(Loader::Extlinux, "x");
        parse(text, "/boot/extlinux", &mut menu);
        assert_eq!(menu.default, Some(0));
        assert_eq!(menu.entries[0].kernel, "/boot/extlinux/vmlinuz-virt");
        assert_eq!(menu.entries[0].initramfs, ["/boot/extlinux/initramfs-virt"]);
        assert_eq!(menu.entries[1].initramfs, ["/boot/i-lts"]);
        let mut menu = Menu::empty(Loader::Extlinux, "x");
        parse(&format!("INCLUDE other.conf\n{text}"), "/", &mut menu);
        assert_eq!(menu.default, None);
    }

    #[test]
    fn what_is_started_when_nobody_comes() {
        let default = |first: &str| {
            let text = format!("{first}\nLABEL a\n KERNEL /a\nLABEL b\n KERNEL /b\n");
            let mut menu = Menu::empty(Loader::Extlinux, "x");
            let line = parse(&text, "/", &mut menu);
            (menu.default, line)
        };
        assert_eq!(default("DEFAULT b"), (Some(1), Some(1)));
        assert_eq!(
            default("PROMPT 0\nDEFAULT a\nONTIMEOUT b"),
            (Some(0), Some(2))
        );
        let waits = "PROMPT 1\nTIMEOUT 50\nDEFAULT a\nONTIMEOUT b";
        assert_eq!(default(waits), (Some(1), Some(4)));
        assert_eq!(default("UI menu.c32\nDEFAULT a\nONTIMEOUT b").0, None);
        assert_eq!(default(&format!("{waits}\nTOTALTIMEOUT 900")).0, None);
        assert_eq!(default("DEFAULT a quiet"), (None, None));
    }
}
