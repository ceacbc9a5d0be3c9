//! Findings about arrays, from superblocks that mdadm wrote.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use lifeboot::assembly::raid::Claim;
use lifeboot::assembly::{Array, Assembly, Standing, State};
use lifeboot::checks;
use lifeboot::facts::Facts;
use lifeboot::survey::superblock::{BadBlocks, Inside, Range, Reshape, checksum, feature};
use lifeboot::survey::{Content, survey_of};
use lifeboot::sysroot::Search;
use tempfile::TempDir;

macro_rules! image {
    ($name:literal) => {
        include_bytes!(concat!("images/md/", $name))
    };
}

/// The lab's members, and where the superblocks at their end lie.
const SECTORS: u64 = 16384;
const AT_090: u64 = SECTORS - 128;
const AT_10: u64 = SECTORS - 16;

struct Disks {
    dir: TempDir,
    paths: Vec<PathBuf>,
}

impl Disks {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            paths: Vec::new(),
        }
    }

    /// A disk of `sectors` with these bytes at these sectors.
    fn with(mut self, sectors: u64, pieces: &[(u64, &[u8])]) -> Self {
        let path = self.dir.path().join(format!("disk{}", self.paths.len()));
        let file = File::create(&path).unwrap();
        file.set_len(sectors * 512).unwrap();
        for (sector, bytes) in pieces {
            file.write_all_at(bytes, sector * 512).unwrap();
        }
        self.paths.push(path);
        self
    }

    fn facts(&self) -> Facts {
        let survey = survey_of(&self.paths).unwrap();
        Facts {
            assembly: Assembly::unopened(&survey),
            survey,
            search: Search::None {
                looked_at: Vec::new(),
            },
            tree: None,
        }
    }
}

/// A sector with a table of MBR partitions: first sector and length of each.
fn mbr(partitions: &[(u32, u32)]) -> Vec<u8> {
    let mut sector = vec![0; 512];
    sector[510..].copy_from_slice(&[0x55, 0xAA]);
    for (index, (start, length)) in partitions.iter().enumerate() {
        let entry = &mut sector[446 + 16 * index..][..16];
        entry[4] = 0x83;
        entry[8..12].copy_from_slice(&start.to_le_bytes());
        entry[12..].copy_from_slice(&length.to_le_bytes());
    }
    sector
}

/// The first KiB and the superblock of an ext4 filesystem.
fn ext4(mounts: u16) -> Vec<u8> {
    let mut bytes = vec![0; 2048];
    bytes[1024 + 0x38..][..2].copy_from_slice(&[0x53, 0xEF]);
    bytes[1024 + 0x34..][..2].copy_from_slice(&mounts.to_le_bytes());
    for (at, time) in [
        (0x2C, 1_900_000_000_u32),
        (0x30, 1_900_000_100),
        (0x108, 1_800_000_000),
    ] {
        bytes[1024 + at..][..4].copy_from_slice(&time.to_le_bytes());
    }
    bytes
}

fn ids(facts: &Facts) -> Vec<String> {
    let found = checks::run(facts).found;
    let ids = found.into_iter().map(|finding| finding.id);
    ids.filter(|id| id.starts_with("storage/")).collect()
}

/// Both legs of a clean mirror, and what is said after a change to it.
fn mirror_after(change: impl FnOnce(&mut Array)) -> Vec<String> {
    let mut facts = whole_mirror(ext4(3), ext4(3)).facts();
    assert_eq!(ids(&facts), [""; 0], "the healthy mirror is not silent");
    change(&mut facts.assembly.arrays[0]);
    ids(&facts)
}

/// Both legs of a RAID1 with metadata 1.0, made from the second one's block.
fn whole_mirror(first: Vec<u8>, second: Vec<u8>) -> Disks {
    let other = image!("raid1-1.0");
    let mut one = other.to_vec();
    one[160] = 0;
    let length = 256 + 2 * usize::from(one[220]) + 512 * usize::from(one[221]);
    let sum = checksum(&one[..length]);
    one[216..220].copy_from_slice(&sum.to_le_bytes());
    Disks::new()
        .with(SECTORS, &[(0, &first), (AT_10, &one)])
        .with(SECTORS, &[(0, &second), (AT_10, other)])
}

