//! OpenRC: the services of its runlevels.
//!
//! Sources: openrc(8), openrc-run(8), rc-update(8); OpenRC's
//! sh/openrc-run.sh.in, which reads a service's configuration before its
//! script.

use std::collections::BTreeSet;

use super::collect::{Absence, Gathering};
use super::{Role, scripts, sysv};
use crate::facts::shell::{self, SCRIPT_BYTES_MAX};
use crate::sys::root_dir::Kind;

/// Runlevels of every boot; the last unless the command line names another.
const RUNLEVELS: [&str; 3] = ["sysinit", "boot", "default"];

/// What OpenRC runs a service's script with.
const RUNNERS: [&str; 2] = ["openrc-run", "runscript"];

/// Where its own scripts lie.
const LIBRARIES: [&str; 5] = [
    "/lib/rc",
    "/usr/lib/rc",
    "/lib64/rc",
    "/libexec/rc",
    "/usr/libexec/rc",
];

/// Its own scripts that it starts as programs.
const SCRIPTS: [&str; 4] = [
    "sh/init.sh",
    "sh/init-early.sh",
    "sh/gendepends.sh",
    "sh/openrc-run.sh",
];

/// What it puts services into the background with.
const STARTER: &str = "/sbin/start-stop-daemon";

/// Services that are followed.
const SERVICES_MAX: usize = 1000;

/// Everything that OpenRC, started by `step`, starts in turn.
pub(super) fn gather(gathering: &mut Gathering<'_, '_>, step: usize) {
    for library in LIBRARIES {
        for script in SCRIPTS {
            gathering.start(
                &format!("{library}/{script}"),
                Role::Service,
                step,
                Absence::Allowed,
            );
        }
    }
    gathering.start(STARTER, Role::Service, step, Absence::Allowed);
    let command_line = gathering.command_line().unwrap_or_default();
    let words = command_line.split_whitespace().rev();
    let named = words
        .filter_map(|word| word.strip_prefix("softlevel="))
        .next();
    let named = named.map(str::to_owned);
    let [first, second, usual] = RUNLEVELS;
    let mut levels = vec![first.to_owned(), second.to_owned()];
    levels.push(named.unwrap_or_else(|| usual.to_owned()));
    let mut seen = BTreeSet::new();
    let mut next = 0;
    while let Some(level) = levels.get(next).cloned() {
        next += 1;
        let folder = format!("/etc/runlevels/{level}");
        let how = format!("runlevel {level}");
        for entry in gathering.root().read_dir(&folder).unwrap_or_default() {
            let Ok(name) = entry.name.into_string() else {
                continue;
            };
            // A runlevel in a runlevel is started with it.
            match entry.kind {
                Kind::Directory if levels.len() < SERVICES_MAX && !levels.contains(&name) => {
                    levels.push(name);
                }
                Kind::Directory => {}
                _ => service(gathering, &name, &how, step, &mut seen),
            }
        }
    }
}

/// One service, and those that it needs.
fn service(
    gathering: &mut Gathering<'_, '_>,
    name: &str,
    how: &str,
    from: usize,
    seen: &mut BTreeSet<String>,
) {
    let mut todo = vec![(name.to_owned(), how.to_owned(), from)];
    while let Some((name, how, from)) = todo.pop() {
        let path = format!("/etc/init.d/{name}");
        if seen.len() >= SERVICES_MAX || !seen.insert(name.clone()) {
            continue;
        }
        let Ok(text) = gathering.root().read_text(&path, SCRIPT_BYTES_MAX) else {
            continue;
        };
        let step = gathering.step(&name, &how, Some(from), Some(&path));
        if !is_own(&text) {
            sysv::script(gathering, &path, &text, step);
            continue;
        }
        let (program, absence) = command(gathering, &name, &path, &text);
        let all = program.into_iter().map(|program| (program, absence));
        sysv::script_with(gathering, &path, all.collect(), &text, step);
        for needed in needed(&text) {
            todo.push((needed.to_owned(), format!("need in {path}"), step));
        }
    }
}

/// True for a script that OpenRC's own runner runs.
fn is_own(text: &str) -> bool {
    let line = text.lines().next().unwrap_or_default();
    let program = line
        .strip_prefix("#!")
        .unwrap_or_default()
        .split_whitespace()
        .next();
    program.is_some_and(|path| {
        RUNNERS
            .iter()
            .any(|name| path.rsplit('/').next() == Some(name))
    })
}

/// The value of `command=`, and whether it is sure to be started: a script
/// with a `start` of its own may ask first.
fn command(
    gathering: &Gathering<'_, '_>,
    name: &str,
    path: &str,
    text: &str,
) -> (Option<String>, Absence) {
    let general = name.split('.').next().filter(|general| *general != name);
    let files = general.into_iter().chain([name]);
    let root = gathering.root();
    let mut whole: String = files
        .filter_map(|name| {
            root.read_text(format!("/etc/conf.d/{name}"), SCRIPT_BYTES_MAX)
                .ok()
        })
        .map(|text| text + "\n")
        .collect();
    whole.push_str(text);
    let found = scripts::with_context(gathering, Some(path), None, |context| {
        shell::variable(&whole, context, "command")
    });
    let has_start = text.lines().any(|line| {
        let line: String = line.chars().filter(|c| !c.is_whitespace()).collect();
        line.starts_with("start()") || line.starts_with("start_pre()")
    });
    let absence = if has_start {
        Absence::Allowed
    } else {
        Absence::Counts
    };
    (found.filter(|path| path.starts_with('/')), absence)
}

/// The services in `need` and `want` lines of a script: both have them started.
fn needed(text: &str) -> Vec<&str> {
    let lines = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default());
    let lists = lines.filter_map(|line| {
        let line = line.trim();
        line.strip_prefix("need")
            .or_else(|| line.strip_prefix("want"))
    });
    let lists = lists.filter(|list| list.starts_with(char::is_whitespace));
    let names = lists.flat_map(str::split_whitespace);
    let is_name = |name: &&str| {
        let mut bytes = name.bytes();
        bytes.all(|byte| byte.is_ascii_alphanumeric() || b"._-+".contains(&byte))
    };
    names.filter(is_name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_says_what_it_needs() {
        let text = "#!/sbin/openrc-run\ndepend()\n{\n\tneed net localmount # x\n\
            \tneeded y\n\tuse dns\n\twant mdev\n\tneed $z ../q\n}\n";
        assert!(is_own(text));
        assert!(!is_own("#!/bin/sh\n# openrc-run\n"));
        assert_eq!(needed(text), ["net", "localmount", "mdev"]);
    }
}
