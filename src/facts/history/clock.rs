//! Times in logs: with a zone, without one, without even a year.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use serde::{Deserialize, Serialize};

use crate::sys::root_dir::RootDir;

/// Where the system says what its local time is (localtime(5)).
const LOCALTIME: &str = "/etc/localtime";

/// The largest TZif file of tzdata has 4 KiB.
const LIMIT: u64 = 256 * 1024;

/// How a time was come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Clock {
    /// Written in UTC or with its offset.
    Exact,
    /// Written in local time, converted by the patient's own time zone.
    Zone,
    /// Written in local time, whose zone is not known: taken as if it were UTC.
    Local,
    /// Not written at all: it happened at this time or before.
    NotAfter,
}

/// The patient's time zone.
#[derive(Debug, Clone)]
pub(super) struct Zone {
    zone: Option<TimeZone>,
    /// Where it was taken from, for people.
    pub(super) what: String,
}

impl Zone {
    /// The zone of this root.
    pub(super) fn of(root: &RootDir) -> Self {
        let target = root.read_link(LOCALTIME).ok();
        let text = target.map(|t| t.to_string_lossy().into_owned());
        let name = text.as_deref().and_then(|t| t.split("zoneinfo/").nth(1));
        match (root.read(LOCALTIME, LIMIT), name) {
            (Ok(bytes), name) => Self::parse(name.unwrap_or("a zone without a name"), &bytes),
            // The file may have gone with /usr; UTC needs none.
            (Err(_), Some("UTC" | "Etc/UTC" | "UCT" | "Etc/UCT" | "Zulu" | "Universal")) => {
                Self::utc("UTC")
            }
            (Err(_), Some(name)) => Self {
                zone: None,
                what: format!("not known: {LOCALTIME} leads to {name}, which cannot be read"),
            },
            (Err(error), None) if error.kind() == std::io::ErrorKind::NotFound => {
                Self::utc("UTC, as there is no /etc/localtime")
            }
            (Err(error), None) => Self {
                zone: None,
                what: format!("not known: {LOCALTIME}: {error}"),
            },
        }
    }

    /// From the bytes of a TZif file (RFC 9636).
    pub(super) fn parse(name: &str, bytes: &[u8]) -> Self {
        match TimeZone::tzif(name, bytes) {
            Ok(zone) => Self {
                zone: Some(zone),
                what: name.to_owned(),
            },
            Err(_) => Self {
                zone: None,
                what: format!("not known: {LOCALTIME} is no time zone file"),
            },
        }
    }

    /// UTC, for a reason.
    pub(super) fn utc(what: &str) -> Self {
        Self {
            zone: Some(TimeZone::UTC),
            what: what.to_owned(),
        }
    }

    /// UTC, for what needs no zone.
    #[cfg(test)]
    pub(super) fn test_utc() -> Self {
        Self::utc("UTC")
    }

    /// Seconds since 1970 of a time in a log. Of an hour that a clock change
    /// repeats the first is taken.
    pub(super) fn seconds(&self, stamp: &Stamp) -> Option<(i64, Clock)> {
        if let Some(offset) = stamp.offset {
            let zone = TimeZone::fixed(Offset::from_seconds(offset).ok()?);
            let time = zone.to_timestamp(stamp.local).ok()?;
            return Some((time.as_second(), Clock::Exact));
        }
        let (zone, clock) = match &self.zone {
            Some(zone) => (zone.clone(), Clock::Zone),
            None => (TimeZone::UTC, Clock::Local),
        };
        Some((zone.to_timestamp(stamp.local).ok()?.as_second(), clock))
    }

    /// When this year begins, in UTC: near enough to tell years apart.
    pub(super) fn year_start(&self, year: i16) -> i64 {
        let start = DateTime::new(year, 1, 1, 0, 0, 0, 0).ok();
        let start = start.and_then(|start| TimeZone::UTC.to_timestamp(start).ok());
        start.map_or(0, |start| start.as_second())
    }

    /// The year in which `seconds` lies.
    pub(super) fn year(&self, seconds: i64) -> i16 {
        let zone = self.zone.clone().unwrap_or(TimeZone::UTC);
        Timestamp::from_second(seconds).map_or(1970, |time| zone.to_datetime(time).year())
    }
}

/// A time as a log spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    local: DateTime,
    /// Seconds east of UTC, where the log says so.
    offset: Option<i32>,
}

impl Stamp {
    /// `2026-11-25 02:10:11`, with one or more spaces or a `T` in the middle;
    /// then a fraction (`.123`, `,123`) and an offset (`Z`, `+0200`, `+02:00`)
    /// where there are any. Also what follows it.
    pub(super) fn read(text: &str) -> Option<(Self, &str)> {
        let date = text.get(..10)?;
        let (year, month, day) = (date.get(..4)?, date.get(5..7)?, date.get(8..10)?);
        if date.get(4..5)? != "-" || date.get(7..8)? != "-" {
            return None;
        }
        let rest = text.get(10..)?;
        let rest = match rest.strip_prefix('T') {
            Some(rest) => rest,
            None if rest.starts_with(' ') => rest.trim_start_matches(' '),
            None => return None,
        };
        let ((hour, minute, second), rest) = clock(rest)?;
        let local = civil(
            number(year)?,
            number(month)?,
            number(day)?,
            (hour, minute, second),
        )?;
        let rest = fraction(rest);
        let (offset, rest) = offset(rest);
        Some((Self { local, offset }, rest))
    }

