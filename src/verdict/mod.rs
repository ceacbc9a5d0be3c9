//! Stage 7, verdict: the answer to the operator's question.

use serde::Serialize;

mod confidence;
mod decision;
mod reformat;

pub use confidence::Confidence;
pub use decision::{DECIDE_BY, Decision, Terms, Way, duration};

use crate::assembly::State;
use crate::checks::survival;
use crate::facts::Facts;
use crate::finding::{Finding, Findings, Severity, Stage, Unknown};
use crate::outcome::Outcome;
use crate::repairs::{Plan, Risk};
use crate::survey::health::Judgement;
use crate::survey::{Content, Disk, DiskLog};
use crate::sysroot::Search;

/// The answer in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// It boots and can be reached.
    Boots,
    /// It does not, and the plan should change that.
    Repairable,
    /// No plan leads to a system that checks clean.
    Reformat,
    /// Save the data before anything else.
    HardwareFirst,
    /// Something that decides could not be examined or cannot be repaired here.
    Undetermined,
}

impl Kind {
    /// The word in reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Boots => "boots",
            Self::Repairable => "repairable",
            Self::Reformat => "reformat",
            Self::HardwareFirst => "hardware-first",
            Self::Undetermined => "undetermined",
        }
    }

    /// The exit code that goes with it.
    pub fn outcome(self) -> Outcome {
        match self {
            Self::Boots => Outcome::Boots,
            Self::Repairable => Outcome::Repairable,
            Self::Reformat => Outcome::Reformat,
            Self::HardwareFirst => Outcome::HardwareFirst,
            Self::Undetermined => Outcome::Undetermined,
        }
    }
}

/// Whether the machine comes up with one disk alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Survival {
    /// The disk that is left.
    pub disk: String,
    /// Whether it boots; none when that is not known.
    pub boots: Option<bool>,
    /// Why.
    pub why: String,
}

/// The verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Verdict {
    /// In one word.
    pub kind: Kind,
    /// In one sentence.
    pub headline: String,
    /// The first link of the boot chain that is broken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_broken: Option<Stage>,
    /// What could not be examined.
    pub unknown: Vec<Unknown>,
    /// Minutes that the plan takes; none without a plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minutes: Option<u32>,
    /// The plan's risk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub risk: Option<Risk>,
    /// With each disk alone.
    pub survival: Vec<Survival>,
    /// What it stands on.
    pub confidence: Confidence,
    /// Why a reinstall is recommended, where it is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reformat_because: Vec<String>,
    /// Repair or reinstall, and until when; none where nothing was agreed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// What this version does not look at on any machine.
    pub not_examined: &'static [&'static str],
}

/// Links of the boot chain that this version does not look at. A boot may still
/// stop there, and the report says so.
const NOT_EXAMINED: &[&str] = &[
    "what GRUB's configuration does besides starting its default entry",
    "services beyond their programs and libraries",
    "PAM's own settings, and firewalls that are not plainly shut",
];

/// Findings about a disk that does not start this system by itself.
const NO_LOADER: [&str; 7] = [
    "bootloader/grub-missing-on-disk",
    "firmware/esp-missing",
    "firmware/esp-unreadable",
    "firmware/esp-loader-missing",
    "firmware/esp-loader-damaged",
    "firmware/esp-loader-wrong-machine",
    "bootloader/esp-uuid-unknown",
];

/// Weighs everything.
pub fn weigh(facts: &Facts, findings: &Findings, plan: &Plan) -> Verdict {
    let stops: Vec<&Finding> = findings
        .found
        .iter()
        .filter(|finding| finding.severity >= Severity::Unreachable)
        .collect();
    let mut first: Vec<&&Finding> = stops.iter().collect();
    first.sort_by_key(|finding| (std::cmp::Reverse(finding.severity), finding.stage));
    let first = first.first().map(|finding| **finding);
    let mut unknown = findings.unknown.clone();
    let seen_all = facts.has_disks();
    if !seen_all {
        unknown.push(Unknown {
            stage: Stage::Firmware,
            what: "disks, arrays and boot loader".into(),
            why: "only a directory was given; run without --root on the machine".into(),
        });
    }
    let reasons = reformat::reasons(facts, &findings.found, plan);
    let kind = match kind(facts, findings, plan, &stops, seen_all) {
        Kind::HardwareFirst => Kind::HardwareFirst,
        _ if !reasons.is_empty() => Kind::Reformat,
        kind => kind,
    };
    let confidence = confidence::of(facts, findings, plan);
    // Work that cannot be taken back is offered, and promised nowhere.
    let plan = &plan.clone().revocable();
    let planned = !plan.repairs.is_empty();
    Verdict {
        kind,
        headline: headline(facts, kind, first, findings, plan, seen_all),
        first_broken: first.map(|finding| finding.stage),
        unknown,
        minutes: planned.then(|| plan.minutes()),
        risk: planned.then(|| plan.risk()),
        survival: survival(facts, kind, findings),
        confidence,
        reformat_because: match kind {
            Kind::Reformat => reasons,
            _ => Vec::new(),
        },
        decision: None,
        not_examined: NOT_EXAMINED,
    }
}

