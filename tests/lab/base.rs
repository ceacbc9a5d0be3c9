//! Base roots: small Debian servers as directory trees, never written to.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::suite::Suite;
use super::{cache, mirror, run};

/// The UUID of the root filesystem of every lab machine.
pub const ROOT_UUID: &str = "1f0b0a7e-0000-4000-8000-00000000f5f5";

/// The UUID of the array of every lab machine, as mdadm writes it.
pub const ARRAY_UUID: &str = "1f0b0a7e:00004000:80000000:0000a0a0";

/// What a small server has; apt brings what these need.
pub const PACKAGES: &str = "\
    systemd systemd-sysv udev dbus kmod mdadm e2fsprogs grub-pc \
    linux-image-cloud-amd64 initramfs-tools zstd openssh-server ifupdown \
    iproute2 netbase cron rsyslog logrotate ca-certificates less nano procps";

pub const CONFIGURE: &str = include_str!("base-root.sh");

/// The tree of a `suite` server, made by mmdebstrap when it is not cached.
pub fn root(suite: Suite) -> Result<PathBuf> {
    let packages = packages(suite);
    let inputs = [suite.name(), &packages, CONFIGURE, ROOT_UUID, ARRAY_UUID];
    let entry = cache::entry(&format!("root-{suite}"), &inputs, |dir| build(suite, dir))?;
    Ok(entry.join("root"))
}

/// What a server starts with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// initramfs-tools and systemd, as Debian installs it.
    #[default]
    Usual,
    /// Without systemd: sysvinit, and OpenRC, which starts its services. As a
    /// tree only.
    OpenRc,
    /// Its initramfs is made by dracut.
    Dracut,
    /// Its root is an xfs.
    Xfs,
}

impl Kind {
    /// Packages that it does not have, and those it has for them.
    fn exchange(self) -> (&'static [&'static str], &'static [&'static str]) {
        match self {
            Self::Usual => (&[], &[]),
            Self::OpenRc => (&["systemd", "systemd-sysv"], &["sysvinit-core", "openrc"]),
            Self::Dracut => (&["initramfs-tools"], &["dracut"]),
            Self::Xfs => (&[], &["xfsprogs"]),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Usual => "usual",
            Self::OpenRc => "openrc",
            Self::Dracut => "dracut",
            Self::Xfs => "xfs",
        }
    }

    /// The program that makes the root filesystem, with what makes it the lab's.
    pub fn mkfs(self) -> String {
        match self {
            Self::Xfs => format!("mkfs.xfs -q -f -m uuid={ROOT_UUID}"),
            _ => format!("mkfs.ext4 -q -F -U {ROOT_UUID}"),
        }
    }
}

/// The tree of a `suite` server of this kind.
pub fn root_of(suite: Suite, kind: Kind) -> Result<PathBuf> {
    if kind == Kind::Usual {
        return root(suite);
    }
    let (without, with) = kind.exchange();
    let usual = packages(suite);
    let others = usual.split(',').filter(|name| !without.contains(name));
    let packages: Vec<&str> = others.chain(with.iter().copied()).collect();
    let packages = packages.join(",");
    let name = format!("{}-{suite}", kind.word());
    let configure = match kind {
        Kind::Dracut => CONFIGURE.replace(UPDATE, DRACUT),
        Kind::Xfs => CONFIGURE.replace("/ ext4 errors=remount-ro 0 1", "/ xfs defaults 0 0"),
        Kind::Usual | Kind::OpenRc => CONFIGURE.to_owned(),
    };
    let inputs = [suite.name(), &packages, &configure, ROOT_UUID, ARRAY_UUID];
    let entry = cache::entry(&name, &inputs, |dir| {
        install_with(suite.name(), &packages, dir, &[], &configure)
    })?;
    Ok(entry.join("root"))
}

/// An initramfs for every machine, as a server that may get another board has
/// it; such a one assembles the array that the command line names.
const DRACUT: &str = r#"sed -i "/^GRUB_CMDLINE_LINUX=/s/\"$/ rd.md.uuid=$ARRAY_UUID\"/" "$root/etc/default/grub"
release=$(ls "$root/lib/modules")
chroot "$root" dracut --force --no-hostonly "/boot/initrd.img-$release" "$release"
"#;

/// What [`DRACUT`] stands for.
const UPDATE: &str = "chroot \"$root\" update-initramfs -u\n";

/// The packages of a server, with commas between.
fn packages(suite: Suite) -> String {
    let mut packages: Vec<&str> = PACKAGES.split_whitespace().collect();
    // Since Debian 13 no essential package brings /bin/login.
    if !matches!(suite, Suite::Bullseye | Suite::Bookworm) {
        packages.push("login");
    }
    packages.join(",")
}

fn build(suite: Suite, dir: &Path) -> Result<()> {
    install(suite.name(), &packages(suite), dir, &[])
}

/// Makes the tree of a server with `packages` as `dir`/root; `more` are
/// further arguments of mmdebstrap.
pub fn install(suite: &str, packages: &str, dir: &Path, more: &[String]) -> Result<()> {
    install_with(suite, packages, dir, more, CONFIGURE)
}

fn install_with(
    suite: &str,
    packages: &str,
    dir: &Path,
    more: &[String],
    configure: &str,
) -> Result<()> {
    let hook = dir.join("configure");
    std::fs::write(&hook, configure).with_context(|| format!("writing {}", hook.display()))?;
    run::logged(
        &format!("installing a {suite} server"),
        &dir.join("mmdebstrap.log"),
        Command::new("mmdebstrap")
            .arg("--mode=root")
            .arg("--variant=apt")
            .arg("--aptopt=APT::Install-Recommends \"false\"")
            .arg(format!("--include={packages}"))
            .args(more)
            .arg(format!("--customize-hook=sh {} \"$1\"", hook.display()))
            .arg(suite)
            .arg(dir.join("root"))
            .arg(mirror::debian()?)
            .env("ROOT_UUID", ROOT_UUID)
            .env("ARRAY_UUID", ARRAY_UUID)
            .env("LC_ALL", "C"),
    )
}

/// The kernel and the initramfs of a tree.
#[derive(Debug)]
pub struct Kernel {
    /// Its release, as `uname -r` tells it.
    pub release: String,
    /// `/boot/vmlinuz-RELEASE`
    pub image: PathBuf,
    /// `/boot/initrd.img-RELEASE`
    pub initramfs: PathBuf,
}

/// Finds the one kernel of a base root.
pub fn kernel(root: &Path) -> Result<Kernel> {
    let boot = root.join("boot");
    let mut releases = Vec::new();
    for entry in std::fs::read_dir(&boot).with_context(|| format!("reading {}", boot.display()))? {
        let name = entry?.file_name();
        if let Some(release) = name.to_string_lossy().strip_prefix("vmlinuz-") {
            releases.push(release.to_owned());
        }
    }
    let [release] = releases.as_slice() else {
        bail!(
            "{}: one kernel expected, found {releases:?}",
            boot.display()
        );
    };
    Ok(Kernel {
        release: release.clone(),
        image: boot.join(format!("vmlinuz-{release}")),
        initramfs: boot.join(format!("initrd.img-{release}")),
    })
}
