//! How the program ends: one table of exit codes.

use std::process::ExitCode;

/// Exit codes are part of the interface; the README lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The patient boots, or the command did what was asked.
    Boots,
    /// Lifeboot itself failed.
    Failed,
    /// The command line was wrong.
    Usage,
    /// The patient does not boot, and Lifeboot has a plan.
    Repairable,
    /// No plan leads to a system that checks clean.
    Reformat,
    /// Save the data before anything else.
    HardwareFirst,
    /// Something that decides could not be examined.
    Undetermined,
    /// The machine is not what its salvage says.
    Differs,
    /// Stopped by a signal; carries its number.
    Interrupted(u8),
    /// What the worker process ended with.
    Worker(u8),
}

impl Outcome {
    /// The number given to the shell.
    pub fn code(self) -> u8 {
        match self {
            Self::Boots => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Repairable | Self::Differs => 10,
            Self::Reformat => 20,
            Self::HardwareFirst => 30,
            Self::Undetermined => 40,
            // What shells report for a program ended by a signal.
            Self::Interrupted(signal) => 128_u8.saturating_add(signal),
            Self::Worker(code) => code,
        }
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(outcome.code())
    }
}
