//! `extlinux.conf` (SYSLINUX 6, `doc/syslinux.txt` and `com32/menu`).

use super::super::grub::{Entry, Loader, Menu};
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
    parse(&text.unwrap_or_default(), folder, &mut menu);
    Some(menu)
}

fn parse(text: &str, folder: &str, menu: &mut Menu) {
    let mut default = None;
    let mut marked = None;
    let mut labels: Vec<String> = Vec::new();
    // A further file, or an entry for the end of the waiting time, may decide.
    let mut sure = true;
    let file = |name: &str| match name.starts_with('/') {
        true => name.to_owned(),
        false => format!("{folder}/{name}"),
    };
    for line in text.lines().map(str::trim) {
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        let entry = menu.entries.last_mut();
        match (word.to_ascii_lowercase().as_str(), entry) {
            ("default", _) if !is_menu(rest) => default = Some(rest.to_owned()),
            ("include" | "ontimeout" | "config", _) => sure = false,
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
    let wanted = marked.or(default);
    let position = |wanted: &String| labels.iter().position(|label| label == wanted);
    menu.default = match &wanted {
        _ if !sure => None,
        Some(wanted) => position(wanted),
        None => None,
    };
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
}
