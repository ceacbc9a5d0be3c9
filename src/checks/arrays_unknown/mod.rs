//! The initramfs does not assemble the array with the root, or calls it
//! otherwise than the command line does.

use super::Check;
use super::early_images::{
    command_line, early_arrays, images, is_whole, made_anew, rebuilt, stops,
};
use crate::assembly::Array;
use crate::facts::initramfs::{Builder, Image};
use crate::facts::mdadm_conf::{MdadmConf, short_name};
use crate::facts::{Facts, Tree};
use crate::finding::{Evidence, Findings, Severity, Stage};

mod fate;

use fate::{Fate, Own};

pub(super) const CHECK: Check = Check {
    id: "initramfs/arrays-unknown",
    stage: Stage::Initramfs,
    page: include_str!("../../../docs/findings/initramfs/arrays-unknown.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = &facts.tree else { return };
    let known = |image: &&Image| image.mdadm.is_some() && is_whole(image);
    for image in images(tree).iter().filter(known) {
        let arrays = early_arrays(facts);
        for array in &arrays {
            judge(tree, image, array, out);
        }
        if !facts.has_disks() {
            compare(tree, image, out);
        }
    }
}

fn own(array: &Array) -> Own<'_> {
    let freshest = array.freshest();
    Own {
        uuid: &array.uuid,
        name: freshest.map_or("", |own| own.name.as_str()),
        version: freshest.map_or("", |own| own.version.as_str()),
    }
}

/// What this image will call an array; none where it is not assembled, or not
/// known. For the check of the names in fstab.
pub(super) fn named(tree: &Tree, array: &Array) -> Option<Option<String>> {
    let known = |image: &&Image| image.mdadm.is_some() && is_whole(image);
    let image = images(tree).first().filter(known)?;
    match fate::of(image, command_line(tree), own(array)) {
        Fate::Assembled(name) => Some(name),
        Fate::LeftAlone(_) | Fate::Unknown(_) => None,
    }
}

fn judge(tree: &Tree, image: &Image, array: &Array, out: &mut Findings) {
    let release = &image.release;
    match fate::of(image, command_line(tree), own(array)) {
        Fate::Unknown(why) => {
            let what = format!("whether {} assembles {}", image.path, array.name);
            out.could_not_tell(Stage::Initramfs, what, why);
        }
        Fate::LeftAlone(why) => {
            let title = format!(
                "the initramfs of the kernel {release} does not assemble {}, which has the root",
                array.name
            );
            let finding = CHECK
                .finding(stops(tree, image), release, title)
                .with([
                    Evidence::seen(&image.path, why).expected(format!("the array {}", array.uuid))
                ])
                .with(lines(image))
                .because("it was made before the array, in a chroot, or while it was degraded")
                .by_hand(remedy(image, array));
            out.push(finding);
        }
        Fate::Assembled(name) => misnamed(tree, image, array, name, out),
    }
}

/// `root=/dev/md0`, and the array will not be called so.
fn misnamed(tree: &Tree, image: &Image, array: &Array, name: Option<String>, out: &mut Findings) {
    let words = command_line(tree).unwrap_or_default().split_whitespace();
    let root = words
        .filter_map(|word| word.strip_prefix("root="))
        .next_back();
    let Some(root) = root.filter(|root| root.starts_with("/dev/md")) else {
        return stale(image, array, out);
    };
    let wanted = short_name(root);
    if name.as_deref() == Some(wanted) {
        return;
    }
    // Names that mdadm gives when it has none: from 127 downwards.
    let counted = wanted
        .parse::<u32>()
        .is_ok_and(|number| (100..=127).contains(&number));
    if name.is_none() && counted {
        let what = format!("whether {} will be called {root}", array.name);
        let why = "without a line in mdadm.conf the number is what is free";
        return out.could_not_tell(Stage::Initramfs, what, why);
    }
    let called = match &name {
        Some(name) => format!("it will be called {name}"),
        None => "without a line for it, mdadm takes a number that is free (md127)".into(),
    };
    let title = format!(
        "the kernel is told root={root}, and the initramfs of {} will not call {} so",
        image.release, array.name
    );
    let finding = CHECK
        .finding(stops(tree, image), &image.release, title)
        .with([Evidence::seen(&image.path, called).expected(root)])
        .with(lines(image))
        .because("its copy of mdadm.conf is older than the array")
        .by_hand(format!("use root=UUID=, or {}", remedy(image, array)));
    out.push(finding);
}

/// Lines for arrays that are gone, with no effect but on the name.
fn stale(image: &Image, array: &Array, out: &mut Findings) {
    let conf = &image.mdadm_conf;
    let with_uuid = conf.arrays.iter().any(|line| line.uuid.is_some());
    if !with_uuid || conf.entry_of(&array.uuid, own(array).name).is_some() {
        return;
    }
    let title = format!(
        "the initramfs of {} knows other arrays than these",
        image.release
    );
    let finding = CHECK
        .finding(Severity::Note, &image.release, title)
        .with(lines(image))
        .with([Evidence::seen(&array.name, format!("UUID={}", array.uuid))
            .expected("an ARRAY line for it")])
        .because("it assembles the array with the root all the same, under another name");
    out.push(rebuilt(finding, image));
}

/// Without the disks: the copy in the image against the patient's own file.
fn compare(tree: &Tree, image: &Image, out: &mut Findings) {
    let uuids = |conf: &MdadmConf| -> Vec<String> {
        let lines = conf.arrays.iter();
        lines.filter_map(|line| line.uuid.clone()).collect()
    };
    let (own, copy) = (uuids(&tree.mdadm_conf), uuids(&image.mdadm_conf));
    let none = !own.is_empty() && !copy.is_empty() && own.iter().all(|uuid| !copy.contains(uuid));
    if !none {
        return;
    }
    let conf = tree
        .mdadm_conf
        .file
        .as_ref()
        .map_or("", |file| file.path.as_str());
    let title = format!(
        "the initramfs of {} knows other arrays than {conf}",
        image.release
    );
    let finding = CHECK
        .finding(Severity::Degraded, &image.release, title)
        .with(lines(image))
        .with([Evidence::seen(conf, format!("UUID={}", own.join(", "))).expected("the same")])
        .because("mdadm.conf was changed and the initramfs not made anew, or the other way round");
    out.push(rebuilt(finding, image));
}

/// The ARRAY lines of its mdadm.conf.
fn lines(image: &Image) -> Vec<Evidence> {
    let conf = &image.mdadm_conf;
    let place = conf.file.as_ref().map_or("", |file| file.path.as_str());
    let lines = conf.arrays.iter().take(8);
    lines
        .map(|line| {
            let device = line.device.as_deref().unwrap_or("an array");
            let uuid = line.uuid.as_deref().unwrap_or("none");
            let seen = format!("{place} in it, line {}: {device} UUID={uuid}", line.line);
            Evidence::seen(&image.path, seen)
        })
        .collect()
}

fn remedy(image: &Image, array: &Array) -> String {
    match image.builder {
        Builder::Dracut => format!(
            "add rd.md.uuid={} to GRUB_CMDLINE_LINUX in /etc/default/grub; then, \
             in a chroot: grub2-mkconfig, {}",
            array.uuid,
            image.builder.command(&image.release)
        ),
        _ => format!(
            "write an ARRAY line with UUID={} into /etc/mdadm/mdadm.conf; then, {}",
            array.uuid,
            made_anew(image)
        ),
    }
}
