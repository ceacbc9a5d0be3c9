//! Init scripts, and `/etc/inittab` where PID 1 reads one.
//!
//! Sources: inittab(5), init-d-script(5), systemd-sysv-generator(8); for
//! Alpine busybox's init/init.c.

use super::collect::{Absence, Gathering};
use super::systemd::{in_search_path, role_of};
use super::{Role, openrc, scripts};
use crate::facts::shell::{self, SCRIPT_BYTES_MAX};

const INITTAB: &str = "/etc/inittab";
const LIMIT: u64 = 1 << 20;

/// The runlevel that Debian boots into; 3 to 5 are the same there.
const USUAL_RUNLEVEL: &str = "2";

/// The programs that OpenRC is, and its own PID 1.
const OPENRC: [&str; 2] = ["openrc", "rc"];
const OPENRC_INIT: &str = "openrc-init";

/// What runs an init script that only names its daemon.
const DAEMON_SCRIPT: &str = "init-d-script";

/// Everything that a PID 1 other than systemd starts.
pub(super) fn gather(gathering: &mut Gathering<'_, '_>, init: usize, program: &str) {
    if program.rsplit('/').next() == Some(OPENRC_INIT) {
        let path = in_search_path(gathering, "openrc");
        gathering.start(&path, Role::Manager, init, Absence::Counts);
        return openrc::gather(gathering, init);
    }
    let Ok(text) = gathering.root().read_text(INITTAB, LIMIT) else {
        return;
    };
    let table = gathering.step(INITTAB, "what PID 1 reads", Some(init), Some(INITTAB));
    let mut is_openrc = false;
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut fields = line.splitn(4, ':').skip(2);
        let (Some(action), Some(process)) = (fields.next(), fields.next()) else {
            continue;
        };
        let program = process
            .trim_start_matches(['+', '-'])
            .split_whitespace()
            .next();
        let Some(program) = program.filter(|_| !matches!(action, "off" | "ondemand")) else {
            continue;
        };
        let is_start = matches!(action, "sysinit" | "boot" | "bootwait" | "wait");
        match openrc_of(gathering, program).filter(|_| is_start) {
            Some(openrc) => {
                is_openrc = true;
                gathering.start(program, Role::Manager, table, Absence::Counts);
                gathering.start(&openrc, Role::Manager, table, Absence::Counts);
            }
            None => gathering.start(program, role_of(program), table, Absence::Allowed),
        }
    }
    if is_openrc {
        openrc::gather(gathering, table);
    } else {
        scripts_of(gathering, table, "S", &|_| false);
        scripts(gathering, table, |_| false);
    }
}

/// OpenRC's program, where `program` is it or a script that runs it.
fn openrc_of(gathering: &Gathering<'_, '_>, program: &str) -> Option<String> {
    let is_it = |path: &str| {
        path.rsplit('/')
            .next()
            .is_some_and(|name| OPENRC.contains(&name))
    };
    // sysvinit's own /etc/init.d/rc has that name, too.
    if is_it(program) && !program.starts_with("/etc/") {
        return Some(program.to_owned());
    }
    let text = gathering.root().read_text(program, SCRIPT_BYTES_MAX).ok()?;
    let runs = scripts::runs(gathering, shell::shell_script(&text)?, Some(program), None);
    let mut openrc = runs
        .into_iter()
        .filter(|run| run.program.rsplit('/').next() == Some(OPENRC[0]));
    openrc
        .next()
        .map(|run| in_search_path(gathering, &run.program))
}

/// The scripts of the usual runlevel, but those that `replaced` says are
/// started in another way.
pub(super) fn scripts(
    gathering: &mut Gathering<'_, '_>,
    step: usize,
    replaced: impl Fn(&str) -> bool,
) {
    scripts_of(gathering, step, USUAL_RUNLEVEL, &replaced);
}

fn scripts_of(
    gathering: &mut Gathering<'_, '_>,
    step: usize,
    runlevel: &str,
    replaced: &dyn Fn(&str) -> bool,
) {
    let folder = format!("/etc/rc{runlevel}.d");
    for entry in gathering.root().read_dir(&folder).unwrap_or_default() {
        let name = entry.name.to_string_lossy();
        let Some(name) = started(&name) else {
            continue;
        };
        if replaced(name) {
            continue;
        }
        let link = format!("{folder}/{}", entry.name.to_string_lossy());
        let path = format!("/etc/init.d/{name}");
        let step = gathering.step(&format!("{name}.service"), &link, Some(step), None);
        let text = gathering.root().read_text(&path, SCRIPT_BYTES_MAX);
        script(gathering, &path, &text.unwrap_or_default(), step);
    }
}

/// An init script and the daemons that it starts.
pub(super) fn script(gathering: &mut Gathering<'_, '_>, path: &str, text: &str, step: usize) {
    let head = text.lines().next().unwrap_or_default();
    let daemon = head.contains(DAEMON_SCRIPT).then(|| {
        scripts::with_context(gathering, Some(path), None, |context| {
            shell::variable(text, context, "DAEMON")
        })
    });
    let daemon = daemon.flatten().filter(|path| path.starts_with('/'));
    let programs = daemon.into_iter().map(|path| (path, Absence::Allowed));
    script_with(gathering, path, programs.collect(), text, step);
}

/// The same, where some programs are known already.
pub(super) fn script_with(
    gathering: &mut Gathering<'_, '_>,
    path: &str,
    mut programs: Vec<(String, Absence)>,
    text: &str,
    step: usize,
) {
    let runs = scripts::runs(gathering, text, Some(path), None);
    let daemons = scripts::daemons(&runs).into_iter();
    programs.extend(daemons.map(|program| (program, Absence::Allowed)));
    // Without the script nobody starts them.
    let roles = programs.iter().map(|(program, _)| role_of(program));
    let role = roles.max().unwrap_or(Role::Service);
    gathering.start(path, role, step, Absence::Allowed);
    for (program, absence) in programs {
        gathering.start(&program, role_of(&program), step, absence);
    }
}

/// `S01ssh`: the name of what is started.
fn started(link: &str) -> Option<&str> {
    let rest = link.strip_prefix('S')?;
    let name = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    (name.len() < rest.len() && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_start_links_name_a_script() {
        assert_eq!(started("S01ssh"), Some("ssh"));
        assert_eq!(started("K01ssh"), None);
        assert_eq!(started("Sssh"), None);
        assert_eq!(started("README"), None);
    }
}
