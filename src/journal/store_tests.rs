#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn times_are_those_of_the_calendar() {
    // From date -u -d @N.
    let cases = [
        (0, "19700101T000000Z"),
        (951_782_399, "20000228T235959Z"),
        (951_782_400, "20000229T000000Z"),
        (1_709_251_199, "20240229T235959Z"),
        (4_107_542_400, "21000301T000000Z"),
        (LAST_SECOND, "99991231T235959Z"),
    ];
    for (time, text) in cases {
        assert_eq!(utc(time), text);
    }
}

#[test]
fn new_names_sort_last_and_are_names() {
    let cases = [
        (951_782_400, None, "20000229T000000Z-"),
        (
            951_782_400,
            Some("20000229T000000Z-00000000"),
            "20000229T000001Z-",
        ),
        (5, Some("20000229T235959Z-00000000"), "20000229T235960Z-"),
        (5, Some("20000229T999999Z-00000000"), "20000230T000000Z-"),
        (u64::MAX, None, "99991231T235959Z-"),
    ];
    for (time, newest, wanted) in cases {
        let id = new_id(time, newest).unwrap();
        assert!(id.starts_with(wanted), "{id}");
        assert!(is_id(&id), "{id}");
    }
    assert!(new_id(5, Some("99999999T999999Z-00000000")).is_err());
}

#[test]
fn other_names_are_no_transactions() {
    for name in [
        "",
        "..",
        "20000229T000000Z",
        "20000229T000000Z-0000000g",
        "x0000229T000000Z-00000000",
    ] {
        assert!(!is_id(name), "{name}");
    }
}
