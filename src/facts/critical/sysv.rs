//! Init scripts, and `/etc/inittab` where PID 1 reads one.
//!
//! Sources: inittab(5), init-d-script(5), systemd-sysv-generator(8).

use super::Role;
use super::collect::{Absence, Gathering};
use super::systemd::role_of;

const INITTAB: &str = "/etc/inittab";
const LIMIT: u64 = 1 << 20;

/// The runlevel that Debian boots into; 3 to 5 are the same there.
const USUAL_RUNLEVEL: &str = "2";

/// Everything that a sysvinit starts.
pub(super) fn gather(gathering: &mut Gathering<'_, '_>, init: usize) {
    let Ok(text) = gathering.root().read_text(INITTAB, LIMIT) else {
        return;
    };
    let table = gathering.step(INITTAB, "what PID 1 reads", Some(init), Some(INITTAB));
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut fields = line.splitn(4, ':').skip(2);
        let (Some(action), Some(process)) = (fields.next(), fields.next()) else {
            continue;
        };
        let program = process.trim_start_matches('+').split_whitespace().next();
        if let Some(program) = program.filter(|_| !matches!(action, "off" | "ondemand")) {
            gathering.start(program, role_of(program), table, Absence::Allowed);
        }
    }
    scripts_of(gathering, table, "S", &|_| false);
    scripts(gathering, table, |_| false);
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
        let script = format!("/etc/init.d/{name}");
        let step = gathering.step(&format!("{name}.service"), &link, Some(step), None);
        gathering.start(&script, Role::Service, step, Absence::Allowed);
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
