//! What is taken along, what is only noted, and what is left alone: every list
//! of a salvage, in one place. To take one thing more, add a line.

use std::path::Path;

use glob::Pattern;

/// Directories that are never entered: the kernel's, and what is made anew.
const NEVER: [&str; 21] = [
    "/proc",
    "/sys",
    "/dev",
    "/run",
    "/tmp",
    "/boot",
    "/.lifeboot",
    "/lost+found",
    // Links to kernels.
    "/vmlinuz",
    "/vmlinuz.old",
    "/initrd.img",
    "/initrd.img.old",
    "/var/run",
    "/var/lock",
    "/var/tmp",
    "/var/cache",
    // Layers of images, which are pulled again; volumes lie beside them.
    "/var/lib/docker/overlay2",
    "/var/lib/docker/image",
    "/var/lib/containerd",
    "/var/lib/containers/storage/overlay",
    "/var/lib/lxcfs",
];

/// What packages fill: of these only what stands out is noted.
const SYSTEM: [&str; 8] = [
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/libo32",
];

/// Taken whole, but for what is as its package shipped it.
const CONFIGURATION: [&str; 4] = [
    "/etc",
    "/var/spool/cron",
    "/var/spool/at",
    "/var/spool/anacron",
];

/// Taken as far as no package owns it, until their sum is too large.
const ADDED: [&str; 2] = ["/usr/local", "/opt"];

/// Directories of packages in which administrators put files of their own:
/// those that no package owns are taken.
const OWN_FILES: [&str; 22] = [
    "/usr/bin",
    "/usr/sbin",
    "/usr/lib/systemd/system",
    "/usr/lib/systemd/user",
    "/usr/lib/systemd/network",
    "/usr/lib/systemd/system-generators",
    "/usr/lib/udev/rules.d",
    "/usr/lib/sysctl.d",
    "/usr/lib/tmpfiles.d",
    "/usr/lib/sysusers.d",
    "/usr/lib/modprobe.d",
    "/usr/lib/modules-load.d",
    "/usr/lib/firmware",
    "/usr/lib/cgi-bin",
    "/usr/lib/nagios/plugins",
    "/usr/lib/check_mk_agent",
    "/usr/share/keyrings",
    "/usr/share/ca-certificates",
    "/usr/share/initramfs-tools",
    "/lib/systemd/system",
    "/lib/udev/rules.d",
    "/lib/firmware",
];

/// Definitions of containers, wherever they lie.
const DEFINITIONS: [&str; 6] = [
    "compose.yaml",
    "compose.yml",
    "docker-compose.yaml",
    "docker-compose.yml",
    "Dockerfile",
    "Containerfile",
];

/// What lets somebody in, or be somebody else: only with `--with-secrets`. A
/// file with a private key in it is one wherever it lies.
const SECRETS: [&str; 31] = [
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/gshadow",
    "/etc/gshadow-",
    "/etc/security/opasswd",
    "/etc/ssh/ssh_host_*_key",
    "/etc/ssl/private/*",
    "/etc/pki/tls/private/*",
    "/etc/letsencrypt/archive/*/privkey*",
    "/etc/letsencrypt/accounts/**/private_key.json",
    "/etc/wireguard/*",
    "/etc/openvpn/**/*.key",
    "/etc/ipsec.secrets",
    "/etc/swanctl/private/*",
    "/etc/ppp/*-secrets",
    "/etc/krb5.keytab",
    "/etc/NetworkManager/system-connections/*",
    "/etc/mysql/debian.cnf",
    "/etc/postfix/sasl_passwd*",
    "/etc/exim4/passwd.client",
    "/etc/bind/*.key",
    "/etc/credstore/*",
    "/etc/credstore.encrypted/*",
    "/**/.ssh/id_*",
    "/**/.gnupg/**",
    "/**/.netrc",
    "/**/.pgpass",
    "/**/.my.cnf",
    "/**/.git-credentials",
    "/**/.aws/credentials",
    "/**/.docker/config.json",
];

/// Made from other files, or on another machine of no use: never taken, and
/// their content is never compared.
const GENERATED: [&str; 13] = [
    "/etc/ld.so.cache",
    "/etc/mtab",
    "/etc/.updated",
    "/etc/.pwd.lock",
    "/etc/udev/hwdb.bin",
    "/etc/ssl/certs/java/**",
    "/etc/lvm/archive/*",
    "/etc/lvm/backup/*",
    "/etc/lvm/cache/**",
    "/etc/**/*.dpkg-new",
    "/etc/**/*.dpkg-tmp",
    "/etc/apparmor.d/cache/**",
    "/etc/selinux/*/policy/*",
];

