//! Which commands that somebody typed matter for the boot. No other line of a
//! shell's history is ever told: it is the operators' private matter.

use super::{Weight, shortened};

/// Top directories that a system consists of.
const SYSTEM: [&str; 11] = [
    "bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr", "etc", "boot", "dev", "var",
];

/// Programs that change files, by the paths that they get.
const FILES: [&str; 10] = [
    "mv", "ln", "rm", "rmdir", "cp", "chmod", "chown", "chgrp", "rsync", "unlink",
];

/// Programs that change disks, arrays and filesystems.
const DISKS: [&str; 26] = [
    "wipefs",
    "parted",
    "sfdisk",
    "fdisk",
    "gdisk",
    "sgdisk",
    "cfdisk",
    "mdadm",
    "lvremove",
    "vgremove",
    "pvremove",
    "pvcreate",
    "lvreduce",
    "vgreduce",
    "cryptsetup",
    "fsck",
    "e2fsck",
    "xfs_repair",
    "btrfs",
    "resize2fs",
    "tune2fs",
    "mkswap",
    "mke2fs",
    "blkdiscard",
    "nvme",
    "shred",
];

/// Programs that rebuild what the boot needs.
const BOOT: [&str; 12] = [
    "update-initramfs",
    "dracut",
    "mkinitcpio",
    "update-grub",
    "update-grub2",
    "grub-install",
    "grub2-install",
    "grub-mkconfig",
    "grub2-mkconfig",
    "grubby",
    "bootctl",
    "ldconfig",
];

/// Package managers.
const PACKAGES: [&str; 11] = [
    "apt",
    "apt-get",
    "aptitude",
    "dpkg",
    "dnf",
    "yum",
    "rpm",
    "zypper",
    "pacman",
    "apk",
    "do-release-upgrade",
];

/// Their words that change nothing.
const ONLY_ASK: [&str; 18] = [
    "list",
    "search",
    "show",
    "info",
    "policy",
    "update",
    "download",
    "source",
    "changelog",
    "-l",
    "-L",
    "-S",
    "-s",
    "-V",
    "check-update",
    "--audit",
    "-qa",
    "clean",
];

/// Programs that stop the system.
const STOP: [&str; 6] = ["reboot", "shutdown", "poweroff", "halt", "telinit", "init"];

/// Follows the working directory of a shell through its lines.
#[derive(Debug)]
pub(super) struct Shell {
    /// None once it is not known any more.
    directory: Option<String>,
}

impl Shell {
    /// A shell whose working directory is known.
    pub(super) fn in_directory(path: &str) -> Self {
        Self {
            directory: Some(path.to_owned()),
        }
    }

    /// The commands of a line that matter.
    pub(super) fn line(&mut self, line: &str) -> Vec<(Weight, String)> {
        let mut found = Vec::new();
        for part in parts(line) {
            let words = words(part);
            let words = without_prefixes(&words);
            let Some((program, arguments)) = words.split_first() else {
                continue;
            };
            let program = program.rsplit('/').next().unwrap_or(program);
            if program == "cd" {
                self.change(arguments.first().map(String::as_str));
                continue;
            }
            if let Some(weight) = self.weigh(program, arguments) {
                found.push((weight, shortened(&without_secrets(part), 200)));
            }
        }
        found
    }

    fn change(&mut self, to: Option<&str>) {
        self.directory = match to {
            Some("-") => None,
            None => None,
            Some(path) => self.absolute(path),
        };
    }

