#![allow(clippy::unwrap_used)]
use super::*;
use crate::facts::elf::Problem;
use crate::facts::packages::dpkg::status;
use crate::facts::packages::standing::{Progress, Step};

fn relations(name: &str, version: &str, fields: &str) -> Relations {
    let mut one = Relations {
        name: name.into(),
        version: version.into(),
        architecture: "amd64".into(),
        ..Relations::default()
    };
    for field in fields.split(';').filter(|field| !field.is_empty()) {
        let (name, value) = field.split_once(':').unwrap();
        let value = value.trim().to_owned();
        match name.trim() {
            "depends" => one.depends = value,
            "provides" => one.provides = value,
            "breaks" => one.breaks = value,
            "conflicts" => one.conflicts = value,
            other => unreachable!("{other}"),
        }
    }
    one
}

/// A patient on which `broken` is at fault: what is on disk, and what is at
/// hand, each as `(NAME, VERSION, FIELDS)`.
fn patient(
    broken: &str,
    on_disk: &[(&str, &str, &str)],
    at_hand: &[(&str, &str, &str)],
) -> (Toolbox, Dpkg) {
    let stanzas: String = on_disk
        .iter()
        .map(|(name, version, _)| {
            format!(
                "Package: {name}\nStatus: install ok installed\nArchitecture: amd64\n\
                 Version: {version}\n\n"
            )
        })
        .collect();
    let dpkg = Dpkg {
        packages: status::parse(stanzas.as_bytes()).0,
        ..Dpkg::default()
    };
    let of = |(name, version, fields): &(&str, &str, &str)| relations(name, version, fields);
    let toolbox = Toolbox {
        broken: vec![BrokenTool {
            path: "/usr/bin/dpkg".into(),
            problem: Problem::NotExecutable {
                path: "/usr/bin/dpkg".into(),
            },
            package: (!broken.is_empty()).then(|| broken.into()),
            asking: Some("dpkg".into()),
        }],
        packages: ["dpkg", "libc6", "libc-bin"].map(str::to_owned).to_vec(),
        installed: on_disk.iter().map(of).collect(),
        at_hand: at_hand
            .iter()
            .map(|one| AtHand {
                relations: of(one),
                file: format!("/{}_{}.deb", one.0, one.1),
                ..AtHand::default()
            })
            .collect(),
    };
    (toolbox, dpkg)
}

fn chosen(toolbox: &Toolbox, dpkg: &Dpkg) -> Result<Vec<String>, Lacking> {
    let set = choose(toolbox, dpkg)?;
    let all = set.iter().map(|archive| {
        let one = &archive.relations;
        format!("{} {}", one.name, one.version)
    });
    Ok(all.collect())
}

const OLD: [(&str, &str, &str); 3] = [
    ("dpkg", "1", "depends: libc6 (>= 2.3)"),
    ("libc6", "2.36", ""),
    (
        "libc-bin",
        "2.36",
        "depends: libc6 (>> 2.36), libc6 (<< 2.37)",
    ),
];

#[test]
fn the_same_version_comes_back_alone() {
    let at_hand = [
        ("dpkg", "1", "depends: libc6 (>= 2.3)"),
        ("dpkg", "2", "depends: libc6 (>= 2.38)"),
    ];
    let (toolbox, dpkg) = patient("dpkg", &OLD[..2], &at_hand);
    assert_eq!(chosen(&toolbox, &dpkg).unwrap(), ["dpkg 1"]);
}

