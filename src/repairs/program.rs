//! Programs of the patient that a repair runs.

use serde::Serialize;

/// A program of the patient's, to be run in its tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Program {
    /// Its words.
    pub words: Vec<String>,
    /// True when what follows mends what it could not do.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub may_fail: bool,
    /// True for apt, which may want archives that are not in its cache.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub wants_archives: bool,
}

impl Program {
    /// A program that must end well.
    pub(super) fn new(words: &[&str]) -> Self {
        Self {
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            may_fail: false,
            wants_archives: false,
        }
    }

    /// One that others make up for.
    pub(super) fn that_may_fail(words: &[&str]) -> Self {
        Self {
            may_fail: true,
            ..Self::new(words)
        }
    }

    /// As it would be typed.
    pub fn line(&self) -> String {
        shell_words::join(&self.words)
    }
}
