//! Modules of the name service switch.
//!
//! Source: nsswitch.conf(5).

use std::collections::BTreeSet;

use super::Role;
use super::collect::{Absence, Gathering};

const PATH: &str = "/etc/nsswitch.conf";
const LIMIT: u64 = 1 << 20;

pub(super) fn gather(gathering: &mut Gathering<'_, '_>, init: usize) {
    let text = gathering.root().read_text(PATH, LIMIT).unwrap_or_default();
    // They lie where libc lies.
    let Some(folder) = gathering.libc_directory().map(str::to_owned) else {
        return;
    };
    let step = gathering.step(PATH, "names of users and hosts", Some(init), Some(PATH));
    for service in services(&text) {
        let module = format!("{folder}/libnss_{service}.so.2");
        gathering.load(&module, Role::Helper, step, Absence::Allowed);
    }
}

/// The services of all databases.
fn services(text: &str) -> BTreeSet<&str> {
    let lines = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default());
    let lists = lines.filter_map(|line| line.split_once(':').map(|(_, list)| list));
    lists
        .flat_map(str::split_whitespace)
        .filter(|word| {
            word.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_and_comments_are_no_services() {
        let text = "passwd: files systemd # x\nhosts: files mdns4_minimal [NOTFOUND=return] dns\n";
        let found: Vec<_> = services(text).into_iter().collect();
        assert_eq!(found, ["dns", "files", "mdns4_minimal", "systemd"]);
    }
}
