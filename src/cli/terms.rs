//! What the operator says of time.

use clap::Args;

/// What the operator says of time. It is remembered for the session.
#[derive(Debug, Clone, Default, Args)]
pub struct TermsArgs {
    /// Tell when this long has passed since the session began, such as 90m
    /// [default: 60m]
    #[arg(long, value_name = "TIME", value_parser = minutes)]
    pub decide_by: Option<u32>,
    /// What a reinstall takes, the data brought back, such as 4h: repairs are
    /// compared with it
    #[arg(long, value_name = "TIME", value_parser = minutes)]
    pub reinstall_takes: Option<u32>,
    /// How old the backup is, such as 26h or 3d
    #[arg(long, value_name = "TIME", value_parser = minutes)]
    pub backup_age: Option<u32>,
}

impl TermsArgs {
    /// True when any of them is given.
    pub fn say_something(&self) -> bool {
        let said = [self.decide_by, self.reinstall_takes, self.backup_age];
        said.iter().any(Option::is_some)
    }
}

/// Minutes of a time such as `45m`, `4h`, `1h30m`, `2d`; a number alone is
/// minutes.
fn minutes(text: &str) -> Result<u32, String> {
    let wrong = || format!("{text:?} is no time: write 45m, 4h, 1h30m or 2d");
    if let Ok(minutes) = text.parse() {
        return Ok(minutes);
    }
    let span: jiff::Span = text.parse().map_err(|_| wrong())?;
    let days = jiff::SpanRelativeTo::days_are_24_hours();
    let minutes = span
        .total((jiff::Unit::Minute, days))
        .map_err(|_| wrong())?;
    // A year is longer than any repair.
    match minutes {
        minutes if (1.0..=525_600.0).contains(&minutes) => {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // in range
            Ok(minutes.ceil() as u32)
        }
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::minutes;

    #[test]
    fn times_are_understood_as_they_are_said() {
        for (text, expected) in [
            ("60", 60),
            ("45m", 45),
            ("4h", 240),
            ("1h30m", 90),
            ("2d", 2880),
            ("90s", 2),
        ] {
            assert_eq!(minutes(text), Ok(expected), "{text}");
        }
        for text in ["", "soon", "-4h", "4 parsecs", "0m", "900000h"] {
            assert!(minutes(text).is_err(), "{text}");
        }
    }
}
