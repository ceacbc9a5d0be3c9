//! What a read test found, disk by disk.

use super::Page;
use crate::survey::read_test::{DiskRead, Mode, ReadTest};

/// Bad places shown of each disk; JSON has all of them.
const MOST_PLACES: usize = 10;

/// The result of `survey --read-test`.
pub fn read_test(test: &ReadTest) -> String {
    let mut page = Page::default();
    page.heading(match (test.mode, test.interrupted) {
        (Mode::Sample, false) => "READ TEST (a sample)",
        (Mode::Full, false) => "READ TEST (everything)",
        (_, true) => "READ TEST (stopped before its end)",
    });
    for disk in &test.disks {
        disk_lines(&mut page, disk);
    }
    page.finish()
}

fn disk_lines(page: &mut Page, disk: &DiskRead) {
    let read = format!(
        "{} of {} MiB read",
        disk.done_bytes >> 20,
        disk.planned_bytes >> 20
    );
    let speed = (disk.done_bytes >> 10)
        .saturating_mul(1000)
        .checked_div(disk.milliseconds)
        .map_or_else(String::new, |kib| format!(", {} MiB/s", kib >> 10));
    if let Some(why) = &disk.refused {
        page.item("  ", 4, &format!("{}: not tested, {why}", disk.disk));
        return;
    }
    let result = match (disk.errors.len(), disk.ended) {
        (0, true) => "no errors".to_owned(),
        (0, false) if disk.given_up.is_some() => "NOT READABLE".to_owned(),
        (0, false) => "no errors so far".to_owned(),
        (1, _) => "1 BAD PLACE".to_owned(),
        (count, _) => format!("{count} BAD PLACES"),
    };
    page.item("  ", 4, &format!("{}: {result}, {read}{speed}", disk.disk));
    for error in disk.errors.iter().take(MOST_PLACES) {
        let sector = error.offset / 512;
        let text = format!("byte {} (sector {sector}): {}", error.offset, error.why);
        page.item("    ", 6, &text);
    }
    if let Some(more) = disk.errors.len().checked_sub(MOST_PLACES + 1) {
        page.item("    ", 6, &format!("and {} more, see --json", more + 1));
    }
    if let Some(why) = &disk.given_up {
        page.item("    ", 6, &format!("the rest was not read: {why}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::survey::read_test::ReadError;

    #[test]
    fn bad_places_are_listed_and_the_rest_is_counted() {
        let error = |n: u64| ReadError {
            offset: n << 20,
            bytes: 4096,
            why: "Input/output error".into(),
        };
        let mut disk = DiskRead {
            disk: "sda".into(),
            planned_bytes: 64 << 20,
            done_bytes: 64 << 20,
            milliseconds: 2000,
            errors: (0..12).map(error).collect(),
            given_up: None,
            refused: None,
            ended: true,
        };
        let text = |disk: &DiskRead| {
            read_test(&ReadTest {
                mode: Mode::Sample,
                interrupted: false,
                disks: vec![disk.clone()],
            })
        };
        let bad = text(&disk);
        assert!(
            bad.contains("sda: 12 BAD PLACES, 64 of 64 MiB read, 32 MiB/s"),
            "{bad}"
        );
        assert!(
            bad.contains("byte 1048576 (sector 2048): Input/output error"),
            "{bad}"
        );
        assert!(bad.contains("and 2 more"), "{bad}");
        disk.errors.clear();
        disk.milliseconds = 0;
        assert!(text(&disk).contains("sda: no errors, 64 of 64 MiB read\n"));
        disk.given_up = Some("it is gone".into());
        disk.ended = false;
        assert!(text(&disk).contains("NOT READABLE"));
        disk.refused = Some("no permission".into());
        assert!(text(&disk).contains("sda: not tested, no permission"));
    }
}
