//! Lets the patient build an initramfs anew.

use super::{Kind, Outline, Program, Risk, cost};
use crate::facts::packages::Packages;
use crate::facts::{Facts, Tree};
use crate::finding::Finding;

pub(super) const KIND: Kind = Kind {
    name: "rebuild-initramfs",
    removes: &[
        "initramfs/initramfs-missing",
        "initramfs/initramfs-damaged",
        "initramfs/driver-missing",
        "initramfs/mdadm-missing",
        "initramfs/wrong-kernel",
        "initramfs/init-broken",
        "initramfs/lvm-missing",
        "initramfs/cryptsetup-missing",
        "initramfs/btrfs-scan-missing",
    ],
    plan,
};

fn plan(facts: &Facts, finding: &Finding) -> Option<Outline> {
    let tree = facts.tree.as_ref()?;
    let release = finding.subject.as_str();
    let mut kernels = tree.kernels.kernels.iter();
    let kernel = kernels.find(|kernel| kernel.release == release)?;
    let program = match builder(tree)? {
        // update-initramfs(8): -u for one that is there, -c for one that is not.
        "initramfs-tools" => {
            let way = if kernel.initramfs.is_some() {
                "-u"
            } else {
                "-c"
            };
            Program::new(&["update-initramfs", way, "-k", release])
        }
        // It cannot see this machine's disks from where it runs.
        _ => Program::new(&["dracut", "--force", "--no-hostonly", "--kver", release]),
    };
    Some(Outline {
        title: format!("build the initramfs of the kernel {release} anew"),
        risk: Risk::Medium,
        programs: vec![program],
        minutes: cost::IMAGE,
        ..Outline::default()
    })
}

/// What builds an initramfs on the patient, where that is clear.
fn builder(tree: &Tree) -> Option<&'static str> {
    let installed = |name: &str| match &tree.packages {
        Packages::Dpkg(dpkg) => dpkg.has(|package| package == name),
        Packages::Rpm(rpm) => rpm.packages.iter().any(|package| package.name == name),
        _ => false,
    };
    let all = ["initramfs-tools", "dracut"];
    let mut there = all.into_iter().filter(|name| installed(name));
    match (there.next(), there.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}
