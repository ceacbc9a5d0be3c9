//! What a disk says about its own health, and what that means.

use serde::{Deserialize, Serialize};

mod ask;
mod ata;
mod nvme;
mod scsi;
#[cfg(test)]
mod tests;

pub(super) use ask::{Question, ask};

/// What a disk told; fields that it does not tell are none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Health {
    /// Why it could not be asked, or not wholly.
    pub unreadable: Option<String>,
    /// Model, as the disk itself says it.
    pub model: Option<String>,
    /// Serial number, as the disk itself says it.
    pub serial: Option<String>,
    /// Version of its firmware.
    pub firmware: Option<String>,
    /// The disk's judgement of itself (ATA SMART RETURN STATUS, SCSI
    /// informational exceptions): true when it passed.
    pub passed: Option<bool>,
    /// What it warns of.
    pub warnings: Vec<Warning>,
    /// Temperature in degrees Celsius.
    pub temperature: Option<i32>,
    /// From here on it is too hot for long, in its own words.
    pub temperature_warning: Option<i32>,
    /// From here on it protects itself.
    pub temperature_critical: Option<i32>,
    /// Share of its life that is used up, in percent of what the vendor
    /// promises; may go beyond 100.
    pub worn_percent: Option<u8>,
    /// Spare blocks left, in percent.
    pub spare_percent: Option<u8>,
    /// Below this the vendor calls it failing.
    pub spare_threshold: Option<u8>,
    /// Times when data was found damaged for good.
    pub media_errors: Option<u64>,
    /// Sectors that cannot be read at present (ATA attribute 197).
    pub pending_sectors: Option<u64>,
    /// Sectors replaced by spare ones (ATA attribute 5).
    pub reallocated_sectors: Option<u64>,
    /// Times when it lost power without being told.
    pub unsafe_shutdowns: Option<u64>,
    /// Hours in operation.
    pub power_on_hours: Option<u64>,
    /// Times switched on.
    pub power_cycles: Option<u64>,
    /// Bytes written by the host so far.
    pub written_bytes: Option<u64>,
    /// Entries in its error log since it was made.
    pub error_log_entries: Option<u64>,
    /// The newest of these.
    pub latest_errors: Vec<DeviceError>,
}

/// An entry of the disk's error log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DeviceError {
    /// Its number since the disk was made.
    pub number: u64,
    /// NVMe status: type in bits 8 to 10, code in bits 0 to 7.
    pub status: u16,
    /// That status in words.
    pub what: String,
    /// First logical block concerned, where one was.
    pub block: Option<u64>,
}

/// A warning of the disk's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Warning {
    /// Spare blocks below the threshold.
    SpareLow,
    /// Outside of the temperatures that it is made for.
    Temperature,
    /// Its reliability is degraded by media or internal errors.
    Unreliable,
    /// It takes no more writes.
    ReadOnly,
    /// The capacitor that saves its cache when power fails, failed.
    BackupFailed,
    /// Its persistent memory region does.
    MemoryUnreliable,
    /// A bit with no meaning in NVMe 2.0.
    Other {
        /// Number of the bit.
        bit: u8,
    },
    /// An ATA attribute at or below the vendor's threshold.
    Attribute {
        /// Its number.
        id: u8,
        /// Its value now.
        value: u8,
        /// The vendor's limit.
        threshold: u8,
    },
    /// A SCSI informational exception.
    Exception {
        /// Additional sense code and qualifier.
        code: u16,
    },
}

impl Warning {
    /// In words.
    pub fn words(&self) -> String {
        match self {
            Self::SpareLow => "its spare blocks are nearly used up".into(),
            Self::Temperature => "it is outside of its temperature limits".into(),
            Self::Unreliable => "it calls itself unreliable after internal errors".into(),
            Self::ReadOnly => "it has made itself read-only".into(),
            Self::BackupFailed => "the backup power of its cache failed".into(),
            Self::MemoryUnreliable => "its persistent memory is unreliable".into(),
            Self::Other { bit } => format!("critical warning, bit {bit}"),
            Self::Attribute {
                id,
                value,
                threshold,
            } => format!(
                "{} (attribute {id}) is at {value}, its limit is {threshold}",
                ata::attribute_name(*id)
            ),
            Self::Exception { code } => match code >> 8 {
                0x5d => "it predicts its own failure".into(),
                _ => format!("informational exception {code:04x}"),
            },
        }
    }

