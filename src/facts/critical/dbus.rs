//! The system bus, and what it starts when somebody asks for a name.
//!
//! Sources: dbus-daemon(1), "standard_system_servicedirs" and "servicehelper";
//! the D-Bus specification, "Message Bus Starting Services"; dbus-broker-launch(1).

use super::collect::{Absence, Gathering};
use super::{Role, pam};
use crate::facts::units::{Start, Units};
use crate::sys::root_dir::RootDir;

/// Where services say how they are started; a file is called by its name on
/// the bus.
const SERVICES: [&str; 4] = [
    "/etc/dbus-1/system-services",
    "/usr/local/share/dbus-1/system-services",
    "/usr/share/dbus-1/system-services",
    "/lib/dbus-1/system-services",
];

/// Where the bus is told of the program that starts services with their own
/// user's rights.
const CONFIGURATION: [&str; 2] = ["/usr/share/dbus-1/system.conf", "/etc/dbus-1/system.conf"];

/// The units that the bus is, one or the other.
const BUS: [&str; 3] = ["dbus.service", "dbus-broker.service", "dbus.socket"];

/// What a login asks for, and the modules that do.
const LOGIN: &str = "org.freedesktop.login1";
const LOGIN_MODULES: [&str; 2] = ["pam_systemd.so", "pam_elogind.so"];

/// Most bytes of a file.
const LIMIT: u64 = 1 << 20;

/// Adds the units that the bus starts for names that the boot asks for.
pub(super) fn activate(root: &RootDir, units: &Units<'_>, start: &mut Start) {
    let Some(bus) = BUS.into_iter().find(|name| start.position(name).is_some()) else {
        return;
    };
    for name in names(root, start) {
        let unit = file(root, &name).and_then(|(_, text)| value(&text, "SystemdService"));
        if let Some(unit) = unit {
            start.add_generated(units, &unit, &format!("activation of {name}"), bus);
        }
    }
}

/// Adds the programs of the bus itself, and those that it starts without a
/// unit.
pub(super) fn gather(gathering: &mut Gathering<'_, '_>, start: &Start, steps: &[usize]) {
    let bus = BUS.into_iter().find_map(|name| start.position(name));
    let Some(step) = bus.and_then(|at| steps.get(at).copied()) else {
        return;
    };
    let root = gathering.root();
    if let Some((launcher, step)) = gathering.starts(&["dbus-broker-launch"]) {
        let broker = launcher.trim_end_matches("-launch").to_owned();
        gathering.start(&broker, Role::Service, step, Absence::Counts);
    }
    let texts = CONFIGURATION
        .iter()
        .filter_map(|path| Some((path, root.read_text(path, LIMIT).ok()?)));
    if let Some((path, helper)) = texts
        .filter_map(|(path, text)| Some((path, helper(&text)?)))
        .next()
    {
        let step = gathering.step(path, "what the bus reads", Some(step), Some(path));
        gathering.start(&helper, Role::Helper, step, Absence::Allowed);
    }
    for name in names(root, start) {
        let Some((path, text)) = file(root, &name) else {
            continue;
        };
        if value(&text, "SystemdService").is_some() {
            continue;
        }
        let line = value(&text, "Exec").unwrap_or_default();
        let words = shell_words::split(&line).unwrap_or_default();
        if let Some(program) = words.first().filter(|word| word.starts_with('/')) {
            let how = format!("activation of {name}");
            let step = gathering.step(&path, &how, Some(step), Some(&path));
            gathering.start(program, Role::Helper, step, Absence::Allowed);
        }
    }
}

/// The names on the bus that the boot is known to ask for.
fn names(root: &RootDir, start: &Start) -> Vec<String> {
    let units = start
        .units
        .iter()
        .filter_map(|started| started.unit.as_ref());
    let mut names: Vec<String> = units.filter_map(|unit| unit.bus_name()).collect();
    let stacks = ["login", "sshd"].map(|service| pam::modules(root, service));
    let mut modules = stacks.iter().flatten();
    if modules.any(|module| LOGIN_MODULES.contains(&module.name.as_str())) {
        names.push(LOGIN.to_owned());
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// The file that says how `name` is started.
fn file(root: &RootDir, name: &str) -> Option<(String, String)> {
    if name.contains('/') {
        return None;
    }
    SERVICES.iter().find_map(|folder| {
        let path = format!("{folder}/{name}.service");
        let text = root.read_text(&path, LIMIT).ok()?;
        Some((path, text))
    })
}

/// The value of a key; such a file has one section.
fn value(text: &str, key: &str) -> Option<String> {
    let lines = text.lines().filter_map(|line| line.split_once('='));
    let mut values = lines.filter(|(name, _)| name.trim() == key);
    values.next().map(|(_, value)| value.trim().to_owned())
}

/// The program in `<servicehelper>`.
fn helper(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("<servicehelper>")?;
    let (path, _) = rest.split_once("</servicehelper>")?;
    let path = path.trim();
    path.starts_with('/').then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_the_bus_are_read() {
        let text = "[D-BUS Service]\nName=org.x\nExec=/usr/lib/x --y\nUser=root\n";
        assert_eq!(value(text, "Exec").as_deref(), Some("/usr/lib/x --y"));
        assert_eq!(value(text, "SystemdService"), None);
        let text = "<busconfig>\n  <servicehelper>/usr/lib/h</servicehelper>\n</busconfig>";
        assert_eq!(helper(text).as_deref(), Some("/usr/lib/h"));
        assert_eq!(helper("<servicehelper>h</servicehelper>"), None);
    }
}
