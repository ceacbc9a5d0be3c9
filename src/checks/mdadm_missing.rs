//! The root lies on an array, and nothing in the initramfs assembles it.

use super::Check;
use super::early_images::{early_arrays, images, is_understood, is_whole, rebuilt, stops};
use crate::facts::initramfs::{Builder, Image};
use crate::facts::{Facts, Tree};
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "initramfs/mdadm-missing",
    stage: Stage::Initramfs,
    page: include_str!("../../docs/findings/initramfs/mdadm-missing.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = &facts.tree else { return };
    let lacking = |image: &&Image| image.mdadm.is_none() && is_whole(image);
    for image in images(tree).iter().filter(lacking) {
        judge(facts, tree, image, out);
    }
}

fn judge(facts: &Facts, tree: &Tree, image: &Image, out: &mut Findings) {
    let arrays = early_arrays(facts);
    let release = &image.release;
    let evidence = [Evidence::seen(&image.path, "no mdadm in it").expected("/sbin/mdadm")];
    if let Some(array) = arrays.first() {
        // The kernel itself finds old arrays on partitions of type fd.
        let old = array
            .freshest()
            .is_some_and(|own| own.version.starts_with("0."));
        if old || !is_understood(image) {
            let what = format!("what assembles {} in {}", array.name, image.path);
            return out.could_not_tell(Stage::Initramfs, what, "there is no mdadm in it");
        }
        let title = format!(
            "the root lies on the array {}, and the initramfs of {release} has no mdadm",
            array.name
        );
        let finding = CHECK
            .finding(stops(tree, image), release, title)
            .with(evidence)
            .with([Evidence::seen(&array.name, "the array with the root")])
            .because("it was made while mdadm was not installed, or its hook failed");
        return out.push(rebuilt(finding, image));
    }
    // Without the disks, the patient's own words are all there is. Only
    // initramfs-tools takes mdadm along wherever it is installed.
    let named = tree
        .mdadm_conf
        .arrays
        .iter()
        .any(|line| line.uuid.is_some());
    if facts.has_disks() || !named || image.builder != Builder::InitramfsTools {
        return;
    }
    let conf = tree
        .mdadm_conf
        .file
        .as_ref()
        .map_or("", |file| file.path.as_str());
    let title = format!("arrays are in use here, and the initramfs of {release} has no mdadm");
    let finding = CHECK
        .finding(Severity::Degraded, release, title)
        .with(evidence)
        .with([Evidence::seen(conf, "names arrays")])
        .because("if the root lies on one of them, the boot stops");
    out.push(rebuilt(finding, image));
}
