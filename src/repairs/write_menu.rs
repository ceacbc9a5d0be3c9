//! Writes a small menu of GRUB where the patient's has no entry that could be
//! started, and whole kernels lie in /boot. `grub-mkconfig` wants the disks, and
//! programs of the patient see none.

use std::cmp::Reverse;

use super::{Kind, Outline, Risk, choose_entry};
use crate::assembly::Layer;
use crate::checks::Storage;
use crate::facts::grub::{Entry, Loader, Menu};
use crate::facts::grub_settings::{GrubSettings, MENU_MODE};
use crate::facts::kernels::Kernel;
use crate::facts::packages::version;
use crate::facts::{Facts, Tree};
use crate::finding::Finding;
use crate::journal::Action;
use crate::survey::Content;
use crate::sysroot::{Search, SysrootInfo};

pub(super) const KIND: Kind = Kind {
    name: "write-menu",
    removes: &[
        "bootloader/grub-config-missing",
        "bootloader/default-entry-broken",
    ],
    plan,
};

/// Kernels that get an entry.
const KERNELS_MAX: usize = 8;

/// What GRUB needs no further module for.
const TERMINALS: [&str; 2] = ["console", "serial"];

fn plan(facts: &Facts, finding: &Finding) -> Option<Outline> {
    let (Search::Found(info), Some(tree)) = (&facts.search, &facts.tree) else {
        return None;
    };
    let menu = tree.kernels.grub.as_ref();
    let other = finding.id == "bootloader/default-entry-broken"
        && (menu.is_none_or(|menu| menu.path != finding.subject)
            || choose_entry::helps(facts, finding));
    if other || menu.is_some_and(|menu| menu.bls || menu.loader != Loader::Grub) {
        return None;
    }
    let kernels = startable(tree);
    let newest = kernels.first()?;
    let settings = &tree.kernels.grub_settings;
    let folder = settings.folder.as_deref().unwrap_or("/boot/grub");
    let path = format!("{folder}/grub.cfg");
    if menu.is_some_and(|menu| menu.path != path) {
        return None;
    }
    let text = text(facts, info, tree, &kernels);
    let refused = match (&text, &settings.password) {
        (_, Some(script)) => Some(format!(
            "{script} puts a password before the menu, and one of Lifeboot's would have none; in \
             a chroot of the patient: update-grub"
        )),
        (Err(why), None) => Some(format!("{why}; in a chroot of the patient: update-grub")),
        (Ok(_), None) => None,
    };
    Some(Outline {
        title: format!("write a small {path} that starts Linux {}", newest.release),
        risk: Risk::Medium,
        actions: actions(settings, folder, &path, text.unwrap_or_default()),
        refused,
        ..Outline::default()
    })
}

fn actions(settings: &GrubSettings, folder: &str, path: &str, text: String) -> Vec<Action> {
    let mut actions = Vec::new();
    if settings.folder.is_none() {
        actions.push(Action::MakeDirectory {
            path: folder.into(),
            mode: 0o755,
            uid: 0,
            gid: 0,
            xattrs: Vec::new(),
        });
    }
    if settings.menu.is_some() {
        actions.push(Action::Quarantine { path: path.into() });
    }
    let old = settings.menu.as_ref();
    actions.push(Action::PutFile {
        path: path.into(),
        text,
        mode: old.map_or(MENU_MODE, |old| old.mode),
        uid: old.map_or(0, |old| old.uid),
        gid: old.map_or(0, |old| old.gid),
        xattrs: Vec::new(),
    });
    actions
}

/// Kernels that are whole with their initramfs and modules, the newest first.
fn startable(tree: &Tree) -> Vec<&Kernel> {
    let whole = |kernel: &&Kernel| {
        let modules = kernel.modules || kernel.own_modules;
        kernel.whole && modules && kernel.initramfs.is_some() && kernel.initramfs_whole
    };
    let mut all: Vec<&Kernel> = tree.kernels.kernels.iter().filter(whole).collect();
    all.sort_by(|a, b| version::compare(&b.release, &a.release));
    all.sort_by_key(|kernel| Reverse(is_usual(kernel)));
    all.truncate(KERNELS_MAX);
    all
}

/// False for one that `grub-mkconfig` takes for an old one.
fn is_usual(kernel: &Kernel) -> bool {
    !kernel.release.ends_with(".old")
}

