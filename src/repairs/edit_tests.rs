#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;

fn file(text: &str) -> TextFile {
    TextFile {
        path: "/etc/x".into(),
        text: text.into(),
        mode: 0o640,
        uid: 1,
        gid: 2,
        xattrs: Vec::new(),
        is_plain: true,
    }
}

fn result(edits: &[Edit]) -> String {
    let edits: Vec<&Edit> = edits.iter().collect();
    match &actions(&edits)[..] {
        [Action::Quarantine { .. }, Action::PutFile { text, .. }] => text.clone(),
        other => panic!("{other:?}"),
    }
}

fn second(file: &TextFile) -> Option<Edit> {
    Edit::line(file, 2, |line| Some(line.replace("two", "2")))
}

#[test]
fn one_line_becomes_another_and_the_old_one_is_kept() {
    let edit = second(&file("one\n two \nthree\n")).unwrap();
    assert_eq!(result(&[edit]), "one\n# lifeboot: was  two \n 2 \nthree\n");
    let windows = second(&file("one\r\ntwo\r\nthree")).unwrap();
    assert_eq!(
        result(&[windows]),
        "one\r\n# lifeboot: was two\r\n2\r\nthree"
    );
    let open_end = second(&file("one\ntwo")).unwrap();
    assert_eq!(result(&[open_end]), "one\n# lifeboot: was two\n2");
}

#[test]
fn bytes_of_other_lines_stay_whatever_they_are() {
    let odd = "\0\u{1}\u{feff}\r\r\n";
    let long = "x".repeat(200_000);
    let text = format!("{odd}two\n{long}\n\n\t# \0");
    let edit = second(&file(&text)).unwrap();
    let new = format!("{odd}# lifeboot: was two\n2\n{long}\n\n\t# \0");
    assert_eq!(result(&[edit]), new);
}

#[test]
fn a_line_that_is_not_alone_is_left() {
    for text in [
        "one\\\ntwo\n",
        "one\ntwo \\\nthree\n",
        "one\ntwo\0\n",
        "one\n",
        "",
    ] {
        assert_eq!(second(&file(text)), None, "{text:?}");
    }
    let long = format!("one\ntwo{}\n", "x".repeat(2000));
    assert_eq!(second(&file(&long)), None);
    let link = TextFile {
        is_plain: false,
        ..file("one\ntwo\n")
    };
    assert_eq!(second(&link), None);
    assert_eq!(Edit::added(&link, "three".into()), None);
    assert_eq!(Edit::added(&file("one\\"), "three".into()), None);
    assert_eq!(Edit::line(&file("a\n"), 1, |_| Some("a\nb".into())), None);
    assert_eq!(Edit::line(&file("a\n"), 0, |_| Some("b".into())), None);
}

#[test]
fn several_lines_of_a_file_are_changed_at_once() {
    let file = file("one\ntwo\nthree");
    let edits = [
        Edit::comment(&file, 3).unwrap(),
        second(&file).unwrap(),
        second(&file).unwrap(),
        Edit::added(&file, "four".into()).unwrap(),
        Edit::added(&file, "four".into()).unwrap(),
    ];
    assert_eq!(
        result(&edits),
        "one\n# lifeboot: was two\n2\n# lifeboot: was three\n# lifeboot: added\nfour\n"
    );
    assert!(!edits[1].contradicts(&edits[2]));
    assert!(!edits[3].contradicts(&edits[4]));
    let other = Edit::comment(&file, 2).unwrap();
    assert!(other.contradicts(&edits[1]));
    let unkept = second(&file).unwrap().unkept();
    assert_eq!(result(&[unkept]), "one\n2\nthree");
}

#[test]
fn what_a_line_holds_is_told_without_control_characters() {
    let file = file("a\u{1b}[2J  b\n");
    let edit = Edit::comment(&file, 1).unwrap();
    let words = edit.to_string();
    assert!(words.contains("\\u{1b}[2J b"), "{words}");
}
