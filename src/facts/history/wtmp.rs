//! `/var/log/wtmp`: starts, stops and logins (utmp(5), glibc's
//! `bits/types/struct_utmp.h` and `bits/utmp.h`).

use std::io::{Read, Seek, SeekFrom};

use super::boots::{Boot, Ending};
use super::{Clock, Collected, Event, Kind, Weight};
use crate::sys::root_dir::RootDir;

/// Bytes that are read from the end of a file.
const TAIL: u64 = 8 << 20;

/// Where the times lie in the two sizes that a record has: with 32-bit times
/// (x86, also on amd64, arm, power), and with 64-bit ones (aarch64, riscv64).
const FORMS: [Form; 2] = [
    Form {
        size: 384,
        time: 340,
        wide: false,
    },
    Form {
        size: 400,
        time: 344,
        wide: true,
    },
];

/// No system of this kind is older.
const YEAR_2000: i64 = 946_684_800;

const RUN_LVL: u16 = 1;
const BOOT_TIME: u16 = 2;
const USER_PROCESS: u16 = 7;
const DEAD_PROCESS: u16 = 8;

#[derive(Debug, Clone, Copy)]
struct Form {
    size: usize,
    time: usize,
    wide: bool,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    kind: u16,
    line: String,
    user: String,
    host: String,
    time: i64,
}

