//! Roots on LVM, LUKS and a btrfs of two devices: what is said of real images
//! that Debian's own hooks made, with all they need and without a part of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use super::lab::mounts::Overlay;
use super::lab::suite::Suite;
use super::lab::{LIFEBOOT, base, cache, disks, program, run};

const PACKAGES: &str = "lvm2 cryptsetup-initramfs btrfs-progs";

/// The container that the image's crypttab names.
const CONTAINER: &str = "11111111-2222-4333-8444-555555555555";

/// What is put between the array and the root, or in place of both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stack {
    Lvm,
    Luks,
    LvmOnLuks,
    Btrfs,
}

/// What is changed in the facts of the image, the command line, and what must
/// be said.
struct Case {
    name: &'static str,
    stack: Stack,
    changes: Vec<(&'static str, Value)>,
    words: &'static str,
    finding: Option<&'static str>,
}

/// A name, what is changed, and what each leg alone must be called.
type Alone<'a> = (&'a str, Vec<(String, Value)>, &'a Value);

pub fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for suite in [Suite::Bullseye, Suite::Bookworm, Suite::Trixie] {
        let name = suite.name();
        trials.push(program::trial(
            format!("layers::{name}"),
            format!("initramfs-layers-{name}"),
            move |work| every_case(suite, work),
        ));
    }
    trials.push(program::trial(
        "alone::bookworm".to_owned(),
        "initramfs-alone".to_owned(),
        each_leg_alone,
    ));
    trials
}

fn cases() -> Vec<Case> {
    let whole = |name, stack| Case {
        name,
        stack,
        changes: Vec::new(),
        words: "root=UUID=1f0b0a7e-0000-4000-8000-00000000f5f5 ro",
        finding: None,
    };
    let without = |name, stack, places: &[&'static str], finding| Case {
        changes: places.iter().map(|place| (*place, Value::Null)).collect(),
        finding: Some(finding),
        ..whole(name, stack)
    };
    let other = json!([{"line": 1, "name": "root_crypt", "spec": "UUID=ffff", "key": "none",
        "options": [], "device": {"kind": "absent"}}]);
    vec![
        whole("lvm", Stack::Lvm),
        whole("luks", Stack::Luks),
        whole("lvm-on-luks", Stack::LvmOnLuks),
        whole("btrfs", Stack::Btrfs),
        without(
            "no-lvm",
            Stack::Lvm,
            &["/layers/lvm"],
            "initramfs/lvm-missing",
        ),
        without(
            "nothing-activates",
            Stack::LvmOnLuks,
            &["/layers/lvm_rule", "/layers/lvm_script"],
            "initramfs/lvm-missing",
        ),
        without(
            "no-cryptsetup",
            Stack::Luks,
            &["/layers/cryptsetup"],
            "initramfs/cryptsetup-missing",
        ),
        without(
            "nothing-unlocks",
            Stack::LvmOnLuks,
            &["/layers/crypt_script"],
            "initramfs/cryptsetup-missing",
        ),
        Case {
            changes: vec![("/layers/crypttab", other)],
            finding: Some("initramfs/container-unknown"),
            ..whole("another-container", Stack::Luks)
        },
        Case {
            words: "root=/dev/mapper/sda3_crypt ro",
            finding: Some("initramfs/container-unknown"),
            ..whole("another-name", Stack::Luks)
        },
        Case {
            words: "root=/dev/mapper/root_crypt ro",
            ..whole("its-name", Stack::Luks)
        },
        without(
            "no-scan",
            Stack::Btrfs,
            &["/layers/btrfs_scan"],
            "initramfs/btrfs-scan-missing",
        ),
        Case {
            words: "root=/dev/sda2 rootflags=device=/dev/sda2,device=/dev/sdb2",
            finding: None,
            ..without("named-devices", Stack::Btrfs, &["/layers/btrfs_scan"], "")
        },
    ]
}

/// An image that the suite's own hooks made for such a root, by the packages
/// that they come in.
fn image(suite: Suite, work: &Path) -> Result<PathBuf> {
    let root = base::root(suite)?;
    let made_from = root.display().to_string();
    let entry = cache::entry(
        &format!("initramfs-layers-{suite}"),
        &[PACKAGES, CONTAINER, &made_from],
        |dir| {
            let overlay = Overlay::over(&root, &work.join("make"))?;
            fs::copy("/etc/resolv.conf", overlay.path().join("etc/resolv.conf"))?;
            let script = format!(
                "export DEBIAN_FRONTEND=noninteractive\n\
                 apt-get update\n\
                 apt-get install -y --no-install-recommends {PACKAGES}\n\
                 echo 'root_crypt UUID={CONTAINER} none luks,initramfs' > /etc/crypttab\n\
                 update-initramfs -u\n"
            );
            run::logged(
                "making an initramfs",
                &dir.join("make.log"),
                Command::new("chroot")
                    .arg(overlay.path())
                    .args(["sh", "-ec", &script]),
            )?;
            let made = base::kernel(overlay.path())?.initramfs;
            fs::copy(made, dir.join("initrd.img"))?;
            Ok(())
        },
    )?;
    Ok(entry.join("initrd.img"))
}

