//! The health of a disk in one or two lines.

use crate::survey::health::{Health, Judgement};
use crate::survey::{Disk, Survey};

/// The health lines of one disk; none for an image.
pub fn lines(disk: &Disk) -> Vec<String> {
    let Some(health) = &disk.health else {
        return Vec::new();
    };
    let judged = match health.judged() {
        Judgement::Failing => format!("FAILING: {}", health.failing().join("; ")),
        Judgement::Worn => format!("worn: {}", health.worn().join(", ")),
        Judgement::Ok => "ok".to_owned(),
        Judgement::Unknown => {
            let why = health.unreadable.as_deref().unwrap_or("not told");
            return vec![format!("health: not known: {why}")];
        }
    };
    let mut words = vec![judged];
    words.extend(numbers(health));
    let mut lines = vec![format!("health: {}", words.join(", "))];
    lines.extend(health.overheating().map(|heat| format!("TOO HOT: {heat}")));
    lines
}

/// What the kernel's log says about disks, one line for each.
pub fn log_lines(survey: &Survey) -> Vec<String> {
    let logs = survey.kernel_log.disks.iter();
    logs.map(|log| {
        let counts = [
            (log.dropouts, "dropped out"),
            (log.medium_errors, "medium errors"),
            (log.io_errors, "failed requests"),
            (log.timeouts, "timeouts"),
            (log.resets, "resets"),
        ];
        let counts: Vec<String> = counts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        let gone = if log.present { "" } else { " (not there)" };
        let counts = match counts.is_empty() {
            true => "see dmesg".to_owned(),
            false => counts.join(", "),
        };
        format!("kernel log about {}{gone}: {counts}", log.name)
    })
    .collect()
}

fn numbers(health: &Health) -> Vec<String> {
    let mut words = Vec::new();
    let worn = health.worn_percent.filter(|percent| *percent < 100);
    words.extend(worn.map(|percent| format!("{percent}% worn")));
    words.extend(health.temperature.map(|celsius| format!("{celsius} C")));
    words.extend(health.power_on_hours.map(|hours| format!("{hours} hours")));
    let mut counted = |count: Option<u64>, what: &str| {
        let count = count.filter(|count| *count > 0);
        words.extend(count.map(|count| format!("{count} {what}")));
    };
    counted(health.unsafe_shutdowns, "unsafe shutdowns");
    counted(health.reallocated_sectors, "sectors replaced");
    words
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::survey::Source;
    use crate::survey::health::Warning;

    fn disk(health: Option<Health>) -> Disk {
        let source = Source {
            path: PathBuf::from("/dev/nvme0n1"),
            offset: 0,
            bytes: 0,
        };
        Disk {
            health,
            ..Disk::blank("nvme0n1".into(), source)
        }
    }

    #[test]
    fn a_disk_has_one_line_and_an_image_none() {
        let mut health = Health {
            worn_percent: Some(3),
            temperature: Some(41),
            unsafe_shutdowns: Some(12),
            media_errors: Some(0),
            ..Health::default()
        };
        assert_eq!(
            lines(&disk(Some(health.clone()))),
            ["health: ok, 3% worn, 41 C, 12 unsafe shutdowns"]
        );
        health.warnings.push(Warning::ReadOnly);
        assert_eq!(
            lines(&disk(Some(health.clone())))[0],
            "health: FAILING: it has made itself read-only, 3% worn, 41 C, \
             12 unsafe shutdowns"
        );
        health.warnings = vec![Warning::Temperature];
        assert_eq!(lines(&disk(Some(health))).len(), 2);
        assert_eq!(lines(&disk(None)), Vec::<String>::new());
    }
}