    fn absolute(&self, path: &str) -> Option<String> {
        let start = match path.starts_with('/') {
            true => "",
            false if path.starts_with(['~', '$', '*']) => return None,
            false => self.directory.as_deref()?,
        };
        let mut parts: Vec<&str> = Vec::new();
        for part in start.split('/').chain(path.split('/')) {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop();
                }
                _ => parts.push(part),
            }
        }
        Some(format!("/{}", parts.join("/")))
    }

    fn weigh(&self, program: &str, arguments: &[String]) -> Option<Weight> {
        let has = |word: &str| arguments.iter().any(|a| a == word);
        if STOP.contains(&program) {
            return Some(Weight::Key);
        }
        if program == "systemctl" {
            let stops = ["reboot", "poweroff", "halt", "kexec", "rescue", "emergency"];
            return stops.iter().any(|word| has(word)).then_some(Weight::Key);
        }
        if PACKAGES.contains(&program) {
            let asks = ONLY_ASK.iter().any(|word| has(word));
            let big = [
                "dist-upgrade",
                "full-upgrade",
                "distro-sync",
                "system-upgrade",
                "-Syu",
            ];
            return match program {
                "do-release-upgrade" => Some(Weight::Key),
                _ if big.iter().any(|word| has(word)) => Some(Weight::Key),
                _ if asks || arguments.is_empty() => None,
                _ => Some(Weight::Usual),
            };
        }
        if BOOT.contains(&program) {
            return Some(Weight::Usual);
        }
        if program.starts_with("mkfs") || program == "dd" {
            return Some(Weight::Key);
        }
        if DISKS.contains(&program) {
            let drastic = ["--create", "-C", "--zero-superblock", "-a", "luksFormat"];
            return match drastic.iter().any(|word| has(word)) {
                true => Some(Weight::Key),
                false => Some(Weight::Usual),
            };
        }
        if FILES.contains(&program) {
            return self.files(arguments);
        }
        None
    }

    /// How much it matters that files at these paths are changed.
    fn files(&self, arguments: &[String]) -> Option<Weight> {
        let recursive = arguments.iter().any(|word| {
            word == "--recursive"
                || (word.starts_with('-') && !word.starts_with("--") && word.contains(['R', 'r']))
        });
        let paths = arguments.iter().filter(|word| !word.starts_with('-'));
        paths
            .filter_map(|word| depth(&self.absolute(word)?))
            .map(|depth| match depth {
                // The skeleton of the system: /, /lib64, /usr/sbin.
                0..=2 if recursive => Weight::Key,
                1..=2 => Weight::Key,
                3 if recursive => Weight::Usual,
                _ => Weight::Detail,
            })
            .max()
    }
}

/// How deep a path of the system lies: 2 for `/usr/sbin`; for what only holds
/// other things (`/etc/x`, `/var/x`, `/dev/x`) one more. None for other paths.
fn depth(path: &str) -> Option<usize> {
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    let Some(first) = parts.next() else {
        return Some(0);
    };
    let first = first.trim_end_matches('*');
    if !SYSTEM.contains(&first) && !first.is_empty() {
        return None;
    }
    let deeper = parts.filter(|part| *part != "*").count();
    let holds = matches!(first, "etc" | "var" | "dev" | "boot") && deeper > 0;
    Some(1 + deeper + usize::from(holds))
}

