//! What shell scripts of the boot run: the argument of `sh -c`, and scripts
//! that tell a program where to look for libraries.

use super::Role;
use super::collect::{Absence, Gathering};
use super::systemd::{in_search_path, role_of};
use crate::facts::library_path::LibraryPath;
use crate::facts::shell::{self, Context, Run, SCRIPT_BYTES_MAX};
use crate::facts::units::Command;

/// Programs that are looked at, be they scripts.
const PROGRAMS_MAX: usize = 10_000;

/// Scripts that are followed; a boot has a handful.
const SCRIPTS_MAX: usize = 500;

/// Scripts that start scripts.
const DEPTH_MAX: usize = 5;

/// Commands that the shell has itself, whatever lies in the search path.
const BUILT_IN: [&str; 22] = [
    "[", "alias", "break", "continue", "echo", "eval", "exit", "false", "kill", "printf", "pwd",
    "read", "return", "set", "shift", "test", "times", "trap", "true", "type", "ulimit", "umask",
];

/// Adds the programs of the script at `path` that are told where to look.
pub(super) fn follow(
    gathering: &mut Gathering<'_, '_>,
    path: &str,
    role: Role,
    step: usize,
    library_path: Option<LibraryPath>,
) {
    let key = (path.to_owned(), library_path.clone());
    let is_enough = gathering.looked_at.len() >= PROGRAMS_MAX || gathering.depth >= DEPTH_MAX;
    if is_enough || !gathering.looked_at.insert(key) {
        return;
    }
    let Ok(text) = gathering.root().read_text(path, SCRIPT_BYTES_MAX) else {
        return;
    };
    let is_one = shell::shell_script(&text).is_some();
    if !is_one || !(library_path.is_some() || text.contains("LD_LIBRARY_PATH")) {
        return;
    }
    if gathering.followed >= SCRIPTS_MAX {
        return;
    }
    gathering.followed += 1;
    let runs = runs(gathering, &text, Some(path), library_path.as_ref());
    let is_told = |run: &Run| run.library_path.is_some() && run.program.starts_with('/');
    if !runs.iter().any(is_told) {
        return;
    }
    let step = gathering.step(
        path,
        "a script that sets LD_LIBRARY_PATH",
        Some(step),
        Some(path),
    );
    gathering.depth += 1;
    for run in runs.into_iter().filter(is_told) {
        gathering.start_told(&run.program, role, step, Absence::Allowed, run.library_path);
    }
    gathering.depth -= 1;
}

/// Adds what a unit's command runs in turn: the argument of `sh -c`, and what
/// `env` starts.
pub(super) fn arguments(
    gathering: &mut Gathering<'_, '_>,
    command: &Command,
    step: usize,
    absence: Absence,
    library_path: Option<&LibraryPath>,
) {
    let is_env = command.program.rsplit('/').next() == Some("env");
    let text = if is_env {
        let words = [&command.program].into_iter().chain(&command.arguments);
        words.map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
    } else if let Some(text) = after_c(command) {
        // systemd takes `$$` for a dollar.
        text.replace("$$", "$")
    } else {
        return;
    };
    let runs = runs(gathering, &text, None, library_path);
    let is_alone = runs.len() == 1;
    for run in runs {
        let is_path = run.program.starts_with('/');
        if !is_path && BUILT_IN.contains(&run.program.as_str()) {
            continue;
        }
        let path = in_search_path(gathering, &run.program);
        // A function of the script, or in some other directory.
        if !is_path && !gathering.can_be_started(&path) {
            continue;
        }
        let absence = match absence {
            Absence::Counts if is_alone && is_path && run.is_certain => Absence::Counts,
            _ => Absence::Allowed,
        };
        gathering.start_told(&path, role_of(&path), step, absence, run.library_path);
    }
}

/// A word of a unit as the shell would have it: systemd fills in variables,
/// too.
fn quoted(word: &str) -> String {
    let plain = |text: &str| match text.contains('$') {
        true => format!("\"{}\"", text.replace(['"', '\\', '`'], "")),
        false => shell_words::quote(text).into_owned(),
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match word.split_once('=') {
        Some((name, value)) if name.chars().all(is_name) => format!("{name}={}", plain(value)),
        _ => plain(word),
    }
}

/// The script in `sh -c SCRIPT`.
fn after_c(command: &Command) -> Option<&str> {
    if !shell::is_shell(&command.program) {
        return None;
    }
    let arguments = &command.arguments;
    let is_c = |word: &&String| !word.starts_with("--") && word.ends_with('c');
    let at = arguments
        .iter()
        .take_while(|word| word.starts_with('-'))
        .position(|word| is_c(&word))?;
    arguments.get(at + 1).map(String::as_str)
}

/// The programs of an init script: what `start-stop-daemon` and its like
/// start.
///
/// Sources: start-stop-daemon(8), supervise-daemon(8); `start_daemon` of the
/// Linux Standard Base's init functions.
pub(super) fn daemons(runs: &[Run]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for run in runs {
        let name = run.program.rsplit('/').next().unwrap_or_default();
        let arguments: Vec<&str> = run
            .arguments
            .iter()
            .map(|a| a.as_deref().unwrap_or(""))
            .collect();
        let path = match name {
            "start-stop-daemon" if !is_stop(&arguments) => started(&arguments),
            "supervise-daemon" => started(&arguments),
            "start_daemon" | "daemon" => {
                arguments.iter().find(|word| word.starts_with('/')).copied()
            }
            _ => None,
        };
        let path = path.filter(|path| path.starts_with('/')).map(str::to_owned);
        found.extend(path.filter(|path| !found.contains(path)));
    }
    found
}

fn is_stop(arguments: &[&str]) -> bool {
    arguments
        .iter()
        .any(|word| matches!(*word, "--stop" | "-K"))
}

/// The program named with `--startas` or `--exec`.
fn started<'a>(arguments: &[&'a str]) -> Option<&'a str> {
    let own = arguments.split(|word| *word == "--").next()?;
    let after = |names: [&str; 2]| {
        let at = own.iter().position(|word| names.contains(word))?;
        own.get(at + 1).copied()
    };
    let joined = |name: &str| own.iter().find_map(|word| word.strip_prefix(name));
    after(["--startas", "-a"])
        .or_else(|| after(["--exec", "-x"]))
        .or_else(|| joined("--exec="))
        .or_else(|| joined("--startas="))
}

/// The programs that a script of the patient runs.
pub(super) fn runs(
    gathering: &Gathering<'_, '_>,
    text: &str,
    path: Option<&str>,
    library_path: Option<&LibraryPath>,
) -> Vec<Run> {
    with_context(gathering, path, library_path, |context| {
        shell::runs(text, context)
    })
}

/// Reads a script of the patient.
pub(super) fn with_context<T>(
    gathering: &Gathering<'_, '_>,
    path: Option<&str>,
    library_path: Option<&LibraryPath>,
    read: impl FnOnce(&Context<'_>) -> T,
) -> T {
    let root = gathering.root();
    read(&Context {
        path,
        library_path,
        real_path: &|path| {
            let found = root.resolve(path).ok()?;
            found.path.into_os_string().into_string().ok()
        },
        read: &|path| root.read_text(path, SCRIPT_BYTES_MAX).ok(),
    })
}
