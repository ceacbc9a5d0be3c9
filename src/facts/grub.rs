//! `/boot/grub/grub.cfg`: which kernel is started when nobody is at the
//! console (GRUB manual, "Simple configuration handling").

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::boot_files;
use super::menus::choice::{self, Item};
pub use super::menus::way::{Decides, Way, block_with};
use super::menus::{bls_of_grub, grub_env};
use crate::sys::root_dir::{Kind, RootDir};

const LIMIT: u64 = 4 << 20;

/// Names before the root inside its filesystem that are tried.
const SUBVOLUME_DEPTH_MAX: usize = 8;

/// One `menuentry`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Entry {
    /// What the menu shows.
    pub title: String,
    /// The kernel image, as a path of the patient.
    pub kernel: String,
    /// The kernel's command line.
    pub command_line: String,
    /// Each initramfs, as paths of the patient.
    pub initramfs: Vec<String>,
    /// Of these files, the ones that are not there or not what they should be.
    pub missing: Vec<String>,
    /// How many entries of any kind stand before it.
    pub before: usize,
}

/// The boot loader that a menu belongs to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Loader {
    /// GRUB 2.
    #[default]
    Grub,
    /// systemd-boot.
    SystemdBoot,
    /// extlinux or syslinux.
    Extlinux,
}

impl Loader {
    /// How the operator calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Grub => "GRUB",
            Self::SystemdBoot => "systemd-boot",
            Self::Extlinux => "extlinux",
        }
    }

    /// How its menu is made anew, in words for a finding.
    pub fn made_anew(self) -> &'static str {
        match self {
            Self::Grub => {
                "in a chroot of the patient: update-grub (Debian), grub2-mkconfig (Fedora)"
            }
            Self::SystemdBoot => "in a chroot of the patient: kernel-install add RELEASE IMAGE",
            Self::Extlinux => "set the names right in the file, or in a chroot: extlinux-update",
        }
    }
}

/// A boot loader's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Menu {
    /// Whose it is.
    #[serde(default)]
    pub loader: Loader,
    /// The file.
    pub path: String,
    /// Its entries that start Linux, in order.
    pub entries: Vec<Entry>,
    /// True when it is sure that the first entry is the default one.
    pub first_is_default: bool,
    /// The default entry among them, where it is known.
    #[serde(default)]
    pub default: Option<usize>,
    /// True when entries come from `/boot/loader/entries` as well.
    pub bls: bool,
    /// How another entry becomes the default one, where that is broken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub way: Option<Way>,
    /// Why it could not be read.
    pub unreadable: Option<String>,
}

impl Menu {
    /// One without entries.
    pub(super) fn empty(loader: Loader, path: &str) -> Self {
        Self {
            loader,
            path: path.to_owned(),
            entries: Vec::new(),
            first_is_default: false,
            default: None,
            bls: false,
            way: None,
            unreadable: None,
        }
    }

    /// The entry that is started without a key pressed, where that is known.
    pub fn default_entry(&self) -> Option<&Entry> {
        let known = self.default.and_then(|at| self.entries.get(at));
        known.or_else(|| {
            // Facts that were saved by an older version have no default.
            let first = self.entries.first()?;
            (self.first_is_default && first.before == 0 && !self.bls).then_some(first)
        })
    }

    /// Finds the files of each entry, and which of them are not there. GRUB and
    /// extlinux count from the top of their filesystem.
    pub(super) fn look_at_files(&mut self, root: &RootDir, from_top: bool) {
        for entry in &mut self.entries {
            entry.look_at_files(root, from_top);
        }
    }

    /// Calls kernels that entries name by a link by their own name: pairs of a
    /// link and where it leads.
    pub(super) fn follow(&mut self, links: &[(String, String)]) {
        for entry in &mut self.entries {
            let link = links.iter().find(|(link, _)| *link == entry.kernel);
            let Some((link, target)) = link else { continue };
            for file in &mut entry.missing {
                if file == link {
                    target.clone_into(file);
                }
            }
            target.clone_into(&mut entry.kernel);
        }
    }

