//! Programs of an initramfs that do not start.

use super::Check;
use super::early_images::{
    command_line, early_arrays, images, is_understood, is_whole, rebuilt, stops,
};
use crate::facts::elf::{Closure, Problem};
use crate::facts::initramfs::drivers::DriverState;
use crate::facts::initramfs::{Builder, Image};
use crate::facts::{Facts, Tree};
use crate::finding::{Evidence, Findings, Severity, Stage};

pub(super) const CHECK: Check = Check {
    id: "initramfs/init-broken",
    stage: Stage::Initramfs,
    page: include_str!("../../docs/findings/initramfs/init-broken.md"),
    run,
};

fn run(facts: &Facts, out: &mut Findings) {
    let Some(tree) = &facts.tree else { return };
    let mut words = command_line(tree).unwrap_or_default().split_whitespace();
    if let Some(word) = words.find(|word| word.starts_with("rdinit=")) {
        let why = "another program than /init is started in it";
        return out.could_not_tell(Stage::Initramfs, format!("what {word} does"), why);
    }
    for image in images(tree).iter().filter(|image| is_whole(image)) {
        judge(facts, tree, image, out);
    }
    if let Some(image) = images(tree).first().filter(|image| is_whole(image))
        && !is_understood(image)
    {
        out.could_not_tell(
            Stage::Initramfs,
            format!("what {} does", image.path),
            "it was made by a tool that is not known here",
        );
    }
}

fn judge(facts: &Facts, tree: &Tree, image: &Image, out: &mut Findings) {
    let mut evidence = Vec::new();
    let mut fatal = false;
    let inits = [&image.init];
    for closure in inits.into_iter().chain(&image.broken) {
        for problem in &closure.problems {
            if let Problem::Unexamined { path, why } = problem {
                let what = format!("{path} in {}", image.path);
                out.could_not_tell(Stage::Initramfs, what, why.as_str());
            }
        }
        if closure.starts() {
            continue;
        }
        fatal |= is_needed(facts, image, closure);
        let problem = closure.problems.iter().find(|problem| problem.is_fatal());
        let seen = problem.map_or_else(String::new, ToString::to_string);
        evidence.push(Evidence::seen(&image.path, seen).expected(starts(&closure.program)));
    }
    for name in &image.absent {
        fatal = true;
        let seen = format!("there is no {name}");
        evidence.push(Evidence::seen(&image.path, seen).expected(starts(name)));
    }
    if evidence.is_empty() {
        return;
    }
    let release = &image.release;
    let (severity, title) = if !image.init.starts() {
        let title = format!("the initramfs of the kernel {release} has no init that starts");
        (stops(tree, image), title)
    } else if fatal {
        let title = format!("the initramfs of the kernel {release} lacks a program that it needs");
        (stops(tree, image), title)
    } else {
        let title = format!("a program in the initramfs of the kernel {release} does not start");
        (Severity::Degraded, title)
    };
    let finding = CHECK
        .finding(severity, release, title)
        .with(evidence)
        .because("it was made while the system's libraries did not fit together");
    out.push(rebuilt(finding, image));
}

fn starts(program: &str) -> String {
    format!("{program} starts")
}

/// True when the root is not reached without this program.
fn is_needed(facts: &Facts, image: &Image, closure: &Closure) -> bool {
    let name = closure.program.rsplit('/').next().unwrap_or_default();
    let loads = || image.drivers.iter().any(|d| d.state == DriverState::Inside);
    match name {
        "init" | "sh" | "mount" | "udevd" | "systemd-udevd" | "udevadm" => true,
        "run-init" => image.builder == Builder::InitramfsTools,
        "switch_root" | "busybox" => image.builder != Builder::InitramfsTools,
        "kmod" | "modprobe" => loads(),
        "mdadm" => !early_arrays(facts).is_empty(),
        "lvm" => needs(image, "dm_mod"),
        "cryptsetup" => needs(image, "dm_crypt"),
        _ => false,
    }
}

fn needs(image: &Image, driver: &str) -> bool {
    let mut drivers = image.drivers.iter();
    drivers.any(|own| own.names.iter().any(|name| name == driver))
}
