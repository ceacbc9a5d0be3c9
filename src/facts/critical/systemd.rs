//! What systemd starts: generators, units of the default target, and the
//! programs that they execute.
//!
//! Sources: systemd(1), systemd.generator(7), systemd-getty-generator(8),
//! systemd-sysv-generator(8).

use std::collections::BTreeSet;

use super::Role;
use super::collect::{Absence, Gathering};
use super::{dbus, scripts, sysv};
use crate::facts::elf::SEARCH_PATH;
use crate::facts::units::{Start, Unit, Units, Wanted, default_unit};
use crate::sys::root_dir::Kind;

/// Where generators lie.
const GENERATORS: [&str; 4] = [
    "/etc/systemd/system-generators",
    "/usr/local/lib/systemd/system-generators",
    "/usr/lib/systemd/system-generators",
    "/lib/systemd/system-generators",
];

/// Programs that the manager itself calls, beside its own file: since systemd
/// 255 every service goes through the executor.
const EXECUTOR: &str = "systemd-executor";

pub(super) fn gather(gathering: &mut Gathering<'_, '_>, init: usize, manager: &str) {
    let folder = manager.rsplit_once('/').map_or("", |(folder, _)| folder);
    let executor = format!("{folder}/{EXECUTOR}");
    gathering.start(&executor, Role::Manager, init, Absence::Allowed);
    generators(gathering, init);

    let units = Units::open(gathering.root());
    let (first, how) = default_unit(gathering.command_line());
    let mut start = Start::from(&units, &first, &how);
    for line in serial_consoles(gathering.command_line()) {
        let name = format!("serial-getty@{line}.service");
        let how = format!("console={line} on the kernel command line");
        start.add_generated(&units, &name, &how, "getty.target");
    }
    dbus::activate(gathering.root(), &units, &mut start);
    let mut steps: Vec<usize> = Vec::new();
    for started in &start.units {
        let from = started.from.and_then(|from| steps.get(from).copied());
        let file = started.unit.as_ref().map(|unit| unit.path.as_str());
        let step = gathering.step(&started.name, &started.how, from.or(Some(init)), file);
        steps.push(step);
        let wanted = |unit: &&std::rc::Rc<Unit>| unit.wanted != Wanted::No;
        let Some(unit) = started.unit.as_ref().filter(wanted) else {
            continue;
        };
        commands(gathering, unit, step);
    }
    dbus::gather(gathering, &start, &steps);
    // An init script without a unit of its name gets one.
    let target = start.position("multi-user.target");
    if let Some(step) = target.and_then(|at| steps.get(at).copied()) {
        sysv::scripts(gathering, step, |name| {
            units.has(&format!("{name}.service"))
        });
    }
}

/// What a unit executes.
fn commands(gathering: &mut Gathering<'_, '_>, unit: &Unit, step: usize) {
    let told = unit.library_path(gathering.root());
    for command in unit.commands() {
        let absence = if command.may_fail || unit.wanted == Wanted::Perhaps {
            Absence::Allowed
        } else {
            Absence::Counts
        };
        let path = in_search_path(gathering, &command.program);
        gathering.start_told(&path, role_of(&path), step, absence, told.clone());
        scripts::arguments(gathering, &command, step, absence, told.as_ref());
    }
}

/// A bare name is looked for in a fixed path (systemd.service(5)).
pub(super) fn in_search_path(gathering: &Gathering<'_, '_>, program: &str) -> String {
    if program.starts_with('/') {
        return program.to_owned();
    }
    let mut places = SEARCH_PATH.iter().map(|dir| format!("{dir}/{program}"));
    let found = places.find(|path| gathering.can_be_started(path));
    found.unwrap_or_else(|| format!("/usr/bin/{program}"))
}

/// What the boot loses when a service's program fails.
pub(super) fn role_of(program: &str) -> Role {
    match program.rsplit('/').next().unwrap_or_default() {
        "systemd-udevd" | "udevd" => Role::Device,
        "sshd" | "dropbear" => Role::Remote,
        "agetty" | "getty" | "mingetty" => Role::Console,
        "systemd-fsck" | "systemd-remount-fs" => Role::Mount,
        _ => Role::Service,
    }
}

fn generators(gathering: &mut Gathering<'_, '_>, init: usize) {
    let step = gathering.step("generators", "what systemd runs first", Some(init), None);
    let mut seen = BTreeSet::new();
    for directory in GENERATORS {
        for entry in gathering.root().read_dir(directory).unwrap_or_default() {
            let name = entry.name.to_string_lossy().into_owned();
            let path = format!("{directory}/{name}");
            // Of each name the first directory's counts; there, a link to
            // /dev/null switches the generator off.
            if is_left_aside(&name) || !seen.insert(name) {
                continue;
            }
            let found = gathering.root().metadata(&path);
            if found.is_ok_and(|meta| meta.kind == Kind::File && meta.is_executable()) {
                gathering.start(&path, Role::Generator, step, Absence::Allowed);
            }
        }
    }
}

/// Names that systemd passes over in directories whose programs it runs: what
/// package managers and editors leave beside a file (`hidden_or_backup_file` in
/// its path-util.c).
fn is_left_aside(name: &str) -> bool {
    const ENDINGS: [&str; 17] = [
        "bak",
        "dpkg-backup",
        "dpkg-bak",
        "dpkg-dist",
        "dpkg-new",
        "dpkg-old",
        "dpkg-remove",
        "dpkg-tmp",
        "new",
        "old",
        "rpmnew",
        "rpmorig",
        "rpmsave",
        "swp",
        "ucf-dist",
        "ucf-new",
        "ucf-old",
    ];
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    name.starts_with('.')
        || name.ends_with('~')
        || ending.is_some_and(|ending| ENDINGS.contains(&ending))
}

/// The serial consoles of a kernel command line, without their speed.
fn serial_consoles(command_line: Option<&str>) -> Vec<String> {
    let words = command_line.unwrap_or_default().split_whitespace();
    let consoles = words.filter_map(|word| word.strip_prefix("console="));
    let names = consoles.filter_map(|value| value.split(',').next());
    names
        .filter(|name| name.starts_with("tty") && !is_virtual(name))
        .map(str::to_owned)
        .collect()
}

/// `tty`, `tty0`, `tty1`: a screen and not a serial line.
fn is_virtual(name: &str) -> bool {
    let number = name.strip_prefix("tty").unwrap_or_default();
    number.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_beside_a_generator_is_not_run() {
        for name in ["g.dpkg-tmp", ".g", "g~", "g.old"] {
            assert!(is_left_aside(name), "{name}");
        }
        for name in ["systemd-fstab-generator", "g.sh"] {
            assert!(!is_left_aside(name), "{name}");
        }
    }

    #[test]
    fn only_serial_lines_get_a_getty() {
        let found = serial_consoles(Some(
            "quiet console=tty0 console=ttyS0,115200n8 console=tty",
        ));
        assert_eq!(found, ["ttyS0"]);
    }
}
