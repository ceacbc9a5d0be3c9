//! An initramfs without a driver that this machine needs to reach its root.

use super::Check;
use super::early_images::{images, is_whole, rebuilt, stops};
use super::initramfs_wrong_kernel::is_for_another;
use crate::facts::initramfs::Image;
use crate::facts::initramfs::drivers::{Driver, DriverState};
use crate::facts::{Facts, Tree};
use crate::finding::{Evidence, Findings, Stage};

pub(super) const CHECK: Check = Check {
    id: "initramfs/driver-missing",
    stage: Stage::Initramfs,
    page: include_str!("../../docs/findings/initramfs/driver-missing.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = &facts.tree else { return };
    for image in images(tree) {
        if is_whole(image) && !is_for_another(image) {
            judge(tree, image, out);
        }
    }
}

fn judge(tree: &Tree, image: &Image, out: &mut Findings) {
    let mut evidence = Vec::new();
    let mut first: Option<&Driver> = None;
    for driver in &image.drivers {
        match &driver.state {
            DriverState::Missing { lacks } => {
                let seen = format!("{} is not in it, nor built in", lacks.join(", "));
                evidence.push(Evidence::seen(&image.path, seen).expected(&*driver.what));
                first.get_or_insert(driver);
            }
            DriverState::Unknown { why } => out.could_not_tell(
                Stage::Initramfs,
                format!("the driver for {} in {}", driver.what, image.path),
                why.as_str(),
            ),
            DriverState::BuiltIn | DriverState::Inside => {}
        }
    }
    let Some(first) = first else { return };
    let title = format!(
        "the initramfs of the kernel {} lacks the driver {} for {}",
        image.release, first.names[0], first.what
    );
    for seen in &mut evidence {
        seen.expected = seen
            .expected
            .take()
            .map(|what| format!("a driver for {what}"));
    }
    let finding = CHECK
        .finding(stops(tree, image), &image.release, title)
        .with(evidence)
        .because("it was made on another machine, in a chroot, or for fewer drivers");
    out.push(rebuilt(finding, image));
}