    /// The initramfs that an entry gives to this kernel, where it is there.
    /// Microcode may stand before it.
    pub(super) fn initramfs_of(&self, kernel: &str) -> Option<&str> {
        let own = self.entries.iter().filter(|entry| entry.kernel == kernel);
        let mut last = own.filter_map(|entry| {
            let file = entry.initramfs.last()?;
            (!entry.missing.contains(file)).then_some(file.as_str())
        });
        last.next()
    }
}

impl Entry {
    /// One that starts nothing yet.
    pub(super) fn titled(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            kernel: String::new(),
            command_line: String::new(),
            initramfs: Vec::new(),
            missing: Vec::new(),
            before: 0,
        }
    }

    fn look_at_files(&mut self, root: &RootDir, from_top: bool) {
        if from_top {
            self.kernel = in_patient(root, &self.kernel);
            for file in &mut self.initramfs {
                *file = in_patient(root, file);
            }
        }
        // Microcode and device trees may stand beside the initramfs: of those
        // only their absence is told.
        let wrong = |file: &&String| match file.contains("/initr") {
            true => !boot_files::is_initramfs(root, file),
            false => !root.metadata(file).is_ok_and(|meta| meta.size > 0),
        };
        self.missing = self.initramfs.iter().filter(wrong).cloned().collect();
        if !boot_files::is_kernel(root, &self.kernel) {
            self.missing.insert(0, self.kernel.clone());
        }
    }

    /// The value of a `key=value` word of the command line, the last one.
    pub fn parameter(&self, key: &str) -> Option<&str> {
        self.command_line
            .split_whitespace()
            .rev()
            .find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
    }
}

pub(super) fn collect(root: &RootDir) -> Option<Menu> {
    let path = place(root)?;
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let text = root.read_text(&path, LIMIT);
    let mut parsed = parse(text.as_deref().unwrap_or_default());
    let environment = grub_env::read(root, folder);
    let mut sure = true;
    if let Some(at) = parsed.bls {
        let mut variables = parsed.variables.clone();
        variables.extend(environment.clone());
        let (items, entries) = (&mut parsed.items, &mut parsed.menu.entries);
        sure = bls_of_grub::insert(root, at, &variables, items, entries).is_some();
    }
    let wanted = choice::wanted(&parsed.defaults, &environment);
    // A saved entry is known by its name, whatever the order of the others.
    let by_name = |wanted: &String| {
        parsed
            .items
            .iter()
            .any(|item| item.id.as_ref() == Some(wanted))
    };
    let wanted = wanted.filter(|wanted| sure || by_name(wanted));
    let mut menu = parsed.menu;
    menu.default = wanted.and_then(|wanted| choice::find(&parsed.items, &wanted));
    menu.path = path;
    menu.bls = parsed.bls.is_some();
    menu.unreadable = text.err().map(|error| error.to_string());
    menu.look_at_files(root, true);
    let broken = menu
        .default_entry()
        .is_some_and(|own| !own.missing.is_empty());
    if broken {
        let (items, values) = (&parsed.items, &parsed.defaults);
        menu.way = Way::find(root, &menu.path, items, values, &environment);
    }
    Some(menu)
}

/// In /boot; or, with Fedora's older GRUB for UEFI, on the EFI system partition,
/// where others have a short file that only leads to /boot.
fn place(root: &RootDir) -> Option<String> {
    const ESP: &str = "/boot/efi/EFI";
    let in_boot = ["/boot/grub/grub.cfg", "/boot/grub2/grub.cfg"].map(str::to_owned);
    let vendors = root.read_dir(ESP).unwrap_or_default().into_iter();
    let on_esp = vendors.map(|entry| format!("{ESP}/{}/grub.cfg", entry.name.to_string_lossy()));
    let whole = |path: &String| {
        let text = root.read_text(path, LIMIT).unwrap_or_default();
        has_menu(&text)
    };
    let mut all = in_boot
        .into_iter()
        .filter(|path| root.metadata(path).is_ok());
    all.next().or_else(|| on_esp.take(64).find(whole))
}

