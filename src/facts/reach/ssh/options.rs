//! With which options sshd is started: another configuration, other keys.
//!
//! Source: sshd(8); Debian's /etc/default/ssh, Red Hat's /etc/sysconfig/sshd.

use crate::facts::reach::boot::Boot;
use crate::sys::root_dir::RootDir;

pub(super) const PROGRAM: &str = "/usr/sbin/sshd";
const CONFIG: &str = "/etc/ssh/sshd_config";

/// Files and the variable in them that ends up on the command line.
const DEFAULTS: [(&str, &str); 3] = [
    ("/etc/default/ssh", "SSHD_OPTS"),
    ("/etc/sysconfig/sshd", "OPTIONS"),
    ("/etc/sysconfig/ssh", "SSHD_OPTS"),
];

/// The options that matter here.
#[derive(Debug)]
pub(super) struct Options {
    pub(super) program: String,
    pub(super) config: String,
    pub(super) keys: Vec<String>,
    pub(super) ports: Vec<String>,
}

impl Options {
    pub(super) fn of(root: &RootDir, boot: &Boot<'_>) -> Self {
        let unit = boot
            .unit("ssh.service")
            .or_else(|| boot.unit("sshd.service"));
        let line = unit
            .as_ref()
            .and_then(|unit| unit.value("Service", "ExecStart"));
        let mut words: Vec<String> = line
            .unwrap_or(PROGRAM)
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        for (path, variable) in DEFAULTS {
            let text = root.read_text(path, 1 << 20).unwrap_or_default();
            words.extend(defaults(&text, variable));
        }
        Self::read(&words)
    }

    fn read(words: &[String]) -> Self {
        let mut all = Self {
            program: PROGRAM.into(),
            config: CONFIG.into(),
            keys: Vec::new(),
            ports: Vec::new(),
        };
        let mut words = words.iter();
        if let Some(first) = words.next() {
            let program = first.trim_start_matches(['@', '-', ':', '+', '!', '|']);
            if program.starts_with('/') && program.ends_with("/sshd") {
                program.clone_into(&mut all.program);
            }
        }
        while let Some(word) = words.next() {
            let Some(option) = ["-f", "-h", "-p", "-o"]
                .iter()
                .find(|o| word.starts_with(**o))
            else {
                continue;
            };
            let glued = word.get(2..).filter(|rest| !rest.is_empty());
            let Some(value) = glued.or_else(|| words.next().map(String::as_str)) else {
                break;
            };
            match *option {
                "-f" if value.starts_with('/') => value.clone_into(&mut all.config),
                "-h" => all.keys.push(value.to_owned()),
                "-p" => all.ports.push(value.to_owned()),
                "-o" => all.ports.extend(port_of(value)),
                _ => {}
            }
        }
        all
    }
}

/// `Port=2222`.
fn port_of(option: &str) -> Option<String> {
    let (keyword, value) = option.split_once('=')?;
    let is_port = keyword.trim().eq_ignore_ascii_case("port");
    is_port.then(|| value.trim().to_owned())
}

/// The words of one variable of a file of settings.
fn defaults(text: &str, variable: &str) -> Vec<String> {
    let mut lines = text.lines().map(str::trim);
    let value = lines.find_map(|line| line.strip_prefix(variable)?.strip_prefix('='));
    let value = value.unwrap_or_default().trim_matches(['"', '\'']);
    value.split_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_found_apart_and_glued() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let all = Options::read(&words("-/usr/sbin/sshd -D -f /etc/ssh/other -p2222 -h /k"));
        assert_eq!(all.config, "/etc/ssh/other");
        assert_eq!(all.ports, ["2222"]);
        assert_eq!(all.keys, ["/k"]);
        assert_eq!(all.program, "/usr/sbin/sshd");
        let all = Options::read(&words("/usr/sbin/sshd -oPort=2222 -o X11Forwarding=no"));
        assert_eq!(all.ports, ["2222"]);
        assert_eq!(
            defaults("# x\nSSHD_OPTS=\"-p 22\"\n", "SSHD_OPTS"),
            ["-p", "22"]
        );
    }
}
