//! Repair or reinstall, and when to stop trying: what the operator said of both
//! against what the plan takes.

use serde::Serialize;

use crate::date::date;
use crate::repairs::Plan;

use super::{Kind, Verdict};

/// Minutes after which is decided, where the operator says nothing.
pub const DECIDE_BY: u32 = 60;

/// What the operator said, and the time. Minutes, and seconds since 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Terms {
    /// When the session began.
    pub began: Option<u64>,
    /// Now.
    pub now: u64,
    /// Minutes from the beginning until it is decided.
    pub decide_by: Option<u32>,
    /// Minutes that a reinstall takes, the data brought back.
    pub reinstall: Option<u32>,
    /// Age of the backup in minutes.
    pub backup_age: Option<u32>,
}

/// The shorter way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// The plan.
    Repair,
    /// A reinstall.
    Reinstall,
}

/// What the terms come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Decision {
    /// When the session began, in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub began: Option<String>,
    /// Minutes since then.
    pub minutes_gone: u32,
    /// Minutes from the beginning until it is decided.
    pub decide_by_minutes: u32,
    /// That moment, in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decide_at: Option<String>,
    /// It has come.
    pub is_due: bool,
    /// Minutes that the plan takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repair_minutes: Option<u32>,
    /// Minutes that a reinstall takes, as the operator said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reinstall_minutes: Option<u32>,
    /// Age of the backup in minutes, as the operator said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backup_age_minutes: Option<u32>,
    /// The shorter way, where both are known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shorter: Option<Way>,
}

impl Terms {
    /// True when there is something to tell.
    fn says_something(&self) -> bool {
        let said = [self.decide_by, self.reinstall, self.backup_age];
        self.began.is_some() || said.iter().any(Option::is_some)
    }
}

impl Verdict {
    /// Why a reinstall is recommended, the time, and what each way costs: lines of
    /// the first screen.
    pub fn decision_lines(&self) -> Vec<String> {
        let reasons = self.reformat_because.iter();
        let mut lines: Vec<String> = reasons.map(|reason| format!("Why: {reason}.")).collect();
        lines.extend(self.decision.iter().flat_map(Decision::lines));
        lines
    }

    /// The verdict with what the operator said taken into account: a repair that
    /// takes longer than a reinstall is not recommended.
    #[must_use]
    pub fn decided(mut self, plan: &Plan, terms: &Terms) -> Self {
        if !terms.says_something() {
            return self;
        }
        let gone = terms
            .began
            .map_or(0, |began| terms.now.saturating_sub(began) / 60);
        let decide_by = terms.decide_by.unwrap_or(DECIDE_BY);
        let repair = (!plan.clone().revocable().repairs.is_empty())
            .then_some(self.minutes)
            .flatten();
        let shorter = match (repair, terms.reinstall) {
            (Some(repair), Some(reinstall)) if repair > reinstall => Some(Way::Reinstall),
            (Some(_), Some(_)) => Some(Way::Repair),
            _ => None,
        };
        let moment = |minutes: u64| terms.began.map(|began| date(began + 60 * minutes));
        let decision = Decision {
            began: moment(0),
            minutes_gone: u32::try_from(gone).unwrap_or(u32::MAX),
            decide_by_minutes: decide_by,
            decide_at: moment(u64::from(decide_by)),
            is_due: gone >= u64::from(decide_by),
            repair_minutes: repair,
            reinstall_minutes: terms.reinstall,
            backup_age_minutes: terms.backup_age,
            shorter,
        };
        if let (Kind::Repairable, Some(Way::Reinstall)) = (self.kind, shorter) {
            self.kind = Kind::Reformat;
            self.reformat_because.push(format!(
                "the repair takes about {}, a reinstall {}, as you said",
                duration(repair.unwrap_or(0)),
                duration(terms.reinstall.unwrap_or(0))
            ));
        }
        self.decision = Some(decision);
        self
    }
}