/// True for a configuration that has a menu, and does not only lead to one.
pub(crate) fn has_menu(text: &str) -> bool {
    let first = |line: &str| line.split_whitespace().next().map(str::to_owned);
    let mut words = text.lines().filter_map(first);
    words.any(|word| word == "menuentry" || word == "blscfg")
}

/// GRUB counts from the top of the filesystem that holds /boot; with a /boot
/// of its own the paths begin without it.
fn in_patient(root: &RootDir, path: &str) -> String {
    let inside = format!("/boot{path}");
    if path.starts_with("/boot/")
        || (root.metadata(path).is_ok() && root.metadata(&inside).is_err())
    {
        return path.to_owned();
    }
    if root.metadata(&inside).is_ok() {
        return inside;
    }
    below_subvolume(root, path).unwrap_or(inside)
}

/// A subvolume of btrfs or a dataset of ZFS that is the root stands before the
/// path: `/@rootfs/boot/vmlinuz`, `/ROOT/pve-1@/boot/vmlinuz`.
fn below_subvolume(root: &RootDir, path: &str) -> Option<String> {
    let slashes = path.match_indices('/').skip(1).take(SUBVOLUME_DEPTH_MAX);
    let mut rests = slashes.filter_map(|(at, _)| path.get(at..));
    rests.find_map(|rest| {
        let places = [rest.to_owned(), format!("/boot{rest}")];
        let mut there = places.into_iter().filter(|place| {
            root.metadata(place)
                .is_ok_and(|meta| meta.kind == Kind::File)
        });
        there.next()
    })
}

/// The configuration, and what decides about the default.
struct Parsed {
    menu: Menu,
    items: Vec<Item>,
    /// Where `blscfg` stands among the items.
    bls: Option<usize>,
    /// What `default` is set to, in order.
    defaults: Vec<String>,
    /// Other variables, as they are set last.
    variables: BTreeMap<String, String>,
    /// True when `$menuentry_id_option` stands for something: else the word
    /// behind it names nothing.
    has_ids: bool,
}