#[test]
fn halves_that_went_on_alone_are_told_and_one_may_be_chosen() {
    let disks = Disks::new()
        .with(SECTORS, &[(8, image!("raid1-1.2-split-a"))])
        .with(SECTORS, &[(8, image!("raid1-1.2-split-b"))]);
    let mut facts = disks.facts();
    assert_eq!(facts.assembly.arrays[0].state, State::Diverged);
    assert_eq!(ids(&facts), ["storage/legs-diverged"]);
    let trust = ["disk1".to_owned()];
    facts.assembly.arrays = lifeboot::assembly::raid::judge(&facts.assembly.volumes, &trust);
    let array = &facts.assembly.arrays[0];
    let fresh: Vec<_> = array.fresh_legs().map(|leg| leg.disk.as_str()).collect();
    assert_eq!((&array.state, fresh), (&State::Degraded, vec!["disk1"]));
    assert_eq!(
        ids(&facts),
        ["storage/legs-diverged", "storage/array-degraded"]
    );
}

#[test]
fn a_member_that_was_left_behind_is_dated() {
    let facts = Disks::new()
        .with(SECTORS, &[(AT_090, image!("raid5-0.90-dirty"))])
        .with(SECTORS, &[(AT_090, image!("raid5-0.90-stale"))])
        .facts();
    let array = &facts.assembly.arrays[0];
    assert!(
        array
            .legs
            .iter()
            .any(|leg| leg.standing == Standing::Stale { behind: 3 })
    );
    let found = checks::run(&facts).found;
    let stale = found.iter().find(|f| f.id == "storage/leg-stale").unwrap();
    assert!(
        stale.evidence[0].seen.contains("UTC, 3 updates behind"),
        "{stale:?}"
    );
}

#[test]
fn members_that_differ_under_one_count_were_used_alone() {
    let facts = whole_mirror(ext4(3), ext4(4)).facts();
    assert_eq!(ids(&facts), ["storage/member-mounted-directly"]);
}

#[test]
fn what_one_array_shows_is_told() {
    let claim = |state: &str| Claim {
        name: "md127".into(),
        state: state.into(),
        members: vec!["sda1".into()],
    };
    assert_eq!(
        mirror_after(|array| array.running = Some(claim("inactive"))),
        ["storage/array-inactive"]
    );
    assert_eq!(
        mirror_after(|array| array.running = Some(claim("clean"))),
        ["storage/array-running"]
    );
    assert_eq!(
        mirror_after(|array| array.legs[0].superblock.logical_block_bytes = 4096),
        ["storage/array-needs-newer-kernel"]
    );
    assert_eq!(
        mirror_after(|array| array.legs[0].superblock.features |= feature::JOURNAL),
        ["storage/journal-device-missing"]
    );
    assert_eq!(
        mirror_after(|array| array.warnings = vec!["parity".into()]),
        ["storage/array-data-doubtful"]
    );
    assert_eq!(
        mirror_after(|array| {
            let ranges = vec![Range {
                sector: 8,
                sectors: 1,
            }];
            array.legs[1].superblock.bad_blocks = Some(BadBlocks { ranges });
        }),
        ["storage/bad-blocks-recorded"]
    );
    assert_eq!(
        mirror_after(|array| {
            array.legs[0].superblock.reshape = Some(Reshape::default());
            array.state = State::Unusable { why: "half".into() };
        }),
        ["storage/array-reshaping"]
    );
    assert_eq!(
        mirror_after(|array| {
            for leg in &mut array.legs {
                let inside = leg.superblock.inside.as_mut().unwrap();
                *inside = Inside {
                    written: Some(leg.superblock.created - 10),
                    mounted: None,
                    ..inside.clone()
                };
            }
        }),
        ["storage/array-recreated"]
    );
}