/// What Lifeboot knows of that image.
fn facts_of_image(suite: Suite, work: &Path) -> Result<Value> {
    let image = image(suite, work)?;
    let overlay = Overlay::over(&base::root(suite)?, &work.join("look"))?;
    fs::copy(image, base::kernel(overlay.path())?.initramfs)?;
    let root = overlay.path().to_owned();
    let facts = saved(
        Command::new(LIFEBOOT)
            .arg("diagnose")
            .arg("--root")
            .arg(root),
        work,
    )?;
    let image = facts.pointer("/tree/initramfs/images/0");
    image.cloned().context("no image in the facts")
}

fn saved(command: &mut Command, work: &Path) -> Result<Value> {
    let place = work.join("facts.json");
    command.arg("--save-facts").arg(&place).output()?;
    Ok(serde_json::from_slice(&fs::read(&place)?)?)
}

fn every_case(suite: Suite, work: &Path) -> Result<()> {
    let image = facts_of_image(suite, work)?;
    let legs = disks::healthy(Suite::Bookworm)?;
    let mut command = Command::new(LIFEBOOT);
    command.arg("diagnose");
    for disk in legs.disks() {
        command.arg("--disk").arg(disk);
    }
    let machine = saved(&mut command, work)?;
    let mut wrong = Vec::new();
    for case in cases() {
        let mut facts = machine.clone();
        let own = &mut facts["tree"]["initramfs"]["images"][0];
        own["layers"] = image["layers"].clone();
        for (place, value) in &case.changes {
            let found = own.pointer_mut(place);
            *found.with_context(|| format!("no {place} in the image"))? = value.clone();
        }
        put(&mut facts, case.stack)?;
        facts["tree"]["kernels"]["grub"]["entries"][0]["command_line"] = json!(case.words);
        let early = early(&judged(&facts, work)?);
        let expected: Vec<&str> = case.finding.into_iter().collect();
        if early != expected {
            wrong.push(format!("{}: {early:?}, not {expected:?}", case.name));
        }
    }
    ensure!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

/// The findings about the initramfs, and what is not known of it.
fn early(report: &Value) -> Vec<String> {
    let list = |name: &str| report[name].as_array().cloned().unwrap_or_default();
    let ids = list("findings")
        .into_iter()
        .map(|finding| finding["id"].clone());
    let ids = ids.filter_map(|id| id.as_str().map(str::to_owned));
    let unknown = report["verdict"]["unknown"].as_array().cloned();
    let unknown = unknown.unwrap_or_default().into_iter();
    let unknown = unknown.filter(|unknown| unknown["stage"] == "initramfs");
    ids.filter(|id| id.starts_with("initramfs/"))
        .chain(unknown.map(|unknown| unknown.to_string()))
        .collect()
}

fn judged(facts: &Value, work: &Path) -> Result<Value> {
    let place = work.join("changed.json");
    fs::write(&place, serde_json::to_vec(facts)?)?;
    let judged = Command::new(LIFEBOOT)
        .args(["diagnose", "--json", "--facts"])
        .arg(&place)
        .output()?;
    Ok(serde_json::from_slice(&judged.stdout)?)
}

/// Puts further layers between the array and the root's filesystem.
fn put(facts: &mut Value, stack: Stack) -> Result<()> {
    let part = facts.pointer("/search/parts/0/device");
    let array = part.context("no root in the facts")?.clone();
    let volumes = facts["assembly"]["volumes"].as_array_mut();
    let volumes = volumes.context("no volumes")?;
    let at = volumes.iter().position(|volume| volume["name"] == array);
    let at = at.context("no volume of the root")?;
    if stack == Stack::Btrfs {
        volumes[at]["content"] = btrfs(1, &Value::Null);
        return Ok(());
    }
    let filesystem = volumes[at].clone();
    let logical = json!({"kind": "logical", "group": "g"});
    let unlocked = json!({"kind": "unlocked"});
    let layers = match stack {
        Stack::Lvm | Stack::Btrfs => vec![("vg0/root", logical)],
        Stack::Luks => vec![("luks 1", unlocked)],
        Stack::LvmOnLuks => vec![("luks 1", unlocked), ("vg0/root", logical)],
    };
    let mut below = vec![array];
    for (name, layer) in layers {
        let last = volumes.last_mut().filter(|_| below.len() > 1);
        let on = below.last().context("nothing below")?.clone();
        if layer["kind"] == "unlocked" {
            let index = volumes.iter().position(|volume| volume["name"] == on);
            volumes[index.context("no volume below")?]["content"] = json!({"kind": "signature",
                "format": "luks", "uuid": CONTAINER, "label": null, "dirty": false,
                "errors": false});
        } else if let Some(last) = last {
            last["content"] = json!({"kind": "unknown"});
        }
        let mut volume = filesystem.clone();
        volume["name"] = json!(name);
        volume["layer"] = layer;
        volume["on"] = json!([on]);
        volumes.push(volume);
        below.push(json!(name));
    }
    let part = &mut facts["search"]["parts"][0];
    part["device"] = below.last().context("no root")?.clone();
    let known = part["below"]
        .as_array_mut()
        .context("nothing below the root")?;
    known.extend(below);
    Ok(())
}

/// One device of a btrfs on two.
fn btrfs(number: u64, profiles: &Value) -> Value {
    json!({"kind": "signature", "format": "btrfs", "uuid": "b", "label": null, "dirty": false,
        "errors": false, "member": {"id": number, "devices": 2, "generation": 9, "incompat": 0,
        "profiles": profiles}})
}

/// What the verdict says of each leg alone, with something in the facts of the
/// lab's mirror changed: true, false or not known.
fn each_leg_alone(work: &Path) -> Result<()> {
    let legs = disks::healthy(Suite::Bookworm)?;
    let mut command = Command::new(LIFEBOOT);
    command.arg("diagnose");
    for disk in legs.disks() {
        command.arg("--disk").arg(disk);
    }
    let machine = saved(&mut command, work)?;
    let image = "/tree/initramfs/images/0";
    let line = "/tree/kernels/grub/entries/0/command_line";
    let mirror = json!({"data": ["raid1"], "metadata": ["raid1"], "system": ["raid1"]});
    let single = json!({"data": ["single"], "metadata": ["raid1"], "system": ["raid1"]});
    let (yes, no, unknown) = (json!(true), json!(false), Value::Null);
    let at = |place: &str| format!("{image}{place}");
    let cases: Vec<Alone<'_>> = vec![
        ("as it is", vec![], &yes),
        (
            "no last resort",
            vec![(at("/layers/md_last_resort"), Value::Null)],
            &no,
        ),
        (
            "members named",
            vec![(
                at("/mdadm_conf/arrays/0"),
                json!({"line": 1, "device": "/dev/md0",
                "uuid": base::ARRAY_UUID, "name": null, "members": "/dev/sda2"}),
            )],
            &unknown,
        ),
        (
            "striped",
            vec![("/assembly/arrays/0/level".into(), json!(0))],
            &no,
        ),
        ("btrfs raid1", vec![("btrfs".into(), mirror.clone())], &no),
        (
            "btrfs raid1, degraded",
            vec![
                ("btrfs".into(), mirror),
                (line.into(), json!("root=/dev/sda2 rootflags=degraded")),
            ],
            &yes,
        ),
        (
            "btrfs single, degraded",
            vec![
                ("btrfs".into(), single),
                (line.into(), json!("root=/dev/sda2 rootflags=degraded")),
            ],
            &no,
        ),
    ];
    let mut wrong = Vec::new();
    for (name, changes, expected) in cases {
        let mut facts = machine.clone();
        for (place, value) in &changes {
            if place == "btrfs" {
                on_both_disks(&mut facts, value)?;
                continue;
            }
            let found = facts.pointer_mut(place);
            *found.with_context(|| format!("no {place} in the facts"))? = value.clone();
        }
        let report = judged(&facts, work)?;
        let told = report["verdict"]["survival"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        if told.len() != 2 || told.iter().any(|disk| disk["boots"] != *expected) {
            wrong.push(format!("{name}: {told:?}, not {expected}"));
        }
    }
    ensure!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

/// The root on a btrfs of two further partitions; GRUB goes to the array still.
fn on_both_disks(facts: &mut Value, profiles: &Value) -> Result<()> {
    let legs = facts["assembly"]["arrays"][0]["legs"].as_array();
    let legs: Vec<Value> = legs.context("no legs")?.clone();
    let volumes = facts["assembly"]["volumes"].as_array_mut();
    let volumes = volumes.context("no volumes")?;
    let mut names = Vec::new();
    for (leg, number) in legs.iter().zip(1..) {
        let own = volumes.iter().find(|volume| volume["name"] == leg["name"]);
        let mut volume = own.context("no volume of a leg")?.clone();
        let name = json!(format!("{} further", leg["disk"]));
        volume["name"] = name.clone();
        volume["content"] = btrfs(number, profiles);
        volumes.push(volume);
        names.push(name);
    }
    let part = &mut facts["search"]["parts"][0];
    part["device"] = names[0].clone();
    part["below"] = json!(names);
    facts["tree"]["initramfs"]["images"][0]["layers"]["btrfs_scan"] = json!("64-btrfs.rules");
    Ok(())
}