fn parse(text: &str) -> Parsed {
    let mut parsed = Parsed {
        menu: Menu::empty(Loader::Grub, ""),
        items: Vec::new(),
        bls: None,
        defaults: Vec::new(),
        variables: BTreeMap::new(),
        has_ids: false,
    };
    // The blocks that are open: a submenu or entry by its index, or another.
    let mut open: Vec<Option<usize>> = Vec::new();
    // What there was before the outermost of them.
    let mut whole = (0, 0);
    for line in text.lines().map(str::trim) {
        if open.is_empty() {
            whole = (parsed.items.len(), parsed.menu.entries.len());
        }
        let mut words = line.split_whitespace();
        match words.next() {
            Some(word @ ("menuentry" | "submenu")) => {
                open.push(Some(parsed.items.len()));
                parsed.begin_item(line, word == "submenu", &open);
            }
            Some("}") => drop(open.pop()),
            Some("blscfg") => parsed.bls = Some(parsed.items.len()),
            Some("linux" | "linux16" | "linuxefi") => parsed.begin_entry(words),
            Some("initrd" | "initrd16" | "initrdefi") => {
                if let Some(entry) = parsed.menu.entries.last_mut() {
                    entry.initramfs.extend(words.map(without_device));
                }
            }
            // The generated file asks for a one-shot entry first, then sets
            // the configured one.
            Some("set") => parsed.set(line),
            Some(r#"menuentry_id_option="--id""#) => parsed.has_ids = true,
            _ if line.ends_with('{') => open.push(None),
            _ => {}
        }
    }
    if !open.is_empty() && is_cut_off(text) {
        // GRUB does nothing of a block that does not end.
        parsed.items.truncate(whole.0);
        parsed.menu.entries.truncate(whole.1);
    }
    parsed
}

/// True for the work of `grub-mkconfig`, of which the end is not there: it says
/// where the lines of each of its scripts begin and end.
fn is_cut_off(text: &str) -> bool {
    let marks = text.lines().rev().filter(|line| line.starts_with("### "));
    let last = marks.map(|line| line.starts_with("### BEGIN ")).next();
    last == Some(true)
}

impl Parsed {
    fn begin_item(&mut self, line: &str, is_submenu: bool, open: &[Option<usize>]) {
        let words = ["$menuentry_id_option", "--id=", "--id"];
        let id = words[usize::from(!self.has_ids)..]
            .iter()
            .find_map(|word| line.split_once(word))
            .map(|(_, rest)| match rest.trim_start() {
                quoted_id if quoted_id.starts_with(['\'', '"']) => quoted(quoted_id),
                plain => plain.split_whitespace().next().unwrap_or("").to_owned(),
            });
        let above = open.iter().rev().skip(1).copied().flatten();
        let mut submenus = above.filter(|at| self.items.get(*at).is_some_and(|i| i.is_submenu));
        let inside = submenus.next();
        self.items.push(Item {
            title: quoted(line),
            id,
            inside,
            is_submenu,
            entry: None,
        });
    }

    fn begin_entry<'w>(&mut self, mut words: impl Iterator<Item = &'w str>) {
        let kernel = words.next().unwrap_or_default();
        let index = self.menu.entries.len();
        let before = self.items.len().saturating_sub(1);
        let item = self.items.last_mut().filter(|item| !item.is_submenu);
        let title = item.as_ref().map_or("", |item| item.title.as_str());
        self.menu.entries.push(Entry {
            kernel: without_device(kernel),
            command_line: words.collect::<Vec<_>>().join(" "),
            before,
            ..Entry::titled(title)
        });
        if let Some(item) = item {
            item.entry.get_or_insert(index);
        }
    }

    fn set(&mut self, line: &str) {
        let assigned = line
            .strip_prefix("set")
            .and_then(|rest| rest.trim().split_once('='));
        let Some((name, value)) = assigned else {
            return;
        };
        let value = value.trim_matches(['"', '\'']).to_owned();
        match name {
            "default" => self.defaults.push(value),
            _ => drop(self.variables.insert(name.to_owned(), value)),
        }
    }
}

/// The text between the first pair of quotes.
fn quoted(line: &str) -> String {
    let quote = line.find(['\'', '"']).map(|at| &line[at..]);
    let Some(rest) = quote else {
        return String::new();
    };
    let mark = &rest[..1];
    rest[1..].split(mark).next().unwrap_or_default().to_owned()
}

