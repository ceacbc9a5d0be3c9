//! The root lies in an encrypted container, and nothing in the initramfs can
//! unlock one.

use super::Check;
use super::early_containers::{Fate, early_containers, fate};
use super::early_images::{command_line, images, is_whole, layers, rebuilt, stops};
use crate::facts::Facts;
use crate::finding::{Evidence, Findings, Stage};

pub(super) const CHECK: Check = Check {
    id: "initramfs/cryptsetup-missing",
    stage: Stage::Initramfs,
    page: include_str!("../../docs/findings/initramfs/cryptsetup-missing.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = &facts.tree else { return };
    let containers = early_containers(facts);
    let images = images(tree).iter().filter(|image| is_whole(image));
    for (image, own) in images.flat_map(|i| containers.iter().map(move |c| (i, c))) {
        let what = format!("what unlocks {}", own.name);
        let Some(layers) = layers(image, &what, out) else {
            continue;
        };
        match fate(image, layers, command_line(tree), own) {
            Fate::NoMeans(seen) => {
                let release = &image.release;
                let title = format!(
                    "the root is encrypted ({}), and the initramfs of {release} cannot unlock it",
                    own.name
                );
                let finding = CHECK
                    .finding(stops(tree, image), format!("{release} {}", own.name), title)
                    .with([Evidence::seen(&image.path, seen)
                        .expected("cryptsetup, and what starts it")])
                    .with([Evidence::seen(&own.name, "the container with the root")])
                    .because(
                        "cryptsetup-initramfs is not installed, or the image was made in a \
                         chroot that did not see the container",
                    );
                out.push(rebuilt(finding, image));
            }
            Fate::Unknown(why) => {
                let what = format!("whether {} unlocks {}", image.path, own.name);
                out.could_not_tell(Stage::Initramfs, what, why);
            }
            Fate::Unlocked(_) | Fate::NotNamed(_) => {}
        }
    }
}
