//! The JSON documents that the commands print. Each names its form and version
//! in `schema`; `docs/schema` has the JSON Schema of each, made from the types
//! by `schema_tests.rs`, and the promise about versions.

use serde::Serialize;

use crate::assembly::Assembly;
use crate::facts::elf::Closure;
use crate::facts::history::{Boot, Event, Run, Source};
use crate::journal::{Ran, Transaction};
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
