//! Stage 9, report: everything in one structure, and its forms.

use serde::Serialize;

use crate::facts::Facts;
use crate::finding::Findings;
use crate::repairs::Plan;
use crate::survey::WriteProof;
use crate::verdict::{Terms, Verdict};

pub mod document;
pub mod elf_text;
mod guided_text;
mod health_text;
pub mod history_text;
mod html;
mod legs_text;
pub mod log_text;
mod markdown;
pub mod packages_text;
mod read_test_text;
mod redact;
pub mod salvage_text;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod schema_tests;
mod survey_text;
mod text;
pub mod verify_text;
pub mod way_text;
mod wrap;

pub use guided_text::{finding_text, first_screen, question_text};
pub use html::html;
pub use legs_text::legs as legs_text;
pub use markdown::markdown;
pub use read_test_text::read_test as read_test_text;
pub use redact::Redaction;
pub use survey_text::survey as survey_text;
pub use text::{plan_text, redacted_text, text};
pub use wrap::{Page, clean};

/// What is done to every text of the patient before it is put into a form.
pub type Change<'a> = &'a dyn Fn(&str) -> String;

/// Everything that is reported about a patient.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Report {
    /// [`document::DIAGNOSE`].
    pub schema: &'static str,
    /// The version of the program.
    pub lifeboot: &'static str,
    /// The answer.
    pub verdict: Verdict,
    /// The faults, worst first.
    pub findings: Vec<crate::finding::Finding>,
    /// What can be done.
    pub plan: Plan,
    /// The patient.
    #[serde(flatten)]
    pub facts: Facts,
    /// The words of the command line that name the patient, after a space.
    #[serde(skip)]
    pub target: String,
    /// What the kernel counted as written to each disk meanwhile.
    pub writes: Vec<WriteProof>,
}

impl Report {
    /// Puts everything together.
    pub fn new(facts: Facts, findings: Findings, plan: Plan, verdict: Verdict) -> Self {
        Self {
            schema: document::DIAGNOSE,
            lifeboot: env!("CARGO_PKG_VERSION"),
            verdict,
            findings: findings.found,
            plan,
            facts,
            target: String::new(),
            writes: Vec::new(),
        }
    }

    /// The same with what the operator said of time.
    #[must_use]
    pub fn decided(mut self, terms: &Terms) -> Self {
        self.verdict = self.verdict.decided(&self.plan, terms);
        self
    }
}
