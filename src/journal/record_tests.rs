#![allow(clippy::unwrap_used)]

use super::*;
use crate::sys::root_dir::Kind;

fn stamp() -> Stamp {
    Stamp { sec: 1, nsec: 2 }
}

fn step(from: &str, to: &str) -> Step {
    Step {
        action: Action::Rename {
            from: from.into(),
            to: to.into(),
        },
        from: from.into(),
        to: to.into(),
        object: Object {
            kind: Kind::File,
            ino: 7,
            dev: 0,
            mode: 0o644,
            uid: 0,
            gid: 0,
            size: 1,
            mtime: stamp(),
            links: 0,
        },
    }
}

fn intent(steps: Vec<Step>) -> Intent {
    Intent {
        format: FORMAT,
        id: "x".into(),
        header: Header::new(vec!["test".into()]),
        consent: "yes".into(),
        root_mtime: stamp(),
        steps,
        touched: Vec::new(),
    }
}

fn undo_started() -> Record {
    Record::UndoStarted {
        consent: "yes".into(),
    }
}

/// A journal of two steps with everything that can be in one.
fn records() -> Vec<Record> {
    vec![
        Record::Intent(Box::new(intent(vec![step("/a", "/b"), step("/c", "/d")]))),
        Record::Done { step: 0 },
        Record::Done { step: 1 },
        Record::Committed,
        undo_started(),
        Record::Undone { step: 1 },
        Record::Undone { step: 0 },
        Record::Reverted,
    ]
}

fn bytes(records: &[Record]) -> Vec<u8> {
    records.iter().flat_map(|r| r.to_line().unwrap()).collect()
}

#[test]
fn every_record_comes_back() {
    for record in records() {
        let line = record.to_line().unwrap();
        let line = line.strip_suffix(b"\n").unwrap();
        assert_eq!(Record::from_line(line).unwrap(), record);
    }
}

/// At every length the story is that of the whole records before it.
#[test]
fn a_torn_tail_is_cut_off_at_any_length() {
    let all = records();
    let ends: Vec<usize> = (1..=all.len()).map(|n| bytes(&all[..n]).len()).collect();
    let whole = bytes(&all);
    for length in 0..=whole.len() {
        let count = ends.iter().filter(|&&end| end <= length).count();
        let story = read_story(&whole[..length]);
        if count == 0 {
            assert!(story.unwrap_err().contains("first line"), "{length}");
            continue;
        }
        let mut course = Course::new(2);
        all[1..count].iter().for_each(|r| course.add(r).unwrap());
        let story = story.unwrap();
        assert_eq!(
            (story.course, story.whole),
            (course, ends[count - 1]),
            "{length}"
        );
        // Space that was reserved and never written reads as zeros.
        let mut padded = whole[..length].to_vec();
        padded.extend([0; 600]);
        if ends.contains(&length) {
            assert_eq!(read_story(&padded).unwrap().course, course, "{length}");
        }
    }
}

/// Any byte changed: damage in the middle is told, at the end it is a torn
/// tail, and nothing is ever believed that was not written.
#[test]
fn a_changed_byte_is_noticed() {
    let all = records();
    let whole = bytes(&all);
    let last = bytes(&all[..all.len() - 1]).len();
    let without = |count: usize| {
        let end = bytes(&all[..all.len() - count]).len();
        read_story(&whole[..end]).unwrap()
    };
    for place in 0..whole.len() {
        for flip in [1, 0x20, 0x80] {
            let mut wrong = whole.clone();
            wrong[place] ^= flip;
            match read_story(&wrong) {
                Err(_) => assert!(place < last - 1, "{place}"),
                // The checksum's hex digits may be upper case.
                Ok(story) if story.course.reverted => {
                    assert!(wrong.eq_ignore_ascii_case(&whole), "{place}");
                }
                // The line feed between the last two: both are in the tail.
                Ok(story) if place == last - 1 => assert_eq!(story, without(2)),
                Ok(story) => assert_eq!(story, without(1), "{place}"),
            }
        }
    }
}

#[test]
fn records_out_of_order_are_damage() {
    let done = |step| Record::Done { step };
    let undone = |step| Record::Undone { step };
    let cases: Vec<Vec<Record>> = vec![
        vec![done(1)],
        vec![done(0), done(0)],
        vec![done(0), done(1), done(2)],
        vec![Record::Committed],
        vec![undone(0)],
        vec![Record::Reverted],
        vec![undo_started(), done(0)],
        vec![undo_started(), undo_started()],
        vec![undo_started(), undone(usize::MAX)],
        vec![done(0), undo_started(), Record::Reverted],
        vec![done(0), undo_started(), undone(0), undone(0)],
        vec![records().remove(0)],
    ];
    for case in cases {
        let mut all = vec![records().remove(0)];
        all.extend(case);
        let error = read_story(&bytes(&all)).unwrap_err();
        assert!(error.contains("out of order"), "{error}: {all:?}");
    }
}

#[test]
fn hostile_first_lines_are_refused() {
    let with = |change: &dyn Fn(&mut Intent)| {
        let mut intent = intent(vec![step("/a", "/b")]);
        change(&mut intent);
        read_story(&bytes(&[Record::Intent(Box::new(intent))]))
    };
    assert!(with(&|_| {}).is_ok());
    for path in ["/a/../../etc/shadow", "relative", "/", "", "/a/", "/a\0b"] {
        assert!(
            with(&|i| i.steps[0].from = path.into()).is_err(),
            "{path:?}"
        );
        assert!(with(&|i| i.steps[0].to = path.into()).is_err(), "{path:?}");
    }
    let touched = |path: &str, nsec| Touched {
        path: path.into(),
        ino: 1,
        mtime: Stamp { sec: 1, nsec },
    };
    assert!(with(&|i| i.touched = vec![touched("/", 0)]).is_ok());
    assert!(with(&|i| i.touched = vec![touched("/../x", 0)]).is_err());
    for nsec in [-1, 1_000_000_000, 0x3fff_ffff, 0x3fff_fffe] {
        // The last two mean "now" and "leave it" to the kernel.
        assert!(with(&|i| i.touched = vec![touched("/", nsec)]).is_err());
        assert!(with(&|i| i.root_mtime.nsec = nsec).is_err());
    }
    let newer = with(&|i| i.format = 2).unwrap_err();
    assert!(newer.contains("newer Lifeboot"), "{newer}");
    for junk in [
        &b""[..],
        b"\n",
        b"\0\0\0\0",
        b"00000000 \n",
        b"00000000 {}\n",
        b"xxxxxxxx {}\n",
    ] {
        assert!(read_story(junk).is_err());
    }
}
