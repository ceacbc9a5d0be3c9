//! The initramfs does not unlock the container with the root, or calls its
//! inside otherwise than the command line does.

use super::Check;
use super::early_containers::{Container, Fate, early_containers, fate};
use super::early_images::{command_line, early_parts, images, is_whole, made_anew, stops};
use crate::facts::initramfs::Image;
use crate::facts::{Facts, Tree};
use crate::finding::{Evidence, Findings, Stage};

pub(super) const CHECK: Check = Check {
    id: "initramfs/container-unknown",
    stage: Stage::Initramfs,
    page: include_str!("../../docs/findings/initramfs/container-unknown.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = &facts.tree else { return };
    let containers = early_containers(facts);
    for image in images(tree).iter().filter(|image| is_whole(image)) {
        for own in &containers {
            let Some(layers) = &image.layers else {
                continue;
            };
            match fate(image, layers, command_line(tree), own) {
                Fate::NotNamed(why) => not_named(tree, image, own, why, out),
                Fate::Unlocked(Some(name)) => misnamed((facts, tree), image, own, &name, out),
                Fate::Unlocked(None) | Fate::NoMeans(_) | Fate::Unknown(_) => {}
            }
        }
    }
}

/// What the container is called in crypttab.
fn wanted(own: &Container) -> String {
    match &own.uuid {
        Some(uuid) => format!("UUID={uuid}"),
        None => own.name.clone(),
    }
}

fn not_named(tree: &Tree, image: &Image, own: &Container, why: String, out: &mut Findings) {
    let release = &image.release;
    let title = format!(
        "the initramfs of the kernel {release} does not unlock {}, which has the root",
        own.name
    );
    let finding = CHECK
        .finding(stops(tree, image), format!("{release} {}", own.name), title)
        .with([Evidence::seen(&image.path, why).expected(wanted(own))])
        .because("crypttab was wrong when it was made, or it was made in a chroot")
        .by_hand(format!(
            "correct /etc/crypttab ({}); then, {}",
            wanted(own),
            made_anew(image)
        ));
    out.push(finding);
}

/// `root=/dev/mapper/x`, and the container's inside will not be called so.
fn misnamed(
    (facts, tree): (&Facts, &Tree),
    image: &Image,
    own: &Container,
    name: &str,
    out: &mut Findings,
) {
    let is_root = |part: &&crate::sysroot::MountedPart| {
        part.target == std::path::Path::new("/") && part.device == own.inside
    };
    let mut words = command_line(tree)
        .unwrap_or_default()
        .split_whitespace()
        .rev();
    let root = words.find_map(|word| word.strip_prefix("root="));
    let Some(mapped) = root.and_then(|root| root.strip_prefix("/dev/mapper/")) else {
        return;
    };
    if mapped == name || !early_parts(facts).iter().any(is_root) {
        return;
    }
    let release = &image.release;
    let title = format!(
        "the kernel is told root=/dev/mapper/{mapped}, and the initramfs of {release} will \
         not call it so"
    );
    let finding = CHECK
        .finding(stops(tree, image), format!("{release} {}", own.name), title)
        .with([Evidence::seen(&image.path, format!("calls it {name}")).expected(mapped)])
        .because("crypttab was changed, and the image or GRUB's menu not made anew")
        .by_hand(format!(
            "give it that name in /etc/crypttab; then, {}",
            made_anew(image)
        ));
    out.push(finding);
}
