//! What a login goes through: getty, login or sshd, PAM, and the shell.
//!
//! Sources: agetty(8), login(1), sshd_config(5), passwd(5), nologin(8).

use super::Role;
use super::collect::{Absence, Gathering};
use super::pam::{self, Module, Weight};

/// What a getty starts.
const LOGIN: &str = "/bin/login";

/// Where OpenSSH keeps what sshd starts for each connection, since 9.8.
const SSHD_PARTS: [&str; 6] = [
    "/usr/lib/openssh/sshd-session",
    "/usr/lib/openssh/sshd-auth",
    "/usr/libexec/openssh/sshd-session",
    "/usr/libexec/openssh/sshd-auth",
    "/usr/lib/ssh/sshd-session",
    "/usr/lib/ssh/sshd-auth",
];

const SSHD_CONFIG: &str = "/etc/ssh/sshd_config";

/// Where PAM's modules lie, beside the directory of the machine's own triplet.
const MODULES: [&str; 4] = [
    "/usr/lib64/security",
    "/lib64/security",
    "/usr/lib/security",
    "/lib/security",
];

/// Shells of users who shall not log in.
const NO_SHELLS: [&str; 4] = ["nologin", "false", "true", "sync"];

/// The first number of a person's account on today's distributions.
const FIRST_USER: u32 = 1000;

const LIMIT: u64 = 4 << 20;

pub(super) fn gather(gathering: &mut Gathering<'_, '_>, init: usize) {
    let console = gathering.starts(&["agetty", "getty", "mingetty"]);
    let remote = gathering.starts(&["sshd"]);
    if let Some((getty, step)) = console {
        let step = gathering.step(&getty, "ExecStart=", Some(step), None);
        gathering.start(LOGIN, Role::Console, step, Absence::Counts);
        stack(gathering, "login", Role::Console, step);
    }
    if let Some((sshd, step)) = remote {
        let step = gathering.step(&sshd, "ExecStart=", Some(step), None);
        for part in SSHD_PARTS {
            gathering.start(part, Role::Remote, step, Absence::Allowed);
        }
        let config = gathering.root().read_text(SSHD_CONFIG, LIMIT);
        let config = config.unwrap_or_default();
        if uses_pam(&config) {
            stack(gathering, "sshd", Role::Remote, step);
        }
        for program in subsystems(&config) {
            let step = gathering.step(SSHD_CONFIG, "Subsystem", Some(step), Some(SSHD_CONFIG));
            gathering.start(&program, Role::Service, step, Absence::Allowed);
        }
    }
    shells(gathering, init);
}

/// Asks for the modules of one service.
fn stack(gathering: &mut Gathering<'_, '_>, service: &str, role: Role, step: usize) {
    let modules = pam::modules(gathering.root(), service);
    for module in &modules {
        let Some(path) = find(gathering, &module.name) else {
            continue;
        };
        let decides = match module.weight {
            Weight::Required => true,
            Weight::Optional => false,
            Weight::Alternative => is_the_only_way(&modules, module),
        };
        let how = format!("{} of {service}", module.kind);
        let step = gathering.step(&module.file, &how, Some(step), Some(&module.file));
        if decides {
            gathering.load(&path, role, step, Absence::Counts);
        } else {
            gathering.load(&path, Role::Helper, step, Absence::Allowed);
        }
    }
}

/// True when no other module of the kind could let somebody in.
fn is_the_only_way(modules: &[Module], module: &Module) -> bool {
    modules.iter().all(|other| {
        other.kind != module.kind
            || other.name == module.name
            || other.weight != Weight::Alternative
    })
}

/// The path of a module; `None` for one that libpam would build with `$ISA`.
fn find(gathering: &Gathering<'_, '_>, name: &str) -> Option<String> {
    if name.contains('$') {
        return None;
    }
    if name.starts_with('/') {
        return Some(name.to_owned());
    }
    // Beside the C library, as Debian's multiarch has it.
    let beside = gathering.libc_directory();
    let beside = beside.map(|folder| format!("{folder}/security"));
    let mut folders: Vec<String> = beside.into_iter().collect();
    folders.extend(MODULES.map(str::to_owned));
    let folder = folders
        .into_iter()
        .find(|folder| gathering.root().metadata(folder).is_ok())?;
    Some(format!("{folder}/{name}"))
}

/// The default of OpenSSH is no; Debian's configuration says yes.
fn uses_pam(config: &str) -> bool {
    let mut values = config.lines().filter_map(|line| value(line, "UsePAM"));
    values
        .next()
        .is_some_and(|value| value.eq_ignore_ascii_case("yes"))
}

/// Programs of `Subsystem` lines.
fn subsystems(config: &str) -> Vec<String> {
    let lines = config.lines().filter_map(|line| value(line, "Subsystem"));
    let programs = lines.filter_map(|value| value.split_whitespace().nth(1));
    programs
        .filter(|program| program.starts_with('/'))
        .map(str::to_owned)
        .collect()
}

/// What follows a keyword, which is written in any case.
fn value<'l>(line: &'l str, keyword: &str) -> Option<&'l str> {
    let line = line.trim_start();
    let head = line.get(..keyword.len())?;
    let rest = line.get(keyword.len()..)?;
    let fits = head.eq_ignore_ascii_case(keyword);
    (fits && rest.starts_with([' ', '\t', '='])).then(|| rest.trim_start_matches([' ', '\t', '=']))
}

/// The shells of everybody who may log in.
fn shells(gathering: &mut Gathering<'_, '_>, init: usize) {
    const PASSWD: &str = "/etc/passwd";
    let text = gathering
        .root()
        .read_text(PASSWD, LIMIT)
        .unwrap_or_default();
    for line in text.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        let [user, _, uid, _, _, _, shell] = fields[..] else {
            continue;
        };
        let last = shell.rsplit('/').next().unwrap_or_default();
        let person = match uid.parse::<u32>() {
            Ok(0) => true,
            // nobody is no person.
            Ok(uid) => (FIRST_USER..60_000).contains(&uid),
            Err(_) => false,
        };
        if !person || NO_SHELLS.contains(&last) {
            continue;
        }
        // An empty field means this one.
        let shell = if shell.is_empty() { "/bin/sh" } else { shell };
        let how = format!("shell of {user}");
        let step = gathering.step(PASSWD, &how, Some(init), Some(PASSWD));
        gathering.start(shell, Role::Shell, step, Absence::Counts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sshd_config_is_read_as_sshd_does() {
        let config = "#UsePAM no\nusepam yes\nUsePAM no\n\
            Subsystem sftp /usr/lib/openssh/sftp-server -l INFO\nSubsystem x internal-sftp\n";
        assert!(uses_pam(config));
        assert!(!uses_pam("UsePAMx yes"));
        assert_eq!(subsystems(config), ["/usr/lib/openssh/sftp-server"]);
    }
}
