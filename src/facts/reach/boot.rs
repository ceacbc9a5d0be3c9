//! Which services a boot starts, whichever init there is.

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::facts::units::{Start, Unit, Units, Wanted, default_unit};
use crate::sys::root_dir::{Kind, RootDir};

/// The programs of systemd: an init that reads units.
const SYSTEMD: [&str; 2] = ["/usr/lib/systemd/systemd", "/lib/systemd/systemd"];

/// Runlevels that Debian and Red Hat boot into.
const RUNLEVELS: [&str; 5] = [
    "/etc/rc2.d",
    "/etc/rc3.d",
    "/etc/rc5.d",
    "/etc/rcS.d",
    "/etc/rc.d/rc3.d",
];

/// OpenRC's.
const OPENRC: [&str; 2] = ["/etc/runlevels/default", "/etc/runlevels/boot"];

/// What a boot starts.
#[derive(Debug)]
pub(super) struct Boot<'r> {
    root: &'r RootDir,
    units: Units<'r>,
    start: Start,
    scripts: BTreeSet<String>,
    /// PID 1 reads units.
    pub(super) is_systemd: bool,
    /// The init reads units, and reaches the target that services hang on.
    pub(super) reaches_services: bool,
}

/// What becomes of a service at a boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is started.
    Started,
    /// It is there, and nothing starts it.
    NotStarted,
    /// A link to /dev/null or an empty file forbids it.
    Masked,
    /// A condition of its own file passes it over.
    PassedOver,
    /// There is no such service.
    Absent,
}

impl<'r> Boot<'r> {
    pub(super) fn of(root: &'r RootDir, command_line: Option<&str>) -> Self {
        let units = Units::open(root);
        let (first, how) = default_unit(command_line);
        let start = Start::from(&units, &first, &how);
        let is_systemd = is_systemd(root);
        let scripts = scripts(root);
        let reached = start.position("multi-user.target").is_some();
        Self {
            root,
            is_systemd,
            reaches_services: if is_systemd {
                reached
            } else {
                !scripts.is_empty()
            },
            units,
            start,
            scripts,
        }
    }

    /// What becomes of the unit `name`, or the init script of that name.
    pub(super) fn standing(&self, name: &str) -> Standing {
        if !self.is_systemd {
            // Packages bring units for systemd all the same.
            return self.script(name);
        }
        let unit = self.unit(name);
        let listed = self.start.position(name).is_some();
        match unit {
            Some(unit) if unit.wanted == Wanted::No => Standing::PassedOver,
            Some(_) if listed => Standing::Started,
            Some(_) => Standing::NotStarted,
            None if self.units.has(name) => Standing::Masked,
            None => self.script(name),
        }
    }

    fn script(&self, name: &str) -> Standing {
        let script = name.strip_suffix(".service").unwrap_or(name);
        if self.scripts.contains(script) {
            Standing::Started
        } else {
            Standing::Absent
        }
    }

    /// True when the boot starts it.
    pub(super) fn starts(&self, name: &str) -> bool {
        self.standing(name) == Standing::Started
    }

    /// True when the boot starts it by itself, and not only through a socket.
    pub(super) fn starts_directly(&self, name: &str) -> bool {
        let at = self.start.position(name);
        let started = at.and_then(|at| self.start.units.get(at));
        self.starts(name) && started.is_none_or(|s| !s.how.starts_with("activation by"))
    }

    /// The unit of this name.
    pub(super) fn unit(&self, name: &str) -> Option<Rc<Unit>> {
        self.units.load(name)
    }

    /// True when there is a file that can be executed.
    pub(super) fn has_file(&self, path: &str) -> bool {
        let meta = self.root.metadata(path);
        meta.is_ok_and(|meta| meta.kind == Kind::File && meta.is_executable())
    }

    /// The names of all units that the boot starts.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let units = self.start.units.iter().map(|unit| unit.name.as_str());
        let started = units.filter(|name| self.starts(name));
        started.chain(self.scripts.iter().map(String::as_str))
    }
}

/// True when systemd is there and `/sbin/init` leads to nothing else.
fn is_systemd(root: &RootDir) -> bool {
    let init = root.resolve("/sbin/init").ok().map(|found| found.path);
    SYSTEMD.iter().any(|path| root.metadata(path).is_ok())
        && init.is_none_or(|path| path.file_name().is_some_and(|name| name == "systemd"))
}

/// The names of the init scripts that are started.
fn scripts(root: &RootDir) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for folder in RUNLEVELS {
        for entry in root.read_dir(folder).unwrap_or_default() {
            let name = entry.name.to_string_lossy();
            let Some(rest) = name.strip_prefix('S') else {
                continue;
            };
            found.insert(
                rest.trim_start_matches(|c: char| c.is_ascii_digit())
                    .to_owned(),
            );
        }
    }
    for folder in OPENRC {
        for entry in root.read_dir(folder).unwrap_or_default() {
            found.insert(entry.name.to_string_lossy().into_owned());
        }
    }
    found
}