impl Decision {
    /// The lines of the first screen.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let (Some(began), Some(at)) = (&self.began, &self.decide_at) {
            let clock = |moment: &str| moment.rsplit(' ').next().unwrap_or(moment).to_owned();
            lines.push(match self.is_due {
                true => format!(
                    "THE TIME TO DECIDE HAS COME: {} since {} UTC, agreed were {}. \
                     Save the data and reinstall, or agree on more: --decide-by {}",
                    duration(self.minutes_gone),
                    clock(began),
                    duration(self.decide_by_minutes),
                    duration(self.decide_by_minutes.saturating_mul(2))
                        .replace(' ', "")
                        .replace("min", "m")
                ),
                false => format!(
                    "Time: {} of {} since {} UTC; decide at {} (--decide-by changes it).",
                    duration(self.minutes_gone),
                    duration(self.decide_by_minutes),
                    clock(began),
                    clock(at)
                ),
            });
        }
        lines.extend(self.comparison());
        lines
    }

    fn comparison(&self) -> Option<String> {
        let reinstall = self.reinstall_minutes?;
        let back = match self.backup_age_minutes {
            Some(age) => format!(" and goes back to a backup that is {} old", duration(age)),
            None => " (how old is the backup? --backup-age)".to_owned(),
        };
        let repair = match self.repair_minutes {
            Some(minutes) => format!("the repair about {}", duration(minutes)),
            None => "there is no repair to compare it with".to_owned(),
        };
        Some(format!(
            "A reinstall takes {}{back}; {repair}.",
            duration(reinstall)
        ))
    }
}

/// Minutes as people say them: `45 min`, `4 h`, `1 h 30 min`, `3 d`.
pub fn duration(minutes: u32) -> String {
    let (days, hours, rest) = (minutes / 1440, minutes % 1440 / 60, minutes % 60);
    let parts = [(days, "d"), (hours, "h"), (rest, "min")];
    let parts = parts.iter().filter(|(number, _)| *number > 0);
    let parts: Vec<String> = parts
        .map(|(number, unit)| format!("{number} {unit}"))
        .collect();
    match parts.is_empty() {
        true => "0 min".to_owned(),
        false => parts.join(" "),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::repairs::{Key, Repair, Risk};

    fn plan() -> Plan {
        let key = Key {
            id: "packages/upgrade-interrupted".into(),
            subject: "dpkg".into(),
        };
        Plan {
            repairs: vec![Repair::of_nothing(key, Risk::Medium, 90)],
            ..Plan::default()
        }
    }

    fn decided(terms: Terms) -> Verdict {
        let plan = plan();
        Verdict::for_tests(Kind::Repairable, plan.minutes()).decided(&plan, &terms)
    }

    #[test]
    fn a_reinstall_that_is_shorter_is_recommended_with_the_reason() {
        let terms = Terms {
            reinstall: Some(60),
            backup_age: Some(180),
            ..Terms::default()
        };
        let verdict = decided(terms);
        assert_eq!(verdict.kind, Kind::Reformat);
        assert_eq!(
            verdict.reformat_because,
            ["the repair takes about 1 h 30 min, a reinstall 1 h, as you said"]
        );
        let decision = verdict.decision.unwrap();
        assert_eq!(decision.shorter, Some(Way::Reinstall));
        assert_eq!(
            decision.lines(),
            [
                "A reinstall takes 1 h and goes back to a backup that is 3 h old; the repair \
              about 1 h 30 min."
            ]
        );
        let longer = Terms {
            reinstall: Some(240),
            ..terms
        };
        assert_eq!(decided(longer).kind, Kind::Repairable);
    }

    #[test]
    fn the_moment_to_decide_is_told_when_it_has_come() {
        let began = 1_795_590_119;
        let at = |minutes: u64| Terms {
            began: Some(began),
            now: began + 60 * minutes,
            ..Terms::default()
        };
        let lines = |minutes| decided(at(minutes)).decision.unwrap().lines();
        assert_eq!(
            lines(12),
            ["Time: 12 min of 1 h since 07:01 UTC; decide at 08:01 (--decide-by changes it)."]
        );
        assert!(lines(60)[0].starts_with("THE TIME TO DECIDE HAS COME: 1 h since 07:01 UTC"));
        assert!(lines(60)[0].ends_with("--decide-by 2h"));
        assert_eq!(decided(Terms::default()).decision, None);
    }

    #[test]
    fn minutes_are_told_as_people_say_them() {
        let told = [0, 45, 60, 90, 1440, 1500].map(duration);
        assert_eq!(
            told,
            ["0 min", "45 min", "1 h", "1 h 30 min", "1 d", "1 d 1 h"]
        );
    }
}
