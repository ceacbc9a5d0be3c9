//! Which file a unit's name means, and what it says.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::rc::Rc;

use super::command::{self, Command};
use super::condition::{self, Wanted};
use super::environment;
use super::name::Name;
use super::text::{self, Setting};
use crate::facts::library_path::LibraryPath;
use crate::sys::root_dir::{Kind, RootDir};

/// Where units lie, what counts most first; `/run` is empty at a boot.
const DIRECTORIES: [&str; 5] = [
    "/etc/systemd/system.control",
    "/etc/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

/// Most bytes of a unit file that are read.
const LIMIT: u64 = 1 << 20;

/// Links from one name to another; systemd follows as few.
const ALIASES_MAX: usize = 8;

/// What is done to have a unit started.
const COMMANDS: [&str; 4] = [
    "ExecCondition",
    "ExecStartPre",
    "ExecStart",
    "ExecStartPost",
];

/// One unit as systemd would load it.
#[derive(Debug)]
pub struct Unit {
    pub(super) name: Name,
    /// The file that defines it.
    pub path: String,
    settings: Vec<Setting>,
    /// What its conditions say.
    pub wanted: Wanted,
}

impl Unit {
    /// The values of a setting, split into words, specifiers filled in.
    pub(in crate::facts) fn words(&self, section: &str, key: &str) -> Vec<String> {
        let values = text::values(&self.settings, section, key);
        let words = values.into_iter().flat_map(str::split_whitespace);
        words.filter_map(|word| self.name.specified(word)).collect()
    }

    /// The values of a setting that count, as they are written.
    pub(in crate::facts) fn values(&self, section: &str, key: &str) -> Vec<&str> {
        text::values(&self.settings, section, key)
    }

    /// The last value of a setting.
    pub(in crate::facts) fn value(&self, section: &str, key: &str) -> Option<&str> {
        text::values(&self.settings, section, key).pop()
    }

    /// Its name, aliases followed.
    pub(in crate::facts) fn name(&self) -> &str {
        &self.name.whole
    }

    /// True unless it says that it goes without the usual dependencies.
    pub(super) fn has_default_dependencies(&self) -> bool {
        let value = self.value("Unit", "DefaultDependencies");
        !value.is_some_and(|value| matches!(value, "no" | "false" | "0" | "off"))
    }

    /// The section with what it executes, if it executes anything.
    fn section(&self) -> Option<&'static str> {
        match self.name.kind.as_str() {
            "service" => Some("Service"),
            "socket" => Some("Socket"),
            _ => None,
        }
    }

    /// The programs it starts.
    pub fn commands(&self) -> Vec<Command> {
        let Some(section) = self.section() else {
            return Vec::new();
        };
        let lines = COMMANDS.iter().flat_map(|key| self.values(section, key));
        lines
            .flat_map(|line| command::parse(line, &self.name))
            .collect()
    }

    /// The `LD_LIBRARY_PATH` that its programs get.
    pub(in crate::facts) fn library_path(&self, root: &RootDir) -> Option<LibraryPath> {
        environment::library_path(self, self.section()?, root)
    }

    /// The name that its service takes on the system bus.
    pub fn bus_name(&self) -> Option<String> {
        self.name.specified(self.value("Service", "BusName")?)
    }
}

/// Every unit file of a root.
#[derive(Debug)]
pub struct Units<'r> {
    root: &'r RootDir,
    /// Directory and kind of each name, the directory that counts most.
    files: HashMap<String, (&'static str, Kind)>,
    /// The directories `NAME.wants`, `NAME.d` and the like, of all places.
    folders: BTreeMap<String, Vec<&'static str>>,
    loaded: RefCell<HashMap<String, Option<Rc<Unit>>>>,
}