/// Names of the disks: taken for reading only, because on new disks these would
/// keep the machine from booting.
const OF_THE_DISKS: [&str; 9] = [
    "/etc/fstab",
    "/etc/crypttab",
    "/etc/mdadm.conf",
    "/etc/mdadm/mdadm.conf",
    "/etc/initramfs-tools/conf.d/resume",
    "/etc/kernel/cmdline",
    "/etc/zfs/zpool.cache",
    "/var/lib/dpkg/status",
    "/var/lib/dpkg/statoverride",
];

/// What a running system writes by itself: mode and owner are compared, and
/// nothing else.
const RESTLESS: [&str; 32] = [
    "/etc/adjtime",
    "/etc/resolv.conf",
    "/etc/passwd-",
    "/etc/group-",
    "/etc/subuid-",
    "/etc/subgid-",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/certs/????????.[0-9]",
    "/etc/machine-id",
    "/var/log/**",
    "/var/lib/apt/**",
    "/var/lib/aptitude/**",
    "/var/lib/dpkg/**",
    "/var/lib/ucf/**",
    "/var/lib/rpm/**",
    "/var/lib/dnf/**",
    "/var/lib/pacman/**",
    "/var/lib/systemd/**",
    "/var/lib/dhcp/**",
    "/var/lib/NetworkManager/**",
    "/var/lib/chrony/**",
    "/var/lib/dbus/machine-id",
    "/var/lib/logrotate/**",
    "/var/lib/initramfs-tools/**",
    "/var/lib/plocate/**",
    "/var/lib/man-db/**",
    "/var/lib/sudo/**",
    "/var/lib/pam/**",
    "/var/lib/grub/**",
    "/var/lib/shells.state",
    "/var/spool/anacron/**",
    "/var/spool/postfix/**",
];

/// Compared line by line as users and groups, and not byte by byte.
pub(super) const ACCOUNTS: [&str; 2] = ["/etc/passwd", "/etc/group"];

/// Most bytes of one file that is taken.
pub const FILE_MAX: u64 = 64 << 20;

/// Most bytes of a definition of containers.
pub(super) const DEFINITION_MAX: u64 = 1 << 20;

/// What is to be done about a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    /// Not entered.
    Never,
    /// Taken, but for what is as it was shipped.
    Configuration,
    /// Taken as far as no package owns it, to a limit.
    Added,
    /// Of packages; taken when no package owns it.
    OwnFiles,
    /// Of packages; only what stands out is noted.
    System,
    /// A definition of containers.
    Definition,
    /// Noted, with what it takes to copy it.
    Data,
}

/// The lists, ready for use.
#[derive(Debug)]
pub struct Rules {
    secrets: Vec<Pattern>,
    generated: Vec<Pattern>,
    of_the_disks: Vec<Pattern>,
    restless: Vec<Pattern>,
}

impl Default for Rules {
    fn default() -> Self {
        let all = |list: &[&str]| list.iter().filter_map(|p| Pattern::new(p).ok()).collect();
        Self {
            secrets: all(&SECRETS),
            generated: all(&GENERATED),
            of_the_disks: all(&OF_THE_DISKS),
            restless: all(&RESTLESS),
        }
    }
}

impl Rules {
    /// True for what lets somebody in.
    pub fn is_secret(&self, path: &Path) -> bool {
        is_any(&self.secrets, path)
    }

    /// True for what is made from other files.
    pub fn is_generated(&self, path: &Path) -> bool {
        is_any(&self.generated, path)
    }

    /// True for what names the disks.
    pub fn is_of_the_disks(&self, path: &Path) -> bool {
        is_any(&self.of_the_disks, path)
    }

    /// True for what a running system writes by itself.
    pub fn is_restless(&self, path: &Path) -> bool {
        is_any(&self.restless, path)
    }
}

/// Where `*` ends at a slash, as in a shell.
fn is_any(patterns: &[Pattern], path: &Path) -> bool {
    let options = glob::MatchOptions {
        require_literal_separator: true,
        ..glob::MatchOptions::new()
    };
    let text = path.to_string_lossy();
    patterns.iter().any(|p| p.matches_with(&text, options))
}

