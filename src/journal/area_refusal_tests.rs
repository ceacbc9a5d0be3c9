//! Boot areas that are not written: another disk, other bytes, no consent.

use super::*;

/// The reason for which an undo on these disks is refused; nothing is changed.
fn refused(one: &Patient, id: &str, disks: &Disks) -> String {
    let (tree, disk) = (whole(&one.root()), one.bytes());
    let why = format!("{:#}", one.undo_on(id, disks).unwrap_err());
    assert_eq!(whole(&one.root()), tree, "{why}");
    assert!(one.bytes() == disk, "{why}");
    why
}

#[test]
fn an_undo_wants_the_same_disk_with_bytes_that_it_knows() {
    if skipped() {
        return;
    }
    let before = Wanted::new();
    let one = Patient::new();
    let id = one.run().unwrap().id;
    let with = |edit: &dyn Fn(&mut KnownDisk)| {
        let mut known = one.known();
        edit(&mut known);
        Disks::new(vec![known])
    };
    let says = |disks: &Disks, word: &str| {
        let why = refused(&one, &id, disks);
        assert!(why.contains(word), "{why}");
    };
    says(&Disks::default(), "is not here");
    says(&with(&|d| d.name.serial = Some("S2".into())), "is not here");
    says(&with(&|d| d.name.table = None), "is not here");
    says(&with(&|d| d.name.bytes += 512), "is not here");
    says(
        &with(&|d| d.areas.retain(|area| area.start == 0)),
        "not free",
    );
    says(&with(&|d| d.areas = vec![GAP]), "not free");
    says(
        &Disks::new(vec![one.known(), one.known()]),
        "cannot be told",
    );
    // Somebody else wrote there since.
    let done = one.bytes();
    let mut other = done.clone();
    other[2000] ^= 1;
    fs::write(one.disk(), &other).unwrap();
    says(&with(&|_| {}), "neither what it held before");
    fs::write(one.disk(), &done).unwrap();
    // The saved bytes are not what they were.
    let saved = one
        .root()
        .join(format!(".lifeboot/journal/{id}/areas/3.before"));
    let kept = fs::read(&saved).unwrap();
    assert_eq!(kept.len(), CORE_BYTES);
    fs::write(&saved, vec![0; CORE_BYTES]).unwrap();
    says(&with(&|_| {}), "is damaged");
    fs::write(&saved, kept).unwrap();
    // Its name may be another one, and an image has no serial number.
    let renamed = with(&|d| {
        d.name.called = "nvme3n1".into();
        d.name.serial = None;
    });
    one.undo_on(&id, &renamed).unwrap();
    assert_eq!(whole(&one.root()), before.tree);
    assert!(one.bytes() == before.disk);
}

#[test]
fn a_commit_wants_what_was_agreed_to() {
    let one = Patient::new();
    let tree = whole(&one.root());
    let says = |actions: &[Action], disks: &Disks, word: &str| {
        let why = one.run_with(actions, disks).unwrap_err().to_string();
        assert!(why.contains(word), "{why}");
        assert_eq!(whole(&one.root()), tree, "{why}");
    };
    let (actions, disks) = one.plan();
    says(&actions, &Disks::new(vec![one.known()]), "nothing to write");
    let twice = [actions[3].clone(), actions[3].clone()];
    says(&twice, &disks, "two changes");
    let mut nameless = one.known();
    nameless.name.table = None;
    nameless.name.serial = None;
    let mut no_name = Disks::new(vec![nameless.clone()]);
    let action = no_name.boot_area(nameless.name, 0, &one.bytes()[..440], vec![1; 440]);
    says(&[action], &no_name, "cannot be told");
    let mut table = Disks::new(vec![one.known()]);
    let old = &one.bytes()[..512];
    let action = table.boot_area(one.known().name, 0, old, vec![1; 512]);
    says(&[action], &table, "not free");
    fs::write(one.disk(), vec![0; 65_536]).unwrap();
    says(&actions, &disks, "changed since");
    // A layer over the files is none over the disks.
    let (actions, disks) = one.plan();
    let root = RootDir::open(one.root()).unwrap();
    let (stock, token) = (&stock(), WriteToken::for_rehearsal());
    let supplies = Supplies::new(stock, &disks);
    let failed = commit_with(&root, &token, header(), &actions, supplies, &mut |_| {});
    let why = failed.unwrap_err().to_string();
    assert!(why.contains("may not be written"), "{why}");
    assert_eq!(one.bytes(), vec![0; 65_536]);
}