impl<'r> Units<'r> {
    /// Lists the unit files of `root`.
    pub fn open(root: &'r RootDir) -> Self {
        let mut units = Self {
            root,
            files: HashMap::new(),
            folders: BTreeMap::new(),
            loaded: RefCell::default(),
        };
        let mut seen = BTreeSet::new();
        for directory in DIRECTORIES {
            // With a merged /usr two of them are the same.
            let Ok(real) = root.resolve(directory) else {
                continue;
            };
            if !seen.insert(real.path) {
                continue;
            }
            for entry in root.read_dir(directory).unwrap_or_default() {
                let Ok(name) = entry.name.into_string() else {
                    continue;
                };
                match entry.kind {
                    Kind::Directory => units.folders.entry(name).or_default().push(directory),
                    kind => {
                        units.files.entry(name).or_insert((directory, kind));
                    }
                }
            }
        }
        units
    }

    /// The unit of this name; `None` when there is none or it is masked.
    pub fn load(&self, name: &str) -> Option<Rc<Unit>> {
        if let Some(known) = self.loaded.borrow().get(name) {
            return known.clone();
        }
        let unit = self.read(name).map(Rc::new);
        self.loaded
            .borrow_mut()
            .insert(name.to_owned(), unit.clone());
        unit
    }

    /// The names of all unit files.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// True when a file of this name is there, be it masked.
    pub fn has(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    fn read(&self, name: &str) -> Option<Unit> {
        let mut name = Name::new(name);
        for _ in 0..ALIASES_MAX {
            let file = match name.template() {
                Some(template) if !self.has(&name.whole) => template,
                _ => name.whole.clone(),
            };
            let (directory, kind) = self.files.get(&file)?;
            let path = format!("{directory}/{file}");
            if *kind == Kind::Symlink {
                let target = self.root.resolve(&path).ok()?;
                if target.meta.kind != Kind::File {
                    return None; // /dev/null: masked
                }
                let target = target.path.file_name()?.to_str()?.to_owned();
                let alias = Name::new(&target);
                if target != file && self.has(&target) && alias.kind == name.kind {
                    name = aliased(&name, alias);
                    continue;
                }
            }
            return self.parse(name, path);
        }
        None
    }

    fn parse(&self, name: Name, path: String) -> Option<Unit> {
        let content = self.root.read_text(&path, LIMIT).ok()?;
        if content.is_empty() {
            return None; // an empty file masks as well
        }
        let mut settings = text::parse(&content);
        for file in self.drop_ins(&name) {
            let content = self.root.read_text(&file, LIMIT).unwrap_or_default();
            settings.extend(text::parse(&content));
        }
        let wanted = condition::wanted(&settings, self.root);
        Some(Unit {
            name,
            path,
            settings,
            wanted,
        })
    }

    /// Paths of the drop-in files of a unit, sorted by their own names; a file
    /// in a place that counts more hides its namesake.
    fn drop_ins(&self, name: &Name) -> Vec<String> {
        let mut files: BTreeMap<String, String> = BTreeMap::new();
        for folder in name.drop_ins().iter().rev() {
            for (file, path) in self.entries(folder) {
                if file.ends_with(".conf") {
                    files.entry(file).or_insert(path);
                }
            }
        }
        files.into_values().collect()
    }

    /// The units that `NAME.wants` and the like name, and where.
    pub(super) fn linked(&self, unit: &Name, folder: &str) -> Vec<(String, String)> {
        let own = format!("{}.{folder}", unit.whole);
        let template = unit.template().map(|name| format!("{name}.{folder}"));
        let mut names = self.entries(&own);
        names.extend(template.iter().flat_map(|folder| self.entries(folder)));
        names
    }

    /// Name and path of everything in a folder, of each place that has it.
    fn entries(&self, folder: &str) -> Vec<(String, String)> {
        let places = self.folders.get(folder).into_iter().flatten();
        let mut found = Vec::new();
        for place in places {
            let folder = Path::new(place).join(folder);
            for entry in self.root.read_dir(&folder).unwrap_or_default() {
                if let Ok(name) = entry.name.into_string() {
                    let path = format!("{}/{name}", folder.display());
                    found.push((name, path));
                }
            }
        }
        found
    }
}

/// The name that an alias leads to: a template keeps the instance.
fn aliased(from: &Name, to: Name) -> Name {
    match (&from.instance, &to.instance) {
        (Some(instance), Some(none)) if none.is_empty() => {
            Name::new(&format!("{}@{instance}.{}", to.prefix, to.kind))
        }
        _ => to,
    }
}