fn text(
    facts: &Facts,
    info: &SysrootInfo,
    tree: &Tree,
    kernels: &[&Kernel],
) -> Result<String, String> {
    let storage = Storage::of(facts, info)?;
    let settings = &tree.kernels.grub_settings;
    let root = root_words(facts, info)?;
    let options = options(tree.kernels.grub.as_ref(), settings);
    let quoted = [
        '\'', '"', '\\', '$', '`', '#', ';', '{', '}', '<', '>', '|', '&',
    ];
    if options.contains(quoted) || options.contains(char::is_control) {
        return Err("the kernel's options have characters that mean something to GRUB".into());
    }
    let mut text = String::from(
        "# Written by Lifeboot, because the menu had no entry that could be started.\n\
         # The usual one is made in the booted system: update-grub\n\
         set default=\"0\"\nset timeout=5\n",
    );
    text.push_str(&terminal(settings));
    let modules = storage.tables.iter().chain(&storage.layers).copied();
    for module in modules.chain([storage.driver()?]) {
        text.push_str(&format!("insmod {module}\n"));
    }
    let uuid = storage.uuid;
    text.push_str(&format!("search --no-floppy --fs-uuid --set=root {uuid}\n"));
    for (more, word) in [("", ""), (" (recovery mode)", " single")] {
        for kernel in kernels {
            let image = storage.inside(&kernel.image)?;
            let initramfs = storage.inside(kernel.initramfs.as_deref().unwrap_or_default())?;
            let title = format!("Linux {}{more}", kernel.release);
            let line = format!("{root} ro {options}{word}");
            text.push_str(&format!(
                "menuentry '{title}' --id 'lifeboot-{}{word}' {{\n\tlinux {image} {}\n\tinitrd \
                 {initramfs}\n}}\n",
                kernel.release,
                line.split_whitespace().collect::<Vec<_>>().join(" ")
            ));
        }
    }
    Ok(text)
}

/// Where the kernel finds its root, as `grub-mkconfig` names it.
fn root_words(facts: &Facts, info: &SysrootInfo) -> Result<String, String> {
    let part = info.parts.first().ok_or("the root's device is not known")?;
    let volume = facts.assembly.volume(&part.device);
    let volume = volume.ok_or_else(|| format!("{} is not known", part.device))?;
    let flags = match &part.subvolume {
        Some(name) => format!(" rootflags=subvol={}", name.trim_matches('/')),
        None => String::new(),
    };
    match &volume.layer {
        Layer::Unlocked => Err("the root is encrypted, and its name is not known".into()),
        Layer::Logical { .. } => {
            // Two groups with one name are told apart by more than that.
            if !volume.name.chars().all(is_plain) {
                return Err(format!(
                    "what the kernel calls {} is not known",
                    volume.name
                ));
            }
            let name = volume.name.replace('-', "--").replacen('/', "-", 1);
            Ok(format!("root=/dev/mapper/{name}{flags}"))
        }
        _ => match &volume.content {
            Content::Signature(found) => {
                let uuid = found.uuid.as_ref().ok_or("the root has no UUID")?;
                Ok(format!("root=UUID={uuid}{flags}"))
            }
            _ => Err("the root has no UUID".into()),
        },
    }
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_.+-/".contains(c)
}

/// The kernel's further options: those of the old menu, else those of
/// /etc/default/grub.
fn options(old: Option<&Menu>, settings: &GrubSettings) -> String {
    let own = |word: &&str| {
        let name = word.split('=').next().unwrap_or_default();
        ![
            "root",
            "rootflags",
            "ro",
            "rw",
            "single",
            "recovery",
            "BOOT_IMAGE",
        ]
        .contains(&name)
    };
    let entry = old.and_then(|menu| menu.default_entry().or(menu.entries.first()));
    let text = entry.map_or_else(
        || {
            let value = |name: &str| settings.values.get(name).map_or("", String::as_str);
            let words = [
                value("GRUB_CMDLINE_LINUX"),
                value("GRUB_CMDLINE_LINUX_DEFAULT"),
            ];
            words.join(" ")
        },
        |entry: &Entry| entry.command_line.clone(),
    );
    text.split_whitespace()
        .filter(own)
        .collect::<Vec<_>>()
        .join(" ")
}

/// A serial console, where the operator has one.
fn terminal(settings: &GrubSettings) -> String {
    let value = |name: &str| settings.values.get(name).map_or("", String::as_str);
    let known = |words: &str| {
        let mut all = words.split_whitespace();
        !words.is_empty() && all.all(|word| TERMINALS.contains(&word))
    };
    let both = value("GRUB_TERMINAL");
    let (mut text, mut serial) = (String::new(), false);
    for (command, name) in [
        ("terminal_input", "GRUB_TERMINAL_INPUT"),
        ("terminal_output", "GRUB_TERMINAL_OUTPUT"),
    ] {
        let words = if both.is_empty() { value(name) } else { both };
        if known(words) {
            serial |= words.contains("serial");
            text.push_str(&format!("{command} {words}\n"));
        }
    }
    let command = value("GRUB_SERIAL_COMMAND");
    let plain = |c: char| c.is_ascii_alphanumeric() || " -=_".contains(c);
    match serial {
        true if command.starts_with("serial ") && command.chars().all(plain) => {
            format!("{command}\n{text}")
        }
        true => format!("serial\n{text}"),
        false => text,
    }
}
