//! An initramfs with modules, and none of them for its kernel.

use super::Check;
use super::early_images::{images, is_whole, rebuilt, stops};
use crate::facts::Facts;
use crate::facts::initramfs::Image;
use crate::facts::initramfs::drivers::DriverState;
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "initramfs/wrong-kernel",
    stage: Stage::Initramfs,
    page: include_str!("../../docs/findings/initramfs/wrong-kernel.md"),
    run,
};

/// True when the image was made for another kernel.
pub(super) fn is_for_another(image: &Image) -> bool {
    is_whole(image) && !image.releases.is_empty() && !image.releases.contains(&image.release)
}

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = &facts.tree else { return };
    // Where the release of the kernel is not known, nothing is compared.
    let known = |release: &str| {
        let mut kernels = tree.kernels.kernels.iter();
        kernels.any(|kernel| kernel.runs_as() == release)
    };
    let images = images(tree).iter();
    for image in images.filter(|image| is_for_another(image) && known(&image.release)) {
        let release = &image.release;
        let builtin = image
            .drivers
            .iter()
            .all(|d| d.state == DriverState::BuiltIn);
        let severity = match builtin && !image.drivers.is_empty() {
            true => Severity::Degraded,
            false => stops(tree, image),
        };
        let seen = format!("modules for {}", image.releases.join(", "));
        let title = format!("the initramfs of the kernel {release} was made for another kernel");
        let finding = CHECK
            .finding(severity, release, title)
            .with([Evidence::seen(&image.path, seen)
                .expected(format!("modules for {release}, or none"))])
            .because("a kernel refuses the modules of another one");
        out.push(rebuilt(finding, image));
    }
}
