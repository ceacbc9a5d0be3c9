//! What a check says: findings, and what could not be examined.

use serde::{Deserialize, Serialize};

/// A link of the boot chain, in the order in which a machine passes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// BIOS or UEFI finds a boot loader.
    Firmware,
    /// The boot loader finds its configuration, a kernel and an initramfs.
    Bootloader,
    /// The kernel starts and has its modules.
    Kernel,
    /// The initramfs unpacks and runs.
    Initramfs,
    /// Disks, arrays and volumes appear.
    Storage,
    /// The root filesystem is mounted and has the layout of a system.
    Root,
    /// PID 1 starts.
    Init,
    /// The default target is reached.
    Services,
    /// Somebody can log in: network, sshd, console.
    Reach,
    /// Not on the way: the package manager.
    Packages,
    /// Not on the way: the health of the machine.
    Hardware,
}

impl Stage {
    /// The word used in ids and reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Firmware => "firmware",
            Self::Bootloader => "bootloader",
            Self::Kernel => "kernel",
            Self::Initramfs => "initramfs",
            Self::Storage => "storage",
            Self::Root => "root",
            Self::Init => "init",
            Self::Services => "services",
            Self::Reach => "reach",
            Self::Packages => "packages",
            Self::Hardware => "hardware",
        }
    }
}

/// The effect of a finding on the next boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// It boots, but something is broken: a service, the package manager, the
    /// survival of the next disk loss.
    Degraded,
    /// It boots and nobody can get in.
    Unreachable,
    /// The boot stops at this stage.
    Blocker,
}

impl Severity {
    /// The word used in reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Degraded => "degraded",
            Self::Unreachable => "unreachable",
            Self::Blocker => "blocker",
        }
    }
}

/// One thing that was seen, and what was expected in its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Evidence {
    /// Path inside the patient, or device.
    pub source: String,
    /// What is there.
    pub seen: String,
    /// What should be there, where that is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expected: Option<String>,
}

impl Evidence {
    /// Something seen at `source`.
    pub fn seen(source: impl Into<String>, seen: impl Into<String>) -> Self {
        Self {
            source: source.into(),
            seen: seen.into(),
            expected: None,
        }
    }

    /// Adds what was expected there.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self
    }
}

/// One fault of the patient.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Finding {
    /// `stage/kebab-name`: a public contract, never reused.
    pub id: String,
    /// The link of the boot chain that it touches.
    pub stage: Stage,
    /// Its effect on the next boot.
    pub severity: Severity,
    /// One sentence in the operator's words.
    pub title: String,
    /// What tells one finding from another of the same id: a path or device.
    pub subject: String,
    /// What was seen.
    pub evidence: Vec<Evidence>,
    /// How it came to be, where that is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cause: Option<String>,
    /// What to do by hand, where Lifeboot has no repair.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub by_hand: Option<String>,
}

/// Something that could not be examined; it keeps the verdict from `boots`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Unknown {
    /// The link of the boot chain that stays unknown.
    pub stage: Stage,
    /// What could not be examined.
    pub what: String,
    /// Why, and what to do about it.
    pub why: String,
}

/// Everything one check has to say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    /// The faults found.
    pub found: Vec<Finding>,
    /// What the check could not tell.
    pub unknown: Vec<Unknown>,
}

impl Findings {
    /// Adds a fault.
    pub fn push(&mut self, finding: Finding) {
        self.found.push(finding);
    }

    /// Adds something that could not be examined.
    pub fn could_not_tell(
        &mut self,
        stage: Stage,
        what: impl Into<String>,
        why: impl Into<String>,
    ) {
        self.unknown.push(Unknown {
            stage,
            what: what.into(),
            why: why.into(),
        });
    }
}