/// Reads starts, stops and logins.
pub(super) fn collect(root: &RootDir, out: &mut Collected) {
    let mut records = Vec::new();
    for path in ["/var/log/wtmp.1", "/var/log/wtmp"] {
        let holds = "starts, stops and logins";
        match tail(root, path) {
            Ok(bytes) if bytes.is_empty() => out.source(path, holds, None),
            Ok(bytes) => match parse(&bytes) {
                Some(found) => {
                    out.source(path, holds, None);
                    if let Some(last) = found.last() {
                        out.seen(path, last.time);
                    }
                    records.extend(found.into_iter().map(|record| (record, path)));
                }
                None => out.source(path, holds, Some("its records make no sense".into())),
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => out.source(path, holds, Some(error.to_string())),
        }
    }
    let logins = records
        .iter()
        .filter_map(|(r, path)| Some(login(r)?.at(path, None)));
    out.add(logins.collect());
    out.boots.extend(boots(&records));
}

fn login(record: &Record) -> Option<Event> {
    if record.kind != USER_PROCESS || record.user.is_empty() {
        return None;
    }
    let from = match record.host.as_str() {
        "" => String::new(),
        host => format!(" from {host}"),
    };
    let text = format!("{} logged in on {}{from}", record.user, record.line);
    let when = (record.time, Clock::Exact);
    Some(Event::new(when, Kind::Login, Weight::Detail, text))
}

/// A start, all until the next one, and the stop where one is recorded.
fn boots(records: &[(Record, &str)]) -> Vec<Boot> {
    let mut boots: Vec<Boot> = Vec::new();
    for (record, path) in records {
        if record.kind == BOOT_TIME {
            // A start after a start without a stop between them.
            if let Some(boot) = boots.last_mut().filter(|b| b.ending == Ending::Unknown) {
                boot.ending = Ending::CutOff;
            }
            let kernel = (!record.host.is_empty()).then(|| record.host.clone());
            boots.push(Boot {
                kernel,
                ..Boot::new(record.time, path)
            });
            continue;
        }
        let Some(boot) = boots.last_mut() else {
            continue;
        };
        boot.last = boot.last.max(record.time);
        let stops = record.user == "shutdown" || (record.user == "runlevel" && record.time == 0);
        if record.kind == RUN_LVL && stops {
            boot.ending = Ending::Clean;
        }
    }
    boots
}

/// The end of a file, beginning with a whole record of either form.
fn tail(root: &RootDir, path: &str) -> std::io::Result<Vec<u8>> {
    let mut file = root.open_file(path)?;
    let length = file.metadata()?.len();
    let step: u64 = FORMS.iter().map(|form| form.size as u64).product();
    let start = length.saturating_sub(TAIL).next_multiple_of(step);
    file.seek(SeekFrom::Start(start.min(length)))?;
    let mut bytes = Vec::new();
    file.take(TAIL).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The records, in the form in which they make sense.
pub(super) fn parse(bytes: &[u8]) -> Option<Vec<Record>> {
    let read = FORMS.iter().filter_map(|form| read(bytes, *form));
    read.max_by_key(|records| {
        let sensible = |r: &&Record| r.kind != 0 && r.time > YEAR_2000;
        let good = records.iter().filter(sensible).count();
        good * 1000 / records.len().max(1)
    })
}

fn read(bytes: &[u8], form: Form) -> Option<Vec<Record>> {
    let mut records = Vec::new();
    for raw in bytes.chunks_exact(form.size) {
        let kind = u16::from_le_bytes([*raw.first()?, *raw.get(1)?]);
        let time = match form.wide {
            true => i64::from_le_bytes(raw.get(form.time..form.time + 8)?.try_into().ok()?),
            false => {
                let raw = raw.get(form.time..form.time + 4)?.try_into().ok()?;
                i64::from(u32::from_le_bytes(raw))
            }
        };
        // The kinds of utmp(5); a file of other things has others.
        if kind > 9 || raw.get(2..4)? != [0, 0] {
            return None;
        }
        records.push(Record {
            kind,
            line: text(raw.get(8..40)?),
            user: text(raw.get(44..76)?),
            host: text(raw.get(76..332)?),
            time,
        });
    }
    let known = |r: &&Record| matches!(r.kind, RUN_LVL | BOOT_TIME | USER_PROCESS | DEAD_PROCESS);
    (records.iter().any(|r| known(&r)) && !records.is_empty()).then_some(records)
}

fn text(field: &[u8]) -> String {
    let end = field.iter().position(|byte| *byte == 0);
    String::from_utf8_lossy(field.get(..end.unwrap_or(field.len())).unwrap_or_default())
        .into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;
    use std::process::{Command, Stdio};

    use proptest::prelude::*;

    use super::*;

    /// As `utmpdump` prints the wtmp of a server that was started twice.
    const DUMP: &str = "\
[2] [00000] [~~  ] [reboot  ] [~           ] [6.1.0-40-amd64      ] [0.0.0.0        ] [2026-11-24T20:00:00,000000+00:00]
[7] [00700] [ts/0] [root    ] [pts/0       ] [192.0.2.7           ] [192.0.2.7      ] [2026-11-24T20:05:00,000000+00:00]
[1] [00000] [~~  ] [shutdown] [~           ] [6.1.0-40-amd64      ] [0.0.0.0        ] [2026-11-24T21:00:00,000000+00:00]
[2] [00000] [~~  ] [reboot  ] [~           ] [6.1.0-40-amd64      ] [0.0.0.0        ] [2026-11-24T21:01:00,000000+00:00]
[8] [00700] [    ] [        ] [pts/0       ] [                    ] [0.0.0.0        ] [2026-11-25T07:03:00,000000+00:00]
[2] [00000] [~~  ] [reboot  ] [~           ] [6.1.0-40-amd64      ] [0.0.0.0        ] [2026-11-25T07:10:00,000000+00:00]
";

    /// The records that the real tool makes of that; none where it is missing.
    fn made() -> Option<Vec<u8>> {
        let mut child = Command::new("utmpdump")
            .arg("-r")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        child.stdin.take()?.write_all(DUMP.as_bytes()).ok()?;
        let output = child.wait_with_output().ok()?;
        output.status.success().then_some(output.stdout)
    }

    #[test]
    fn records_of_the_real_tool() {
        let Some(bytes) = made() else { return };
        let records = parse(&bytes).unwrap();
        assert_eq!(records.len(), 6);
        let with: Vec<_> = records.iter().map(|r| (r.clone(), "/w")).collect();
        let boots = boots(&with);
        let endings: Vec<_> = boots.iter().map(|boot| boot.ending).collect();
        assert_eq!(endings, [Ending::Clean, Ending::CutOff, Ending::Unknown]);
        assert_eq!(boots[0].kernel.as_deref(), Some("6.1.0-40-amd64"));
        assert_eq!(boots[1].last, 1_795_590_180);
        let logins: Vec<_> = records.iter().filter_map(login).collect();
        assert_eq!(logins[0].text, "root logged in on pts/0 from 192.0.2.7");
    }

    #[test]
    fn records_with_wide_times_are_known_by_their_size() {
        let mut bytes = Vec::new();
        for (kind, time) in [(2_u8, 1_795_590_119_i64), (7, 1_795_590_200)] {
            let mut record = vec![0; 400];
            record[0] = kind;
            record[44..48].copy_from_slice(b"root");
            record[344..352].copy_from_slice(&time.to_le_bytes());
            bytes.extend(record);
        }
        let records = parse(&bytes).unwrap();
        assert_eq!((records.len(), records[1].time), (2, 1_795_590_200));
    }

    proptest! {
        #[test]
        fn no_bytes_are_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..1600)) {
            parse(&bytes);
        }
    }
}
