#![allow(clippy::unwrap_used)]
use serde_json::{Value, json};

use super::stands::{Short, Stands, filesystem};
use crate::assembly::Assembly;

fn volume(name: &str, layer: &Value, on: &[&str], disks: &[&str], content: &Value) -> Value {
    json!({"name": name, "layer": layer, "on": on, "disks": disks, "members": [], "sources": [],
        "source": {"path": "/dev/null", "offset": 0, "bytes": 0}, "sector_bytes": 512,
        "content": content, "purpose": null, "part_uuid": null, "part_label": null})
}

/// Two disks with a partition each, a volume group on both, and a root of this
/// kind in it that lies on `on`.
fn group(kind: &str, on: &[&str]) -> Assembly {
    let partition = json!({"kind": "partition"});
    let nothing = json!({"kind": "unknown"});
    let own = json!({"name": "vg0/root", "kind": kind, "bytes": 1, "closed": null});
    let assembly = json!({"arrays": [], "unopened": [], "volumes": [
        volume("/dev/a1", &partition, &[], &["a"], &nothing),
        volume("/dev/b1", &partition, &[], &["b"], &nothing),
        volume("vg0/root", &json!({"kind": "logical", "group": "g"}), on, &["a", "b"], &nothing),
    ], "groups": [{"uuid": "g", "name": "vg0", "exported": false, "on": ["/dev/a1", "/dev/b1"],
        "missing": [], "copies": [], "volumes": [own]}]});
    serde_json::from_value(assembly).unwrap()
}

#[test]
fn a_mirrored_volume_is_left_and_a_linear_one_where_it_lies() {
    let short = || Stands::Yes(vec![Short::Group("vg0/root".into())]);
    let mirrored = group("raid1", &["/dev/a1", "/dev/b1"]);
    assert_eq!(filesystem(&mirrored, "vg0/root", "a"), short());
    // All of it is on the first disk; the group is not.
    let linear = group("linear", &["/dev/a1"]);
    assert_eq!(filesystem(&linear, "vg0/root", "a"), short());
    assert!(matches!(
        filesystem(&linear, "vg0/root", "b"),
        Stands::No(_)
    ));
    let spread = group("linear", &["/dev/a1", "/dev/b1"]);
    assert!(matches!(
        filesystem(&spread, "vg0/root", "a"),
        Stands::No(_)
    ));
    let parity = group("raid5", &["/dev/a1", "/dev/b1"]);
    assert!(matches!(
        filesystem(&parity, "vg0/root", "a"),
        Stands::Unknown(_)
    ));
    assert_eq!(filesystem(&linear, "/dev/a1", "a"), Stands::Yes(Vec::new()));
}

#[test]
fn a_layer_that_stands_on_itself_is_not_known() {
    let ring = group("linear", &["/dev/a1"]);
    let mut ring = serde_json::to_value(ring).unwrap();
    ring["groups"][0]["on"] = json!(["vg0/root"]);
    let ring: Assembly = serde_json::from_value(ring).unwrap();
    assert!(matches!(
        filesystem(&ring, "vg0/root", "a"),
        Stands::Unknown(_)
    ));
}
