#![allow(clippy::unwrap_used)]
use std::path::PathBuf;

use super::*;
use crate::survey::Source;
use crate::survey::signature::Member;

fn volume(name: &str, layer: Layer, signature: Signature) -> Volume {
    Volume {
        name: name.into(),
        layer,
        source: Source {
            path: PathBuf::from("/dev/null"),
            offset: 0,
            bytes: 0,
        },
        sector_bytes: 512,
        content: Content::Signature(signature),
        purpose: None,
        part_uuid: None,
        part_label: None,
        on: Vec::new(),
        disks: Vec::new(),
        members: Vec::new(),
        sources: Vec::new(),
    }
}

fn signature(format: &str, uuid: &str) -> Signature {
    Signature {
        format: format.into(),
        uuid: Some(uuid.into()),
        ..Signature::default()
    }
}

fn btrfs(id: u64, devices: u64) -> Signature {
    Signature {
        member: Some(Box::new(Member {
            id,
            devices,
            ..Member::default()
        })),
        ..signature("btrfs", "b")
    }
}

fn listed(volumes: Vec<Volume>) -> Vec<Filesystem> {
    list(&Assembly {
        volumes,
        ..Assembly::default()
    })
}

fn name<'a>(found: &Match<'a>) -> &'a str {
    match found {
        Match::One(found) => &found.name,
        _ => "none",
    }
}

#[test]
fn names_of_logical_volumes() {
    let group = Layer::Logical { group: "g".into() };
    let all = listed(vec![volume("vg-a/root-b", group, signature("ext4", "r"))]);
    for spec in ["/dev/vg-a/root-b", "/dev/mapper/vg--a-root--b", "UUID=r"] {
        assert_eq!(name(&find(&all, spec)), "vg-a/root-b", "{spec}");
    }
    assert_eq!(find(&all, "/dev/mapper/vg-a-root-b"), Match::CannotTell);
}

#[test]
fn names_of_crypttab() {
    let outer = volume("array lab:0", Layer::Disk, signature("luks", "l"));
    let mut inner = volume("luks l", Layer::Unlocked, signature("ext4", "i"));
    inner.on.push("array lab:0".into());
    let mut all = listed(vec![outer, inner]);
    name_by_crypttab(
        &mut all,
        "# x\nroot_crypt UUID=l none luks\nother UUID=zz none\n",
    );
    assert_eq!(name(&find(&all, "/dev/mapper/root_crypt")), "luks l");
    assert_eq!(find(&all, "/dev/mapper/other"), Match::CannotTell);
}

#[test]
fn the_devices_of_a_btrfs_are_one() {
    let one = |id| volume(&format!("/dev/d{id}"), Layer::Disk, btrfs(id, 3));
    let all = listed(vec![one(1), one(2)]);
    assert_eq!((all.len(), all[0].missing_devices), (1, 1));
    assert_eq!(all[0].volumes().count(), 2);
    // The same device twice is a copy, and a filesystem of its own.
    let all = listed(vec![one(1), one(1)]);
    assert_eq!(all.len(), 2);
}
