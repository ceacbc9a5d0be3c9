//! The end of an earlier kernel, as a record of pstore tells it.

use serde::{Deserialize, Serialize};

use crate::sys::pstore::{self, Record};

/// Lines kept of a record: those around the panic and the last ones.
const MOST_LINES: usize = 40;

/// Longest line kept, in characters.
const LONGEST_LINE: usize = 200;

/// Phrases of a kernel that comes to its end, the more telling first
/// (`kernel/panic.c`, `arch/*/kernel/traps.c`, `mm/fault.c`).
const ENDS: [&str; 7] = [
    "Kernel panic - not syncing",
    "Oops:",
    "Oops ",
    "BUG: ",
    "general protection fault",
    "kernel BUG at",
    "Hardware Error",
];

/// The newest record of a kernel's end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LastPanic {
    /// File or record that tells it.
    pub source: String,
    /// When it was recorded, in seconds since 1970.
    pub time: i64,
    /// The line that says what happened.
    pub what: String,
    /// The last lines of the record.
    pub tail: Vec<String>,
}

/// The newest record that this machine kept in firmware or reserved memory.
pub(super) fn of_machine() -> Option<LastPanic> {
    let mut last = newest(&pstore::records().ok()?)?;
    last.source = format!("/sys/fs/pstore/{}", last.source);
    Some(last)
}

/// The newest of `records` that tells of a panic or an oops.
pub fn newest(records: &[Record]) -> Option<LastPanic> {
    // One end may be spread over records of the same time.
    let mut ends: Vec<LastPanic> = records
        .iter()
        .filter(|record| {
            let name = record.name.rsplit('/').next();
            name.is_some_and(|name| name.starts_with("dmesg"))
        })
        .filter_map(of_record)
        .collect();
    ends.sort_by_key(|end| (end.time, end.what.contains(ENDS[0])));
    ends.pop()
}

fn of_record(record: &Record) -> Option<LastPanic> {
    let lines: Vec<&str> = record.text.lines().collect();
    let (at, _) = ENDS.iter().find_map(|end| {
        lines
            .iter()
            .enumerate()
            .find(|(_, line)| line.contains(end))
    })?;
    let from = at.min(lines.len().saturating_sub(MOST_LINES));
    Some(LastPanic {
        source: record.name.clone(),
        time: record.time,
        what: message(lines[at]),
        tail: lines[from..]
            .iter()
            .take(MOST_LINES)
            .map(|line| line.chars().take(LONGEST_LINE).collect())
            .collect(),
    })
}

/// A line without its level and time: `<0>[   12.345678] Kernel panic ...`.
fn message(line: &str) -> String {
    let mut rest = line.trim();
    for (open, close) in [('<', '>'), ('[', ']'), ('[', ']')] {
        if let Some((_, after)) = rest.strip_prefix(open).and_then(|r| r.split_once(close)) {
            rest = after.trim_start();
        }
    }
    rest.chars().take(LONGEST_LINE).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn record(name: &str, time: i64, text: &str) -> Record {
        Record {
            name: name.into(),
            time,
            text: text.into(),
        }
    }

    const PANIC: &str = "Panic#1 Part1\n<4>[   12.1] Call Trace:\n\
        <0>[   12.345678][    T1] Kernel panic - not syncing: Attempted to kill init!\n\
        <0>[   12.4] ---[ end Kernel panic ]---\n";

    #[test]
    fn the_newest_panic_is_told() {
        let records = [
            record("dmesg-efi-1", 10, PANIC),
            record(
                "dmesg-efi-2",
                20,
                "Oops#1 Part1\n<4>[ 9.0] BUG: kernel NULL pointer\n",
            ),
            record(
                "dmesg-efi-3",
                30,
                "Shutdown#1 Part1\n<6>[ 9.0] reboot: Power down\n",
            ),
            record("console-ramoops-0", 40, PANIC),
        ];
        let last = newest(&records).unwrap();
        assert_eq!(
            (last.time, last.what.as_str()),
            (20, "BUG: kernel NULL pointer")
        );
        let last = newest(&records[..1]).unwrap();
        assert_eq!(
            last.what,
            "Kernel panic - not syncing: Attempted to kill init!"
        );
        assert_eq!(last.tail.len(), 4);
        assert_eq!(newest(&records[2..]), None);
    }

    #[test]
    fn of_the_records_of_one_end_the_panic_is_told() {
        let records = [
            record("dmesg-efi-1", 10, PANIC),
            record("dmesg-efi-2", 10, "<4>[ 9.0] BUG: kernel NULL pointer\n"),
        ];
        assert!(newest(&records).unwrap().what.starts_with("Kernel panic"));
    }

    proptest! {
        #[test]
        fn no_record_makes_it_fail(text in "(\\PC|\n|<|>|\\[|\\]|Oops:|BUG: ){0,300}") {
            newest(&[record("dmesg-x", 0, &text)]);
        }
    }
}