/// The commands of a line: cut at `;`, `|`, `&` and line ends outside quotes.
fn parts(line: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut quote = None;
    let mut start = 0;
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        if escaped {
            escaped = false;
            continue;
        }
        match (quote, c) {
            (Some('\''), '\\') => {}
            (_, '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, ';' | '|' | '&' | '\n') => {
                parts.push(line[start..at].trim());
                start = at + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(line[start..].trim());
    parts.retain(|part| !part.is_empty());
    parts
}

/// The words of a command, without redirections.
fn words(part: &str) -> Vec<String> {
    let words = shell_words::split(part)
        .unwrap_or_else(|_| part.split_whitespace().map(str::to_owned).collect());
    let mut kept = Vec::new();
    let mut skip = false;
    for word in words {
        let bare = word.trim_start_matches(|c: char| c.is_ascii_digit());
        let redirects = bare.starts_with(['>', '<']);
        if redirects {
            skip = bare.trim_start_matches(['>', '<']).is_empty();
            continue;
        }
        if !std::mem::take(&mut skip) {
            kept.push(word);
        }
    }
    kept
}

/// Takes `sudo -u root`, `nohup`, `LANG=C` and the like from the front.
fn without_prefixes(words: &[String]) -> &[String] {
    let mut words = words;
    while let [first, rest @ ..] = words {
        let assignment = first
            .split_once('=')
            .is_some_and(|(name, _)| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
        let wraps = [
            "sudo", "doas", "nohup", "time", "exec", "command", "env", "nice", "ionice", "busybox",
            "(", "{", "then", "do", "else",
        ];
        if !assignment && !wraps.contains(&first.as_str()) {
            break;
        }
        words = rest;
        // Options of sudo and nice; those with a value take it along.
        while let [option, rest @ ..] = words {
            if !option.starts_with('-') || assignment {
                break;
            }
            let takes = ["-u", "-g", "-n", "-c"].contains(&option.as_str()) && first != "nohup";
            let takes = takes && !(first == "sudo" && option == "-n");
            words = if takes {
                rest.get(1..).unwrap_or(&[])
            } else {
                rest
            };
        }
    }
    words
}

/// Hides what looks like a password: `https://user:secret@host`, `--password x`.
pub(in crate::facts) fn without_secrets(part: &str) -> String {
    let mut hide_next = false;
    let words = part.split(' ').map(|word| {
        if std::mem::take(&mut hide_next) {
            return "***".to_owned();
        }
        let lower = word.to_lowercase();
        let secret = ["passw", "secret", "token", "passphrase", "apikey"];
        if secret.iter().any(|s| lower.contains(s)) && !word.contains('/') {
            return match word.split_once('=') {
                Some((name, _)) => format!("{name}=***"),
                None => {
                    hide_next = word.starts_with('-');
                    word.to_owned()
                }
            };
        }
        if let Some((scheme, rest)) = word.split_once("://")
            && let Some((_, host)) = rest.rsplit_once('@')
        {
            return format!("{scheme}://***@{host}");
        }
        word.to_owned()
    });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn weight(line: &str) -> Option<Weight> {
        let found = Shell::in_directory("/root").line(line);
        found.into_iter().map(|(weight, _)| weight).max()
    }

    #[test]
    fn what_breaks_a_system_matters_most() {
        for line in [
            "mv /usr/sbin /usr/sbin.backup",
            "cd /usr && mv sbin sbin.backup",
            "sudo -u root ln -s /usr/bin /usr/sbin",
            "cd /; chmod -R 777 .",
            "chown -R www-data:www-data / 2>/dev/null",
            "rm -rf /lib64",
            "rm -rf /*",
            "reboot",
            "dd if=x of=/dev/sda bs=1M",
            "mkfs.ext4 /dev/sda1",
            "mdadm --create /dev/md0 -l1 -n2 /dev/sda /dev/sdb",
            "LANG=C apt-get -y dist-upgrade | tee log",
            "do-release-upgrade",
        ] {
            assert_eq!(weight(line), Some(Weight::Key), "{line}");
        }
        assert_eq!(weight("apt install htop"), Some(Weight::Usual));
        assert_eq!(weight("update-grub"), Some(Weight::Usual));
        assert_eq!(
            weight("rm /etc/nginx/sites-enabled/a"),
            Some(Weight::Detail)
        );
    }

    #[test]
    fn private_lines_are_never_told() {
        for line in [
            "ls /usr/sbin",
            "mysql -p secret",
            "rm notes.txt",
            "cd ~; rm -rf *",
            "mv a b",
            "echo hunter2 > /etc/x",
            "apt list --installed",
            "dpkg -l",
            "vi /etc/fstab",
            "",
        ] {
            assert_eq!(weight(line), None, "{line}");
        }
    }

    #[test]
    fn only_the_command_itself_is_told_and_no_password() {
        let mut shell = Shell::in_directory("/root");
        let line = "echo hunter2 | cryptsetup luksFormat /dev/sda2 --password=x; ls";
        let found = shell.line(line);
        assert_eq!(found[0].1, "cryptsetup luksFormat /dev/sda2 --password=***");
        let line = "apt -o Acquire::http::Proxy=http://me:pw@proxy:3128 upgrade -t x --token t";
        let told = &shell.line(line)[0].1;
        assert!(
            !told.contains("pw@") && told.contains("***@proxy:3128"),
            "{told}"
        );
        assert!(told.ends_with("--token ***"), "{told}");
    }

    proptest! {
        #[test]
        fn no_line_is_a_panic(line in "(sudo |mv |/usr|cd |-u |['\";&|\\\\> ]|\\PC){0,40}") {
            Shell::in_directory("/").line(&line);
        }
    }
}