#[test]
fn a_newer_version_brings_what_it_needs_and_what_the_tools_need_then() {
    let at_hand = [
        ("dpkg", "2", "depends: libc6 (>= 2.38)"),
        ("libc6", "2.41", "breaks: other (<< 9)"),
        (
            "libc-bin",
            "2.41",
            "depends: libc6 (>> 2.41~), libc6 (<< 2.42)",
        ),
    ];
    let mut on_disk = OLD.to_vec();
    on_disk[2].2 = "depends: libc6 (>= 2.36), libc6 (<< 2.37)";
    on_disk.push(("other", "1", ""));
    let (toolbox, dpkg) = patient("dpkg", &on_disk, &at_hand);
    let all = chosen(&toolbox, &dpkg).unwrap();
    assert_eq!(
        all[0], "libc6 2.41",
        "what others need comes first: {all:?}"
    );
    let rest: BTreeSet<&str> = all[1..].iter().map(String::as_str).collect();
    assert_eq!(rest, BTreeSet::from(["dpkg 2", "libc-bin 2.41"]));
    // Without it the set is not closed, and it is named.
    let (toolbox, dpkg) = patient("dpkg", &on_disk, &at_hand[..2]);
    let lacking = chosen(&toolbox, &dpkg).unwrap_err();
    assert_eq!(lacking.packages, ["libc-bin, in a version that fits"]);
}

#[test]
fn the_version_of_the_upgrade_comes_first() {
    let at_hand = [
        ("libc6", "2.36", ""),
        ("libc6", "2.41", ""),
        ("libc6", "2.42", ""),
    ];
    let (toolbox, mut dpkg) = patient("libc6", &OLD[..2], &at_hand);
    assert_eq!(chosen(&toolbox, &dpkg).unwrap(), ["libc6 2.36"]);
    dpkg.standing.steps.push(Step {
        name: "libc6".into(),
        architecture: "amd64".into(),
        old: Some("2.36".into()),
        new: Some("2.41".into()),
        progress: Progress::Untouched,
        offered: Vec::new(),
    });
    assert_eq!(chosen(&toolbox, &dpkg).unwrap(), ["libc6 2.41"]);
}

#[test]
fn older_ones_and_damaged_ones_are_none() {
    let (mut toolbox, dpkg) = patient("libc6", &OLD[..2], &[("libc6", "2.35", "")]);
    let lacking = chosen(&toolbox, &dpkg).unwrap_err();
    assert_eq!(lacking.packages, ["libc6 2.36 (amd64)"]);
    toolbox.at_hand[0].relations.version = "2.36".into();
    assert!(chosen(&toolbox, &dpkg).is_ok());
    toolbox.at_hand[0].fault = Some(crate::facts::packages::deb::Fault::NotDeb("x".into()));
    let lacking = chosen(&toolbox, &dpkg).unwrap_err();
    assert!(
        lacking.damaged[0].starts_with("/libc6_2.35.deb: it is no package"),
        "{lacking:?}"
    );
}

#[test]
fn a_library_that_nobody_owns_any_more_comes_by_what_asks_for_it() {
    let on_disk = [
        ("dpkg", "1", "depends: libz1 (>= 1)"),
        ("libc6", "2.36", ""),
    ];
    let at_hand = [(
        "libz1t64",
        "1.3",
        "provides: libz1 (= 1.3); breaks: libz1 (<< 1.3)",
    )];
    let (toolbox, dpkg) = patient("", &on_disk, &at_hand);
    assert_eq!(chosen(&toolbox, &dpkg).unwrap(), ["libz1t64 1.3"]);
    let (toolbox, dpkg) = patient("", &on_disk, &[]);
    assert_eq!(
        chosen(&toolbox, &dpkg).unwrap_err().packages,
        ["libz1 (>= 1)"]
    );
}

#[test]
fn what_conflicts_with_what_stays_is_not_taken() {
    let on_disk = [("dpkg", "1", ""), ("libc6", "2.36", ""), ("stays", "1", "")];
    let at_hand = [("dpkg", "1", "conflicts: stays"), ("dpkg", "2", "")];
    let (toolbox, dpkg) = patient("dpkg", &on_disk, &at_hand);
    assert_eq!(chosen(&toolbox, &dpkg).unwrap(), ["dpkg 2"]);
}
