//! Times as people read them.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970 by this machine's clock; 0 when that stands before.
pub fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |since| since.as_secs())
}

/// Seconds since 1970 as a date in UTC, to the minute: `2026-11-25 07:01`.
pub fn date(seconds: u64) -> String {
    let Some(time) = moment(seconds) else {
        return format!("{seconds} s since 1970");
    };
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}",
        time.year(),
        u8::from(time.month()),
        time.day(),
        time.hour(),
        time.minute()
    )
}

/// The same to the second: `2026-11-25 07:01:59`.
pub fn to_the_second(seconds: u64) -> String {
    let minutes = date(seconds);
    match moment(seconds) {
        Some(time) => format!("{minutes}:{:02}", time.second()),
        None => minutes,
    }
}

fn moment(seconds: u64) -> Option<time::OffsetDateTime> {
    let seconds = i64::try_from(seconds).ok()?;
    time::OffsetDateTime::from_unix_timestamp(seconds).ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn dates_are_told_in_utc_and_nonsense_as_it_is() {
        assert_eq!(super::date(0), "1970-01-01 00:00");
        assert_eq!(super::date(1_795_590_119), "2026-11-25 07:01");
        assert_eq!(super::to_the_second(1_795_590_119), "2026-11-25 07:01:59");
        assert_eq!(super::date(u64::MAX), "18446744073709551615 s since 1970");
    }
}