    /// `Nov 25 07:01:59` of the traditional syslog, in this year.
    pub(super) fn read_syslog(text: &str, year: i16) -> Option<(Self, &str)> {
        const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
        let at = MONTHS.find(text.get(..3)?)?;
        let month = i8::try_from(at / 3 + 1).ok().filter(|_| at % 3 == 0)?;
        let rest = text.get(3..)?.strip_prefix(' ')?.trim_start_matches(' ');
        let (day, rest) = rest.split_once(' ')?;
        let (time, rest) = clock(rest)?;
        let local = civil(year, month, number(day)?, time)?;
        Some((
            Self {
                local,
                offset: None,
            },
            rest,
        ))
    }
}

fn civil(year: i16, month: i8, day: i8, (hour, minute, second): (i8, i8, i8)) -> Option<DateTime> {
    // A leap second is the one before it.
    DateTime::new(year, month, day, hour, minute, second.min(59), 0).ok()
}

fn number<T: std::str::FromStr>(digits: &str) -> Option<T> {
    let all = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    all.then(|| digits.parse().ok())?
}

/// `07:01:59`, or `07:01` as old pacman wrote it.
fn clock(text: &str) -> Option<((i8, i8, i8), &str)> {
    let (hour, minute) = (number(text.get(..2)?)?, number(text.get(3..5)?)?);
    if text.get(2..3)? != ":" {
        return None;
    }
    let rest = text.get(5..)?;
    match rest.strip_prefix(':') {
        Some(more) => Some(((hour, minute, number(more.get(..2)?)?), more.get(2..)?)),
        None => Some(((hour, minute, 0), rest)),
    }
}

fn fraction(text: &str) -> &str {
    match text.strip_prefix(['.', ',']) {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_digit()) => {
            rest.trim_start_matches(|c: char| c.is_ascii_digit())
        }
        _ => text,
    }
}

fn offset(text: &str) -> (Option<i32>, &str) {
    if let Some(rest) = text.strip_prefix('Z') {
        return (Some(0), rest);
    }
    let parsed = || {
        let sign = match text.get(..1)? {
            "+" => 1,
            "-" => -1,
            _ => return None,
        };
        let hours: i32 = number(text.get(1..3)?)?;
        let rest = text.get(3..)?;
        let rest = rest.strip_prefix(':').unwrap_or(rest);
        let minutes: i32 = number(rest.get(..2)?)?;
        Some((Some(sign * (hours * 3600 + minutes * 60)), rest.get(2..)?))
    };
    parsed().unwrap_or((None, text))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn utc(text: &str) -> (i64, Clock) {
        let (stamp, _) = Stamp::read(text).unwrap();
        Zone::test_utc().seconds(&stamp).unwrap()
    }

    #[test]
    fn every_spelling_gives_the_same_second() {
        let second = 1_795_590_119;
        assert_eq!(utc("2026-11-25  07:01:59"), (second, Clock::Zone));
        for text in [
            "2026-11-25T07:01:59Z",
            "2026-11-25T07:01:59+0000 SUBDEBUG",
            "2026-11-25T08:01:59.123456+01:00 host",
            "2026-11-25T02:31:59-0430",
        ] {
            assert_eq!(utc(text), (second, Clock::Exact), "{text}");
        }
        assert_eq!(utc("2026-11-25 07:01:59,123 INFO").0, second);
        let (stamp, rest) = Stamp::read_syslog("Nov 25 07:01:59 host x", 2026).unwrap();
        assert_eq!(Zone::test_utc().seconds(&stamp).unwrap().0, second);
        assert_eq!(rest, " host x");
        assert!(Stamp::read_syslog("Nov  5 07:01:59 host", 2026).is_some());
    }

    #[test]
    fn nonsense_is_no_time() {
        for text in [
            "",
            "2026-13-25 07:01:59",
            "2026-11-31 07:01:59",
            "2026-11-25",
            "2026-11-25 7:1:5",
        ] {
            assert!(Stamp::read(text).is_none(), "{text}");
        }
        assert!(Stamp::read_syslog("anF 25 07:01:59 x", 2026).is_none());
    }

    #[test]
    fn a_zone_of_tzdata_moves_the_time_and_rubbish_is_no_zone() {
        // TZif of Europe/Berlin is on every machine with tzdata.
        let Ok(bytes) = std::fs::read("/usr/share/zoneinfo/Europe/Berlin") else {
            return;
        };
        let zone = Zone::parse("Europe/Berlin", &bytes);
        let at = |text: &str| zone.seconds(&Stamp::read(text).unwrap().0).unwrap();
        assert_eq!(at("2026-11-25 08:01:59"), (1_795_590_119, Clock::Zone));
        assert_eq!(at("2026-07-25 09:01:59").0, utc("2026-07-25 07:01:59").0);
        // 02:30 does not exist on this day, and twice on that one.
        assert_eq!(at("2026-03-29 02:30:00").0, utc("2026-03-29 01:30:00").0);
        assert_eq!(at("2026-10-25 02:30:00").0, utc("2026-10-25 00:30:00").0);
        let none = Zone::parse("x", b"TZif2 and nothing");
        let stamp = Stamp::read("2026-11-25 07:01:59").unwrap().0;
        assert_eq!(none.seconds(&stamp), Some((1_795_590_119, Clock::Local)));
    }

    proptest! {
        #[test]
        fn no_text_is_a_panic(text in "\\PC{0,40}", bytes: Vec<u8>) {
            let _ = Stamp::read(&text).map(|(s, _)| Zone::test_utc().seconds(&s));
            let _ = Stamp::read_syslog(&text, 2026);
            let _ = Zone::parse("x", &bytes);
        }

        #[test]
        fn almost_a_time_is_no_panic(text in "[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9:é]{2,8}[+Z.,0-9:]{0,9}") {
            let _ = Stamp::read(&text).map(|(s, _)| Zone::test_utc().seconds(&s));
        }
    }
}
