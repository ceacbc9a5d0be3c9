//! The root lies on a logical volume, and nothing in the initramfs activates it.

use super::Check;
use super::early_images::{
    command_line, early_volumes, images, is_understood, is_whole, layers, rebuilt, stops,
};
use super::early_words::Words;
use crate::assembly::Layer;
use crate::facts::initramfs::{Builder, Image, Layers};
use crate::facts::mounts::Device;
use crate::facts::{Facts, Tree};
use crate::finding::{Evidence, Findings, Stage};

pub(super) const CHECK: Check = Check {
    id: "initramfs/lvm-missing",
    stage: Stage::Initramfs,
    page: include_str!("../../docs/findings/initramfs/lvm-missing.md"),
    run,
};

/// What becomes of a volume.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Activated,
    LeftAlone(&'static str),
    Unknown(&'static str),
}

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = &facts.tree else { return };
    let logical = early_volumes(facts)
        .into_iter()
        .filter(|volume| matches!(volume.layer, Layer::Logical { .. }));
    let logical: Vec<&str> = logical.map(|volume| volume.name.as_str()).collect();
    for image in images(tree).iter().filter(|image| is_whole(image)) {
        for name in &logical {
            judge(tree, image, name, out);
        }
    }
}

fn judge(tree: &Tree, image: &Image, name: &str, out: &mut Findings) {
    let what = format!("what activates {name}");
    let Some(layers) = layers(image, &what, out) else {
        return;
    };
    let is_root = matches!(
        &tree.mounts.root_parameter,
        Some((_, Device::Present { name: root, .. })) if root == name
    );
    let release = &image.release;
    let (title, seen, expected) = match fate(image, layers, command_line(tree), (name, is_root)) {
        Fate::Activated => return,
        Fate::Unknown(why) => {
            let what = format!("{what} in {}", image.path);
            return out.could_not_tell(Stage::Initramfs, what, why);
        }
        Fate::LeftAlone(seen) if layers.lvm.is_none() => (
            format!("the root lies on {name}, and the initramfs of {release} has no LVM"),
            seen,
            "/sbin/lvm".to_owned(),
        ),
        Fate::LeftAlone(seen) => (
            format!("the initramfs of the kernel {release} does not activate {name}"),
            seen,
            format!("the logical volume {name} is activated"),
        ),
    };
    let finding = CHECK
        .finding(stops(tree, image), format!("{release} {name}"), title)
        .with([Evidence::seen(&image.path, seen).expected(expected)])
        .with([Evidence::seen(name, "the logical volume with the root")])
        .because("it was made while lvm2 was not installed, in a chroot, or its hook failed");
    out.push(rebuilt(finding, image));
}

fn fate(
    image: &Image,
    layers: &Layers,
    command_line: Option<&str>,
    (name, is_root): (&str, bool),
) -> Fate {
    if layers.lvm.is_none() {
        return match is_understood(image) {
            true => Fate::LeftAlone("no lvm in it"),
            false => Fate::Unknown("there is no lvm in it"),
        };
    }
    // LVM's own rule takes every group, whatever the command line says.
    if image.udev && layers.lvm_rule.is_some() {
        return Fate::Activated;
    }
    match image.builder {
        Builder::InitramfsTools if layers.lvm_script.is_some() => match is_root {
            true => Fate::Activated,
            false => Fate::Unknown("its script activates only what root= names"),
        },
        Builder::InitramfsTools => {
            Fate::LeftAlone("neither a rule of udev nor a script that activates it")
        }
        Builder::Dracut if layers.lvm_scan.is_some() => by_dracut(image, command_line, name),
        Builder::Dracut | Builder::Mkinitcpio | Builder::Other => {
            Fate::Unknown("no rule of udev that is known here does it")
        }
    }
}

/// modules.d/90lvm/parse-lvm.sh and lvm_scan.sh.
fn by_dracut(image: &Image, command_line: Option<&str>, name: &str) -> Fate {
    let words = Words::of(image, command_line);
    if words.is_off("rd.lvm") || words.has("rd_NO_LVM") {
        return Fate::LeftAlone("the command line says rd.lvm=0");
    }
    let group = name.split('/').next();
    let groups = words.all(&["rd.lvm.vg", "rd_LVM_VG"]);
    let volumes = words.all(&["rd.lvm.lv", "rd_LVM_LV"]);
    let named = volumes.contains(&name) || groups.iter().any(|own| Some(*own) == group);
    let none = groups.is_empty() && volumes.is_empty();
    match () {
        () if named || (none && words.auto()) => Fate::Activated,
        () if !words.is_known() => Fate::Unknown("the command line is chosen when GRUB runs"),
        () if none => Fate::LeftAlone("there is no rd.lvm.lv= for it, and no rd.auto"),
        () => Fate::LeftAlone("each rd.lvm.lv= and rd.lvm.vg= names another volume"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(builder: Builder, layers: Layers, words: &str) -> Fate {
        let image = Image {
            builder,
            udev: true,
            ..Image::default()
        };
        let layers = Layers {
            lvm: Some("/usr/sbin/lvm".into()),
            ..layers
        };
        fate(&image, &layers, Some(words), ("vg0/root", false))
    }

    #[test]
    fn dracut_activates_what_the_command_line_names() {
        let scan = || Layers {
            lvm_scan: Some("/usr/sbin/lvm_scan".into()),
            ..Layers::default()
        };
        for named in [
            "rd.lvm.lv=vg0/root",
            "rd.lvm.vg=vg0",
            "rd.auto",
            "rd.lvm.lv=vg0/swap rd.lvm.lv=vg0/root",
        ] {
            assert_eq!(told(Builder::Dracut, scan(), named), Fate::Activated);
        }
        for other in [
            "ro",
            "rd.lvm.lv=vg0/swap",
            "rd.auto rd.lvm=0",
            "rd.lvm.vg=vg1 rd.auto",
        ] {
            let fate = told(Builder::Dracut, scan(), other);
            assert!(matches!(fate, Fate::LeftAlone(_)), "{other}: {fate:?}");
        }
        let none = told(Builder::Dracut, Layers::default(), "rd.auto");
        assert!(matches!(none, Fate::Unknown(_)));
    }

    #[test]
    fn a_script_activates_only_what_root_names() {
        let script = Layers {
            lvm_script: Some("/scripts/local-top/lvm2".into()),
            ..Layers::default()
        };
        let fate = told(Builder::InitramfsTools, script, "root=/dev/mapper/vg0-root");
        assert!(matches!(fate, Fate::Unknown(_)));
    }
}