fn is_below(path: &Path, list: &[&str]) -> bool {
    list.iter().any(|top| path.starts_with(top))
}

/// True when content is compared as users and groups.
pub fn is_accounts(path: &Path) -> bool {
    ACCOUNTS.iter().any(|one| path == Path::new(one))
}

/// Where a path belongs.
pub fn area(path: &Path, is_file: bool) -> Area {
    match () {
        () if NEVER.iter().any(|top| path == Path::new(top)) => Area::Never,
        () if is_below(path, &CONFIGURATION) => Area::Configuration,
        () if is_below(path, &ADDED) => Area::Added,
        () if is_below(path, &OWN_FILES) => Area::OwnFiles,
        () if is_below(path, &SYSTEM) => Area::System,
        () if is_file && is_definition(path) => Area::Definition,
        () => Area::Data,
    }
}

fn is_definition(path: &Path) -> bool {
    let name = path.file_name();
    name.is_some_and(|name| DEFINITIONS.iter().any(|one| name == *one))
}

/// True for text with a private key in it (RFC 7468, and OpenSSH's own form).
pub fn has_private_key(bytes: &[u8]) -> bool {
    const BEGIN: &[u8] = b"-----BEGIN ";
    let found = memchr::memmem::find_iter(bytes, BEGIN);
    found.into_iter().any(|at| {
        let rest = &bytes[at + BEGIN.len()..];
        let line = &rest[..rest.len().min(60)];
        let line = line.split(|byte| *byte == b'\n').next().unwrap_or(line);
        memchr::memmem::find(line, b"PRIVATE KEY").is_some()
    })
}

/// The tree that a file of data is counted with: `/home`, `/var/lib/mysql`.
pub fn tree_of(path: &Path) -> std::path::PathBuf {
    let depth = match () {
        () if path.starts_with("/var/lib") => 3,
        () if path.starts_with("/var") => 2,
        () => 1,
    };
    let parts = path.components().take(depth + 1);
    parts.collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_pattern_can_be_read() {
        let rules = Rules::default();
        assert_eq!(rules.secrets.len(), SECRETS.len());
        assert_eq!(rules.generated.len(), GENERATED.len());
        assert_eq!(rules.of_the_disks.len(), OF_THE_DISKS.len());
        assert_eq!(rules.restless.len(), RESTLESS.len());
    }

    #[test]
    fn paths_go_where_they_belong() {
        let of = |path: &str| area(Path::new(path), true);
        assert_eq!(of("/proc"), Area::Never);
        assert_eq!(of("/etc/cron.d/x"), Area::Configuration);
        assert_eq!(of("/usr/local/bin/x"), Area::Added);
        assert_eq!(of("/usr/lib/systemd/system/x.service"), Area::OwnFiles);
        assert_eq!(of("/usr/share/doc/x"), Area::System);
        assert_eq!(of("/srv/app/compose.yml"), Area::Definition);
        assert_eq!(of("/srv/app/data"), Area::Data);
        let rules = Rules::default();
        for secret in [
            "/etc/shadow",
            "/etc/ssh/ssh_host_rsa_key",
            "/home/a/.ssh/id_rsa",
            "/root/.gnupg/a/b",
        ] {
            assert!(rules.is_secret(Path::new(secret)), "{secret}");
        }
        assert!(!rules.is_secret(Path::new("/etc/ssh/ssh_host_rsa_key.pub")));
        assert!(!rules.is_secret(Path::new("/etc/ssl/private")));
        assert!(rules.is_restless(Path::new("/var/log/a/b")));
        assert!(rules.is_generated(Path::new("/etc/a.conf.dpkg-new")));
    }

    #[test]
    fn private_keys_are_known_by_their_first_line() {
        assert!(has_private_key(b"x\n-----BEGIN OPENSSH PRIVATE KEY-----\n"));
        assert!(has_private_key(b"-----BEGIN PRIVATE KEY-----\n"));
        assert!(!has_private_key(
            b"-----BEGIN CERTIFICATE-----\nPRIVATE KEY"
        ));
        assert!(!has_private_key(b"-----BEGIN "));
    }

    #[test]
    fn data_is_counted_by_trees() {
        let tree = |path: &str| tree_of(Path::new(path)).display().to_string();
        assert_eq!(tree("/home/a/b"), "/home");
        assert_eq!(tree("/var/lib/mysql/x/y"), "/var/lib/mysql");
        assert_eq!(tree("/var/www/x"), "/var/www");
    }
}
