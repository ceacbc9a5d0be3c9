//! GRUB's modules in `/boot/grub/i386-pc`, as far as its menu needs them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::survey::GrubCore;
use crate::survey::grub_module::GrubModule;
use crate::sys::root_dir::RootDir;

/// The module with the menu and the commands; without it GRUB stays in its
/// rescue prompt.
pub const MENU: &str = "normal";

/// The largest module has 200 KiB.
const MODULE_BYTES_MAX: u64 = 8 << 20;

/// The list of which module needs which has 10 KiB.
const LIST_BYTES_MAX: u64 = 1 << 20;

/// Modules that are followed; the menu needs some twenty.
const MODULES_MAX: usize = 256;

/// How a file begins that gzip, xz or lzop packed.
const PACKED: [&[u8]; 3] = [&[0x1F, 0x8B], b"\xFD7zXZ", b"\x89LZO"];

/// What the menu needs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct GrubModules {
    /// Where they lie.
    pub directory: String,
    /// The menu and every module that it needs, by name.
    pub needed: BTreeMap<String, GrubModule>,
    /// Of these, what is not there or no module, and why.
    pub broken: BTreeMap<String, String>,
    /// They are compressed (`grub-install --compress`), and so not looked into.
    #[serde(default)]
    pub is_packed: bool,
}

impl GrubModules {
    /// What no module of the menu and not the core has: the name, and who wants
    /// it.
    pub fn lacking(&self, core: &GrubCore) -> Vec<(&str, &str)> {
        let loaded = || {
            let inside = |name: &String| core.modules.contains(name);
            self.needed.iter().filter(move |(name, _)| !inside(name))
        };
        let offered: BTreeSet<&str> = loaded()
            .flat_map(|(_, module)| &module.defines)
            .chain(&core.symbols)
            .map(String::as_str)
            .collect();
        loaded()
            .flat_map(|(name, module)| module.wants.iter().map(move |want| (want, name)))
            .map(|(want, name)| (want.as_str(), name.as_str()))
            .filter(|(want, _)| !offered.contains(want))
            .collect()
    }

    /// True when this core can load the menu from them.
    pub fn fit(&self, core: &GrubCore) -> bool {
        has_menu(core) || (self.broken.is_empty() && self.lacking(core).is_empty())
    }
}

/// True for a core that needs no module for its menu.
pub fn has_menu(core: &GrubCore) -> bool {
    core.modules.iter().any(|name| name == MENU)
}

/// Reads them, where there is a directory for BIOS machines.
pub(super) fn collect(root: &RootDir) -> Option<GrubModules> {
    let mut places = ["/boot/grub/i386-pc", "/boot/grub2/i386-pc"].into_iter();
    let directory = places.find(|path| root.metadata(path).is_ok())?;
    Some(in_directory(root, directory))
}

/// Reads those in a directory.
pub(super) fn in_directory(root: &RootDir, directory: &str) -> GrubModules {
    let list = root.read_text(format!("{directory}/moddep.lst"), LIST_BYTES_MAX);
    let list = list.unwrap_or_default();
    let depends = needs(&list);
    let mut modules = GrubModules {
        directory: directory.to_owned(),
        ..GrubModules::default()
    };
    let mut todo = vec![MENU];
    let mut seen = BTreeSet::from([MENU]);
    while let Some(name) = todo.pop() {
        let read = root.read(format!("{directory}/{name}.mod"), MODULE_BYTES_MAX);
        let read = read.map_err(|error| error.to_string());
        let packed = |bytes: &Vec<u8>| PACKED.iter().any(|magic| bytes.starts_with(magic));
        if read.as_ref().is_ok_and(packed) {
            modules.is_packed = true;
            return modules;
        }
        match read.and_then(|bytes| GrubModule::read(&bytes).ok_or("no module of GRUB".into())) {
            Ok(module) => modules.needed.insert(name.to_owned(), module).map(drop),
            Err(why) => modules.broken.insert(name.to_owned(), why).map(drop),
        };
        for next in depends.get(name).into_iter().flatten() {
            if seen.len() < MODULES_MAX && seen.insert(next) {
                todo.push(next);
            }
        }
    }
    modules
}

/// The platforms with modules in /boot, by the names of their directories.
pub(super) fn platforms(root: &RootDir) -> Vec<String> {
    let mut found = Vec::new();
    for place in ["/boot/grub", "/boot/grub2"] {
        let entries = root.read_dir(place).unwrap_or_default().into_iter();
        let names = entries.map(|entry| entry.name.to_string_lossy().into_owned());
        found.extend(names.filter(|name| name.ends_with("-pc") || name.ends_with("-efi")));
    }
    found
}

/// `normal: extcmd boot`, a line for each module.
fn needs(list: &str) -> BTreeMap<&str, Vec<&str>> {
    list.lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, others)| (name.trim(), others.split_whitespace().collect()))
        .collect()
}