    /// True when it is about heat alone, which passes.
    fn is_heat(&self) -> bool {
        match self {
            Self::Temperature => true,
            // 0B/01: warning, specified temperature exceeded (SPC-4).
            Self::Exception { code } => *code == 0x0b01,
            Self::Attribute { id, .. } => ata::TEMPERATURES.contains(id),
            _ => false,
        }
    }
}

/// The judgement about a disk in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Judgement {
    /// Nothing against it.
    Ok,
    /// It did not tell.
    Unknown,
    /// Used up, or with lost sectors, but not failing by its own words.
    Worn,
    /// It says itself that it fails.
    Failing,
}

impl Health {
    /// A disk that could not be asked.
    pub(super) fn not_told(why: impl Into<String>) -> Self {
        Self {
            unreadable: Some(why.into()),
            ..Self::default()
        }
    }

    /// Everything weighed. Unsafe shutdowns, hours and old entries of the
    /// error log say nothing against a disk.
    pub fn judged(&self) -> Judgement {
        if !self.failing().is_empty() {
            Judgement::Failing
        } else if !self.worn().is_empty() {
            Judgement::Worn
        } else if self.unreadable.is_some() {
            Judgement::Unknown
        } else {
            Judgement::Ok
        }
    }

    /// Why the disk calls itself failing, in words; empty when it does not.
    ///
    /// Only the disk's own thresholds count: the critical warning bits of the
    /// NVMe health log (NVMe 2.0, figure 207) but for heat, available spare
    /// below the threshold beside it, and the verdict of SMART in ATA and SCSI.
    pub fn failing(&self) -> Vec<String> {
        let mut why: Vec<String> = self
            .warnings
            .iter()
            .filter(|warning| !warning.is_heat())
            .map(Warning::words)
            .collect();
        if self.passed == Some(false) && self.warnings.is_empty() {
            why.push("its own SMART verdict is: failing".into());
        }
        if let (Some(spare), Some(threshold)) = (self.spare_percent, self.spare_threshold)
            && spare < threshold
            && !self.warnings.contains(&Warning::SpareLow)
        {
            why.push(format!("{spare}% spare blocks left, limit {threshold}%"));
        }
        why
    }

    /// What it has lost so far, in words; empty for a disk in good order.
    ///
    /// 100% used is the vendor's estimate of its life, and no failure (NVMe
    /// 2.0, "Percentage Used"). A media error or a pending sector is data that
    /// could not be read; replaced sectors count when they pass the vendor's
    /// limit, which is a warning of the disk's own.
    pub fn worn(&self) -> Vec<String> {
        let mut why = Vec::new();
        if let Some(percent) = self.worn_percent.filter(|percent| *percent >= 100) {
            why.push(format!("{percent}% of its planned life is used"));
        }
        if let Some(errors) = self.media_errors.filter(|errors| *errors > 0) {
            why.push(format!("{errors} media errors"));
        }
        if let Some(sectors) = self.pending_sectors.filter(|sectors| *sectors > 0) {
            why.push(format!("{sectors} sectors that cannot be read"));
        }
        why
    }

    /// In words, when it is hotter than its own limit.
    pub fn overheating(&self) -> Option<String> {
        let warned = self.warnings.iter().any(Warning::is_heat);
        let limit = self.temperature_warning.or(self.temperature_critical);
        match (self.temperature, limit) {
            (Some(now), Some(limit)) if now >= limit => {
                Some(format!("{now} C, its limit is {limit} C"))
            }
            (Some(now), _) if warned => Some(format!("{now} C, and it warns of that")),
            _ if warned => Some("it warns of its temperature".into()),
            _ => None,
        }
    }
}