/// `(hd0,gpt2)/vmlinuz` and `($root)/vmlinuz` give `/vmlinuz`.
fn without_device(path: &str) -> String {
    match path.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
        Some((_, path)) => path.to_owned(),
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn of_a_menu_that_is_cut_off_nothing_counts_that_does_not_end() {
        let whole = "### BEGIN /etc/grub.d/10_linux ###\nmenuentry 'a' {\n linux /a\n}\n\
                     submenu 'more' {\n menuentry 'b' {\n linux /b\n }\n}\n\
                     ### END /etc/grub.d/10_linux ###\n";
        let entries = |length: usize| parse(&whole[..length]).menu.entries.len();
        let at = |word: &str| whole.find(word).unwrap();
        assert_eq!(entries(whole.len()), 2);
        assert_eq!(entries(at("### END")), 2);
        assert_eq!(entries(at("/b") + 2), 1);
        assert_eq!(entries(at("submenu")), 1);
        assert_eq!(entries(at("/a") + 2), 0);
        // What people write has no such marks, and may have blocks on one line.
        assert_eq!(parse("menuentry 'a' { linux /a; }\n").menu.entries.len(), 0);
        assert_eq!(
            parse("if x; then {\nmenuentry 'a' {\nlinux /a\n}\n")
                .menu
                .entries
                .len(),
            1
        );
    }

    #[test]
    fn entries_and_default() {
        let parsed = parse(
            "if [ \"${next_entry}\" ] ; then\n   set default=\"${next_entry}\"\nelse\n   \
             set default=\"0\"\nfi\n\
             menuentry 'Debian GNU/Linux' --class debian {\n\
             \tlinux\t/boot/vmlinuz-6.1 root=UUID=x ro quiet init=/a init=/b\n\
             \tinitrd\t/boot/initrd.img-6.1\n}\n\
             submenu 'Advanced' {\n menuentry \"old\" {\n linux ($root)/vmlinuz-5 ro\n }\n}\n",
        );
        assert_eq!(parsed.defaults, ["${next_entry}", "0"]);
        let grub = &parsed.menu;
        assert_eq!(grub.entries.len(), 2);
        assert_eq!(choice::find(&parsed.items, "Advanced>old"), Some(1));
        let first = &grub.entries[choice::find(&parsed.items, "0").unwrap()];
        assert_eq!(first.title, "Debian GNU/Linux");
        assert_eq!(first.initramfs, ["/boot/initrd.img-6.1"]);
        assert_eq!(first.parameter("init"), Some("/b"));
        assert_eq!(grub.entries[1].kernel, "/vmlinuz-5");
        assert!(grub.entries[1].initramfs.is_empty());
    }

    #[test]
    fn a_subvolume_may_stand_before_the_path() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("boot")).unwrap();
        std::fs::write(folder.path().join("boot/vmlinuz-6"), "x").unwrap();
        let root = RootDir::open(folder.path()).unwrap();
        for path in [
            "/@rootfs/boot/vmlinuz-6",
            "/ROOT/pve-1@/boot/vmlinuz-6",
            "/@boot/vmlinuz-6",
            "/vmlinuz-6",
        ] {
            assert_eq!(in_patient(&root, path), "/boot/vmlinuz-6");
        }
        assert_eq!(in_patient(&root, "/@/boot/no"), "/boot/@/boot/no");
    }

    /// A tree with this grub.cfg, environment and entries.
    fn menu(config: &str, saved: Option<&str>, entries: &[&str]) -> Menu {
        let folder = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        put("boot/grub2/grub.cfg", config);
        if let Some(saved) = saved {
            let block = format!("# GRUB Environment Block\nsaved_entry={saved}\n");
            put("boot/grub2/grubenv", &format!("{block:#<1024}"));
        }
        for name in entries {
            let text = format!("title {name}\nlinux /vmlinuz-{name}\noptions root=UUID=1\n");
            let machine = "0b1f27cd9a0e4c29b5b2f6d1c6b2e7aa";
            put(&format!("boot/loader/entries/{machine}-{name}.conf"), &text);
        }
        collect(&RootDir::open(folder.path()).unwrap()).unwrap()
    }

    #[test]
    fn the_default_is_the_saved_entry_or_the_newest_of_many_files() {
        let config = "set default=\"${saved_entry}\"\nblscfg\nmenuentry 'x' {\n linux /x\n}\n";
        let entries = ["6.9.1", "6.10.2", "0-rescue"];
        let started = |menu: &Menu| menu.default_entry().map(|entry| entry.title.clone());
        let newest = menu(config, None, &entries);
        assert!(newest.bls);
        assert_eq!(started(&newest).as_deref(), Some("6.10.2"));
        let saved = "0b1f27cd9a0e4c29b5b2f6d1c6b2e7aa-6.9.1";
        let older = menu(config, Some(saved), &entries);
        assert_eq!(started(&older).as_deref(), Some("6.9.1"));
        assert_eq!(
            older.default_entry().unwrap().parameter("root"),
            Some("UUID=1")
        );
        // What is not there is the first one.
        let gone = menu(config, Some("gone"), &entries);
        assert_eq!(started(&gone).as_deref(), Some("6.10.2"));
        let number = menu(config, Some("3"), &entries);
        assert_eq!(started(&number).as_deref(), Some("x"));
    }

    #[test]
    fn a_default_that_is_not_understood_is_not_guessed() {
        let config = "set default=\"${x}\"\nmenuentry 'y' {\n linux /vmlinuz\n}\n";
        assert!(menu(config, None, &[]).default_entry().is_none());
        assert!(parse("menuentry '\nlinux\ninitrd\n").menu.entries.len() == 1);
    }
}