#[test]
fn a_disk_that_dropped_out_elsewhere_may_show_old_data() {
    let disks = Disks::new()
        .with(SECTORS, &[(AT_090, image!("raid5-0.90-dirty"))])
        .with(SECTORS, &[(AT_090, image!("raid5-0.90-stale"))])
        .with(SECTORS, &[(AT_10, image!("raid1-1.0"))]);
    let mut facts = disks.facts();
    let mirror = facts
        .assembly
        .arrays
        .iter_mut()
        .find(|a| a.level == 1)
        .unwrap();
    // On the disk whose other member is stale, and not updated since.
    mirror.legs[0].disk = "disk1".into();
    mirror.legs[0].superblock.updated = 1_000_000_000;
    assert!(ids(&facts).contains(&"storage/only-stale-leg".to_owned()));
    // Updated long after the other dropped out: it came back into this array.
    let mirror = facts
        .assembly
        .arrays
        .iter_mut()
        .find(|a| a.level == 1)
        .unwrap();
    mirror.legs[0].superblock.updated = u64::from(u32::MAX);
    assert!(!ids(&facts).contains(&"storage/only-stale-leg".to_owned()));
}

#[test]
fn a_superblock_that_a_partition_covers_is_the_partitions() {
    // The partition ends where the disk ends: both show the same 4 KiB.
    let table = mbr(&[(2048, 16384)]);
    let at = 2048 + AT_090;
    let facts = Disks::new()
        .with(2048 + SECTORS, &[(0, &table), (at, image!("raid1-0.90"))])
        .facts();
    let disk = &facts.survey.disks[0];
    assert_eq!((disk.partitions.len(), disk.old_members.len()), (1, 0));
    assert!(matches!(disk.partitions[0].content, Content::RaidMember(_)));
}

#[test]
fn the_table_of_a_whole_disk_mirror_is_the_arrays() {
    for (name, at, superblock) in [
        ("0.90", AT_090, image!("raid1-0.90").as_slice()),
        ("1.0", AT_10, image!("raid1-1.0").as_slice()),
    ] {
        let table = mbr(&[(2048, 4096), (6144, 8192)]);
        let facts = Disks::new()
            .with(SECTORS, &[(0, &table), (2048, &ext4(1)), (at, superblock)])
            .facts();
        let disk = &facts.survey.disks[0];
        assert!(disk.partitions.is_empty() && disk.table.is_none(), "{name}");
        assert!(matches!(disk.content, Content::RaidMember(_)), "{name}");
    }
}

#[test]
fn a_forgotten_superblock_before_living_partitions_is_only_told() {
    let table = mbr(&[(2048, 8192)]);
    let old = image!("raid1-1.2-spare");
    let facts = Disks::new()
        .with(SECTORS, &[(0, &table), (8, old), (2048, &ext4(1))])
        .facts();
    let disk = &facts.survey.disks[0];
    assert_eq!((disk.partitions.len(), disk.old_members.len()), (1, 1));
    assert!(facts.assembly.arrays.is_empty());
    assert_eq!(ids(&facts), ["storage/member-of-two-arrays"]);
    // A table before a member whose partitions hold nothing is the older one.
    let facts = Disks::new().with(SECTORS, &[(0, &table), (8, old)]).facts();
    assert!(facts.survey.disks[0].partitions.is_empty());
}

#[test]
fn a_leg_is_never_taken_for_its_filesystem() {
    for (at, superblock) in [
        (AT_090, image!("raid1-0.90").as_slice()),
        (AT_10, image!("raid1-1.0").as_slice()),
    ] {
        let facts = Disks::new()
            .with(SECTORS, &[(0, &ext4(1)), (at, superblock)])
            .facts();
        assert!(matches!(
            facts.survey.disks[0].content,
            Content::RaidMember(_)
        ));
    }
}
