//! The JSON documents that the commands print. Each names its form and version
//! in `schema`; `docs/schema` has the JSON Schema of each, made from the types
//! by `schema_tests.rs`, and the promise about versions.

use serde::Serialize;

use crate::assembly::Assembly;
use crate::facts::elf::Closure;
use crate::facts::history::{Boot, Event, Run, Source};
use crate::journal::{Ran, Summary, Transaction};
use crate::repairs::{ArrayWork, Plan, Refused};
use crate::report::Report;
use crate::salvage::verify::Comparison;
use crate::survey::Survey;
use crate::survey::read_test::ReadTest;
use crate::sysroot::Search;
use crate::sysroot::filesystems::Filesystem;
use crate::sysroot::legs::MirrorView;

/// What `diagnose` prints: a [`super::Report`].
pub const DIAGNOSE: &str = "lifeboot/diagnose/1";
/// What `survey` prints: a [`Storage`].
pub const SURVEY: &str = "lifeboot/survey/1";
/// What `legs` prints: [`Mirrors`].
pub const LEGS: &str = "lifeboot/legs/1";
/// What `elf PATH` prints: [`Programs`].
pub const ELF: &str = "lifeboot/elf/1";
/// What `elf` prints of a whole root.
pub const ELF_SCAN: &str = "lifeboot/elf-scan/1";
/// What `elf --symbols` prints of all that the boot starts.
pub const ELF_SYMBOLS: &str = "lifeboot/elf-symbols/1";
/// What `packages` prints.
pub const PACKAGES: &str = "lifeboot/packages/1";
/// What `packages --verify` prints.
pub const VERIFIED: &str = "lifeboot/packages-verify/1";
/// What `history` prints: a [`Timeline`].
pub const HISTORY: &str = "lifeboot/history/1";
/// What `log` prints: a [`Log`].
pub const LOG: &str = "lifeboot/log/1";

/// What `repair` prints: [`Repaired`].
pub const REPAIR: &str = "lifeboot/repair/1";
/// What `undo` prints: [`Undone`].
pub const UNDO: &str = "lifeboot/undo/1";

/// What `salvage` prints: a [`crate::salvage::Summary`].
pub const SALVAGE: &str = "lifeboot/salvage/1";
/// What `verify` prints: [`Compared`].
pub const VERIFY: &str = "lifeboot/verify/1";

/// A document: its form and version, and beside that what it is about.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Document<T> {
    /// The form and version of this document.
    pub schema: &'static str,
    /// What it is about.
    #[serde(flatten)]
    pub body: T,
}

/// What storage is here.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Storage<'a> {
    /// The disks.
    pub survey: &'a Survey,
    /// The arrays and volumes.
    pub assembly: &'a Assembly,
    /// What lies on the volumes.
    pub filesystems: Vec<Filesystem>,
    /// The search for installed systems; none where that was not allowed.
    pub systems: Option<&'a Search>,
    /// What `--read-test` found; none without it.
    pub read_test: Option<&'a ReadTest>,
}

/// Mirrors side by side.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Mirrors<'a> {
    /// Each with its members, and how they differ.
    pub mirrors: &'a [MirrorView],
}

/// Programs or libraries, and what each loads.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Programs<'a> {
    /// In the order in which they were asked about.
    pub programs: &'a [Closure],
}

/// What happened to the patient.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Timeline<'a> {
    /// In a few sentences.
    pub summary: Vec<String>,
    /// The time zone of its logs.
    pub zone: &'a str,
    /// When it was started.
    pub boots: &'a [Boot],
    /// Runs of the package manager.
    pub runs: &'a [Run],
    /// In the order of time.
    pub events: Vec<&'a Event>,
    /// What was read.
    pub sources: &'a [Source],
}

/// The repairs that stand.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Log {
    /// In the order of time.
    pub repairs: Vec<Entry>,
}

/// One repair; with what programs said before it, where it was named.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Entry {
    /// What was done.
    #[serde(flatten)]
    pub transaction: Transaction,
    /// What programs of the patient said; none where that was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub programs: Option<Vec<Ran>>,
    /// Why that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub programs_unknown: Option<String>,
}

impl From<Transaction> for Entry {
    fn from(transaction: Transaction) -> Self {
        Self {
            transaction,
            programs: None,
            programs_unknown: None,
        }
    }
}

/// What `repair` found, and what it did.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Repaired<'a> {
    /// The patient before.
    pub before: &'a Report,
    /// The id of an earlier change that was cut off and waits for an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interrupted: Option<&'a str>,
    /// What would be done, where only that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<&'a Plan>,
    /// The newest transaction; none where nothing was committed.
    pub committed: Option<&'a Summary>,
    /// Work that was done on arrays.
    pub arrays: Vec<&'a ArrayWork>,
    /// Repairs that turned out not to be possible, and why.
    pub refused: Vec<&'a Refused>,
    /// What was done, plan after plan.
    pub rounds: &'a [Round],
    /// The patient afterwards; none where nothing was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<&'a Report>,
}

impl<'a> Repaired<'a> {
    /// Nothing was done about `before`.
    pub fn not(before: &'a Report) -> Self {
        Self {
            before,
            interrupted: None,
            plan: None,
            committed: None,
            arrays: Vec::new(),
            refused: Vec::new(),
            rounds: &[],
            after: None,
        }
    }
}

/// One plan that was done.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Round {
    /// The repairs, in the operator's words.
    pub what: Vec<String>,
    /// Its transaction; none where only arrays were worked on.
    pub committed: Option<Summary>,
    /// Work on arrays.
    pub arrays: Vec<ArrayWork>,
    /// Repairs that were left out of it, and why.
    pub refused: Vec<Refused>,
}

/// What was taken back.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Undone<'a> {
    /// The transaction that was; none where nobody agreed to it.
    pub undone: Option<&'a Summary>,
    /// The one that would be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would_undo: Option<&'a Transaction>,
}

/// A new installation beside a salvage.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Compared<'a> {
    /// Nothing is missing, and nothing differs.
    pub equal: bool,
    /// The transaction that set modes and owners right; none without one.
    pub fixed: Option<String>,
    /// What was compared, and what differs.
    #[serde(flatten)]
    pub found: &'a Comparison,
}
