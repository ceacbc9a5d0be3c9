//! The patient's starts, from journal, wtmp and wtmp.db together.

use serde::{Deserialize, Serialize};

use super::{Clock, Collected, Event, Kind, Weight};
use crate::sys::machine;

/// So far may the two tell the start of one boot apart, in seconds.
const SAME: i64 = 180;

/// Boots that are kept, the newest.
const MOST_BOOTS: usize = 50;

/// One start of the system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Boot {
    /// The kernel's id of it, where the journal tells.
    pub id: Option<String>,
    /// Its first record, in seconds since 1970.
    pub started: i64,
    /// Its last record.
    pub last: i64,
    /// The kernel's version.
    pub kernel: Option<String>,
    /// The last target that it reached.
    pub reached: Option<String>,
    /// True when systemd had started all that it was to start.
    pub finished: bool,
    /// How it ended.
    pub ending: Ending,
    /// Units that did not start, the first ones.
    pub failures: Vec<UnitFailure>,
    /// The file that tells most of it.
    pub path: String,
}

/// A unit that did not start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UnitFailure {
    /// When.
    pub time: i64,
    /// Its name.
    pub unit: String,
    /// What systemd said.
    pub message: String,
}

/// How a boot ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// It was shut down and came to the end of that.
    Clean,
    /// It was being shut down when its record breaks off.
    ShuttingDown,
    /// Its record breaks off.
    CutOff,
    /// It is the one that runs now.
    Running,
    /// Its record does not tell.
    Unknown,
}

impl Ending {
    /// It in words, after "the boot".
    pub fn words(self) -> &'static str {
        match self {
            Self::Clean => "was shut down cleanly",
            Self::ShuttingDown => "was shutting down when its record breaks off",
            Self::CutOff => "was cut off, without a shutdown",
            Self::Running => "is still running",
            Self::Unknown => "has no recorded end",
        }
    }
}

impl Boot {
    /// A boot of which only the start is known.
    pub(super) fn new(started: i64, path: &str) -> Self {
        Self {
            id: None,
            started,
            last: started,
            kernel: None,
            reached: None,
            finished: false,
            ending: Ending::Unknown,
            failures: Vec::new(),
            path: path.to_owned(),
        }
    }
}

/// Makes one list of both, and tells it.
pub(super) fn merge(out: &mut Collected) {
    let (mut boots, others): (Vec<Boot>, Vec<Boot>) = std::mem::take(&mut out.boots)
        .into_iter()
        .partition(|boot| boot.id.is_some());
    for other in others {
        let near = |boot: &&mut Boot| {
            (boot.started.saturating_sub(SAME)..=boot.started.saturating_add(SAME))
                .contains(&other.started)
        };
        match boots.iter_mut().find(near) {
            Some(boot) => add(boot, other),
            None => boots.push(other),
        }
    }
    boots.sort_by_key(|boot| boot.started);
    mark_running(&mut boots, machine::this_boot());
    let surplus = boots.len().saturating_sub(MOST_BOOTS);
    boots.drain(..surplus);
    let last = boots.len().saturating_sub(1);
    for (index, boot) in boots.iter().enumerate() {
        out.add(tell(boot, index == last));
    }
    out.boots = boots;
}

/// What wtmp knows of a boot that the journal has.
fn add(boot: &mut Boot, other: Boot) {
    boot.last = boot.last.max(other.last);
    boot.kernel = boot.kernel.take().or(other.kernel);
    // The journal stops before the stop is written to wtmp.
    let better = matches!(boot.ending, Ending::Unknown | Ending::ShuttingDown);
    if other.ending == Ending::Clean && better {
        boot.ending = Ending::Clean;
    }
}

fn mark_running(boots: &mut [Boot], (id, began): (Option<String>, Option<i64>)) {
    for boot in boots {
        let same = match (&boot.id, began) {
            (Some(own), _) => Some(own) == id.as_ref(),
            (None, Some(began)) => began.abs_diff(boot.started) <= SAME.unsigned_abs(),
            (None, None) => false,
        };
        if same {
            boot.ending = Ending::Running;
        }
    }
}

fn tell(boot: &Boot, is_last: bool) -> Vec<Event> {
    let weight = |last, others| if is_last { last } else { others };
    let event = |time, kind, weight, text: String| {
        Event::new((time, Clock::Exact), kind, weight, text).at(&boot.path, None)
    };
    let kernel = match &boot.kernel {
        Some(kernel) => format!(" with kernel {kernel}"),
        None => String::new(),
    };
    let start = weight(Weight::Key, Weight::Usual);
    let mut events = vec![event(
        boot.started,
        Kind::Boot,
        start,
        format!("the system started{kernel}"),
    )];
    for (index, failure) in boot.failures.iter().enumerate() {
        let weight = match index {
            0 => weight(Weight::Key, Weight::Detail),
            _ => weight(Weight::Usual, Weight::Detail),
        };
        let text = format!("{} failed: {}", failure.unit, failure.message);
        events.push(event(failure.time, Kind::UnitFailed, weight, text));
    }
    let far = match (&boot.reached, boot.finished) {
        (_, true) => "; all of it had started".to_owned(),
        (Some(target), false) => format!("; it had come to {target}"),
        (None, false) if boot.id.is_some() => "; it had reached no target".to_owned(),
        (None, false) => String::new(),
    };
    if boot.ending != Ending::Running {
        let weight = match boot.ending {
            Ending::CutOff | Ending::ShuttingDown => weight(Weight::Key, Weight::Usual),
            Ending::Unknown if boot.id.is_none() => Weight::Detail,
            _ => weight(Weight::Key, Weight::Detail),
        };
        let text = match boot.ending {
            Ending::Unknown => format!("last record of this boot{far}"),
            ending => format!("this boot {}{far}", ending.words()),
        };
        events.push(event(boot.last, Kind::BootEnded, weight, text));
    }
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wtmp_and_journal_tell_the_same_boots() {
        let journal = Boot {
            id: Some("a".into()),
            last: 2_000,
            ending: Ending::ShuttingDown,
            ..Boot::new(1_000, "/j")
        };
        let earlier = Boot {
            ending: Ending::CutOff,
            ..Boot::new(100, "/w")
        };
        let same = Boot {
            kernel: Some("6.1".into()),
            ending: Ending::Clean,
            ..Boot::new(1_010, "/w")
        };
        let mut out = Collected {
            boots: vec![earlier, same, journal],
            ..Collected::default()
        };
        merge(&mut out);
        assert_eq!(out.boots.len(), 2);
        assert_eq!(out.boots[1].kernel.as_deref(), Some("6.1"));
        assert_eq!(out.boots[1].ending, Ending::Clean);
        let kinds: Vec<_> = out.events.iter().map(|event| event.kind).collect();
        let boot = [Kind::Boot, Kind::BootEnded];
        assert_eq!(kinds, [boot, boot].concat());
    }

    #[test]
    fn the_boot_that_runs_has_no_end() {
        let mut boots = [Boot::new(1_000, "/w"), Boot::new(9_000, "/w")];
        mark_running(&mut boots, (None, Some(9_100)));
        assert_eq!(boots[0].ending, Ending::Unknown);
        assert_eq!(boots[1].ending, Ending::Running);
        assert!(
            tell(&boots[1], true)
                .iter()
                .all(|e| e.kind != Kind::BootEnded)
        );
    }
}