fn kind(
    facts: &Facts,
    findings: &Findings,
    plan: &Plan,
    stops: &[&Finding],
    seen_all: bool,
) -> Kind {
    if does_not_read(facts) || is_failing(facts) {
        Kind::HardwareFirst
    } else if !findings.unknown.is_empty() || !plan.uncovered.is_empty() {
        Kind::Undetermined
    } else if !stops.is_empty() {
        Kind::Repairable
    } else if seen_all {
        Kind::Boots
    } else {
        Kind::Undetermined
    }
}

/// A disk answers with errors: now, or earlier by the kernel's log.
fn does_not_read(facts: &Facts) -> bool {
    let volume = facts
        .survey
        .places()
        .any(|volume| matches!(volume.content, Content::Unreadable { failing: true, .. }));
    volume
        || facts
            .survey
            .kernel_log
            .disks
            .iter()
            .any(DiskLog::is_failing)
}

/// A disk calls itself failing.
fn is_failing(facts: &Facts) -> bool {
    let mut healths = facts.survey.disks.iter().filter_map(|d| d.health.as_ref());
    healths.any(|health| health.judged() == Judgement::Failing)
}

fn headline(
    facts: &Facts,
    kind: Kind,
    first: Option<&Finding>,
    findings: &Findings,
    plan: &Plan,
    seen_all: bool,
) -> String {
    let stop = first.map(|finding| {
        let effect = match finding.severity {
            Severity::Unreachable => "nobody will get in",
            _ => "it does not boot",
        };
        (effect, finding.title.as_str())
    });
    match (kind, stop) {
        (Kind::Boots, _) => "nothing was found that stops this system from booting".into(),
        (Kind::HardwareFirst, _) if does_not_read(facts) => {
            "a disk does not read: save the data before anything".into()
        }
        (Kind::HardwareFirst, _) => "a disk is failing: save the data before anything".into(),
        (Kind::Repairable, Some((effect, stop))) => format!("{effect}: {stop}"),
        (Kind::Reformat, Some((effect, stop))) => format!("{effect}: {stop}; too little is left"),
        (_, Some((effect, stop))) if plan.uncovered.is_empty() => {
            format!("{effect}: {stop}; that can be repaired, the rest is unknown")
        }
        // What programs of the patient mend shows only when they have run.
        (_, Some((effect, stop))) if !plan.programs().is_empty() => {
            format!("{effect}: {stop}; what the repair mends of it, its rehearsal shows")
        }
        (_, Some((effect, stop))) => {
            format!("{effect}, and not all can be repaired here: {stop}")
        }
        (_, None) => match findings.unknown.first() {
            Some(unknown) => format!("cannot tell: {} ({})", unknown.what, unknown.why),
            None if !seen_all => {
                "nothing in this tree stops it from booting; the disks were not given".into()
            }
            None => "cannot tell".into(),
        },
    }
}

/// With each disk of the root's mirror alone.
fn survival(facts: &Facts, kind: Kind, findings: &Findings) -> Vec<Survival> {
    let Search::Found(info) = &facts.search else {
        return Vec::new();
    };
    let mut names = info.disks.clone();
    names.sort();
    names.dedup();
    if names.len() < 2 {
        return Vec::new();
    }
    let disks = facts
        .survey
        .disks
        .iter()
        .filter(|d| names.contains(&d.name));
    disks
        .map(|disk| {
            let (boots, why) = alone(facts, disk, kind, findings);
            Survival {
                disk: disk.name.clone(),
                boots,
                why,
            }
        })
        .collect()
}

fn alone(facts: &Facts, disk: &Disk, kind: Kind, findings: &Findings) -> (Option<bool>, String) {
    let stale = facts.assembly.arrays.iter().find_map(|array| {
        let fresh = array
            .legs
            .iter()
            .any(|leg| leg.disk == disk.name && leg.is_fresh());
        (array.opened.is_some() && !fresh).then_some(&array.name)
    });
    if let Some(array) = stale {
        return (Some(false), format!("it has no current data of {array}"));
    }
    let no_loader = findings
        .found
        .iter()
        .any(|f| NO_LOADER.contains(&f.id.as_str()) && f.subject == disk.name);
    if no_loader {
        return (
            Some(false),
            "it has no boot loader that starts this system".into(),
        );
    }
    let (layers, why) = survival::with(facts, &disk.name);
    if layers == Some(false) {
        return (layers, why);
    }
    let degraded = facts
        .assembly
        .arrays
        .iter()
        .any(|array| array.state == State::Diverged);
    match kind {
        Kind::Boots if !degraded && layers.is_none() => (None, format!("not known: {why}")),
        Kind::Boots if !degraded => (Some(true), "it has current data and a boot loader".into()),
        Kind::Repairable => (
            None,
            "ask again after the repair; it has current data and a boot loader".into(),
        ),
        _ => (None, "not even both together are known to boot".into()),
    }
}

#[cfg(test)]
impl Verdict {
    /// One of this kind, with a plan of so many minutes.
    fn for_tests(kind: Kind, minutes: u32) -> Self {
        Self {
            kind,
            headline: String::new(),
            first_broken: None,
            unknown: Vec::new(),
            minutes: Some(minutes),
            risk: None,
            survival: Vec::new(),
            confidence: Confidence::default(),
            reformat_because: Vec::new(),
            decision: None,
            not_examined: NOT_EXAMINED,
        }
    }
}
