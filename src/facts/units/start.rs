//! What the default target starts, and what starts what.

use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use super::condition::Wanted;
use super::files::{Unit, Units};

/// Units that are followed; a large desktop has a tenth of that.
const UNITS_MAX: usize = 10_000;

/// Settings that have another unit started.
const PULLS: [&str; 4] = ["Requires", "BindsTo", "Wants", "Upholds"];

/// One unit that a boot starts.
#[derive(Debug, Clone)]
pub struct Started {
    /// Its name, as it was asked for.
    pub name: String,
    /// What names it: a setting or a link, in the unit `from`.
    pub how: String,
    /// The unit that starts it, in the list; `None` for the first.
    pub from: Option<usize>,
    /// What it says; `None` when there is no such unit.
    pub unit: Option<Rc<Unit>>,
}

/// The units of a boot in the order in which they are met.
#[derive(Debug, Default)]
pub struct Start {
    /// The units.
    pub units: Vec<Started>,
    known: HashMap<String, usize>,
    todo: VecDeque<usize>,
}

impl Start {
    /// Follows everything from `first`.
    pub fn from(units: &Units<'_>, first: &str, how: &str) -> Self {
        let mut start = Self::default();
        start.add(units, first, how.to_owned(), None);
        start.follow(units);
        start
    }

    /// Adds a unit that a generator makes, below `from`.
    pub fn add_generated(&mut self, units: &Units<'_>, name: &str, how: &str, from: &str) {
        let from = self.known.get(from).copied();
        self.add(units, name, how.to_owned(), from);
        self.follow(units);
    }

    /// Where a unit stands in the list.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.known.get(name).copied()
    }

    fn add(&mut self, units: &Units<'_>, name: &str, how: String, from: Option<usize>) {
        if self.known.contains_key(name) || self.units.len() >= UNITS_MAX {
            return;
        }
        let unit = units.load(name);
        let here = self.units.len();
        self.known.insert(name.to_owned(), here);
        // An alias and its unit are one.
        if let Some(unit) = &unit
            && unit.name.whole != name
        {
            if self.known.contains_key(&unit.name.whole) {
                return;
            }
            self.known.insert(unit.name.whole.clone(), here);
        }
        self.units.push(Started {
            name: name.to_owned(),
            how,
            from,
            unit,
        });
        self.todo.push_back(here);
    }

    fn follow(&mut self, units: &Units<'_>) {
        while let Some(at) = self.todo.pop_front() {
            let Some(unit) = self.units.get(at).and_then(|s| s.unit.clone()) else {
                continue;
            };
            if unit.wanted == Wanted::No {
                continue;
            }
            for (name, how) in pulled(units, &unit) {
                self.add(units, &name, how, Some(at));
            }
        }
    }
}

/// What a unit has started, with what says so.
fn pulled(units: &Units<'_>, unit: &Unit) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for key in PULLS {
        let names = unit.words("Unit", key).into_iter();
        all.extend(names.map(|name| (name, format!("{key}= in {}", unit.path))));
    }
    for folder in ["requires", "wants", "upholds"] {
        all.extend(units.linked(&unit.name, folder));
    }
    let name = &unit.name;
    let mut triggered = |section: &str, key: &str| {
        let named = unit.value(section, key).map(str::to_owned);
        let other = named.unwrap_or_else(|| name.sibling("service"));
        all.push((other, format!("activation by {}", name.whole)));
    };
    match name.kind.as_str() {
        "socket" if accepts(unit) => {
            let template = format!("{}@0.service", name.prefix);
            all.push((template, format!("activation by {}", name.whole)));
        }
        "socket" => triggered("Socket", "Service"),
        "timer" => triggered("Timer", "Unit"),
        "path" => triggered("Path", "Unit"),
        "automount" => all.push((
            name.sibling("mount"),
            format!("activation by {}", name.whole),
        )),
        "service" => {
            let sockets = unit.words("Service", "Sockets").into_iter();
            all.extend(sockets.map(|other| (other, format!("Sockets= in {}", unit.path))));
        }
        _ => {}
    }
    if matches!(name.kind.as_str(), "service" | "socket" | "timer" | "path")
        && unit.has_default_dependencies()
    {
        let how = "the usual dependencies".to_owned();
        all.push(("sysinit.target".to_owned(), how));
    }
    all
}

/// True for a socket that starts one service for each connection.
fn accepts(unit: &Unit) -> bool {
    let value = unit.value("Socket", "Accept");
    value.is_some_and(|value| matches!(value, "yes" | "true" | "1" | "on"))
}

/// The unit that a boot with this kernel command line starts, and what says so.
///
/// Source: systemd(1), "Kernel command line".
pub fn default_unit(command_line: Option<&str>) -> (String, String) {
    let mut unit = ("default.target", "what systemd starts by itself".to_owned());
    for word in command_line.unwrap_or_default().split_whitespace() {
        let name = match word {
            "single" | "s" | "S" | "1" | "rescue" => "rescue.target",
            "emergency" | "-b" => "emergency.target",
            "2" | "3" | "4" => "multi-user.target",
            "5" => "graphical.target",
            _ => match word.strip_prefix("systemd.unit=") {
                Some(name) => name,
                None => continue,
            },
        };
        unit = (name, format!("{word} on the kernel command line"));
    }
    (unit.0.to_owned(), unit.1)
}

#[cfg(test)]
#[path = "start_tests.rs"]
mod tests;
