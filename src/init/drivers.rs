//! Loading drivers: for the devices that are there, then by name.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use walkdir::WalkDir;

use super::console::Console;
use crate::kmod::{Error, Modules};

/// What diagnosis and repair need on nearly every machine and no device asks
/// for. Only those are loaded that the image has; most kernels have some of
/// them built in. Other filesystems are loaded when one is to be mounted.
const BY_NAME: &[&str] = &[
    "loop", "md_mod", "raid1", "dm_mod", "ext4", "vfat", "overlay",
];

/// The variables of UEFI; a driver that refuses to load on other machines.
const OF_UEFI: &str = "efivarfs";

/// Character sets for file names on vfat.
const BY_START: &str = "nls_";

/// Buses reveal others: controller, port, disk. More rounds than any real chain.
const MAX_ROUNDS: usize = 10;

/// Drivers of the running kernel, loaded as devices appear.
#[derive(Debug)]
pub struct Drivers {
    modules: Option<Modules>,
    seen: HashSet<String>,
    failures: Vec<Error>,
}

impl Drivers {
    /// Reads the module index; a kernel without modules is fine.
    pub fn open(console: &Console) -> Self {
        let modules = match Modules::of_running_kernel() {
            Ok(modules) => Some(modules),
            Err(error) => {
                console.say(&format!("no kernel modules in this image: {error}"));
                None
            }
        };
        Self {
            modules,
            seen: HashSet::new(),
            failures: Vec::new(),
        }
    }

    /// Loads what present devices, the table and `wanted` ask for, and prints
    /// one line about it and one about each failure.
    pub fn load_all(&mut self, console: &Console, wanted: &[String]) {
        if self.modules.is_some() {
            const START: &str = "loading drivers ... ";
            console.begin(START);
            self.load_for_devices();
            self.load_by_name();
            console.end(START, &format!("{} loaded", self.count()));
        }
        self.load_wanted(wanted);
        self.print_failures(console);
    }

    /// How many modules were inserted so far.
    pub fn count(&self) -> usize {
        self.modules.as_ref().map_or(0, |it| it.inserted().len())
    }

    /// Loads drivers for every device on every bus until no new one appears.
    pub fn load_for_devices(&mut self) {
        for _ in 0..MAX_ROUNDS {
            let new: Vec<String> = modaliases()
                .into_iter()
                .filter(|alias| !self.seen.contains(alias))
                .collect();
            if new.is_empty() {
                return;
            }
            for alias in new {
                self.load_for(&alias);
            }
        }
    }

    /// Loads the drivers for one device, once.
    pub fn load_for(&mut self, modalias: &str) {
        if !self.seen.insert(modalias.to_owned()) {
            return;
        }
        if let Some(modules) = &mut self.modules {
            let errors = modules.load_alias(modalias);
            let real = errors.into_iter().filter(|error| !error.is_no_device());
            self.failures.extend(real);
        }
    }

    fn load_by_name(&mut self) {
        let Some(modules) = &mut self.modules else {
            return;
        };
        let by_uefi = Path::new("/sys/firmware/efi").is_dir();
        let present: Vec<String> = modules
            .index()
            .names()
            .into_iter()
            .filter(|name| {
                let on_uefi = *name == OF_UEFI && by_uefi;
                BY_NAME.contains(name) || name.starts_with(BY_START) || on_uefi
            })
            .map(str::to_owned)
            .collect();
        let errors = present.iter().filter_map(|name| modules.load(name).err());
        self.failures.extend(errors);
    }

    fn load_wanted(&mut self, wanted: &[String]) {
        for name in wanted {
            let error = match &mut self.modules {
                Some(modules) => modules.load(name).err(),
                None => None,
            };
            self.failures.extend(error);
        }
    }

    /// Prints and forgets the failures, each once.
    pub fn print_failures(&mut self, console: &Console) {
        let mut said = HashSet::new();
        for failure in self.failures.drain(..) {
            let line = failure.to_string();
            if said.insert(line.clone()) {
                console.say(&line);
            }
        }
    }
}

/// What the devices on all buses call themselves, each once.
fn modaliases() -> Vec<String> {
    // /sys/bus/BUS/devices/DEVICE, where DEVICE is a link.
    let devices = WalkDir::new("/sys/bus").min_depth(3).max_depth(3);
    let mut found: HashSet<String> = devices
        .into_iter()
        .filter_entry(|entry| entry.depth() != 2 || entry.file_name() == "devices")
        .flatten()
        .filter_map(|device| fs::read_to_string(device.path().join("modalias")).ok())
        .map(|alias| alias.trim_end().to_owned())
        .collect();
    found.remove("");
    let mut sorted: Vec<String> = found.into_iter().collect();
    sorted.sort_unstable();
    sorted
}
