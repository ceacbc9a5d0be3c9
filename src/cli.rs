//! The command line: types and help text only. Help fits 80 columns.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Find out what stops this server from booting, and repair it
///
/// Diagnosis writes nothing to any disk. Without a command: diagnose, then
/// offer each repair (on a terminal).
#[derive(Debug, Parser)]
#[command(name = "lifeboot", version, max_term_width = 80)]
#[command(after_help = "\
Exit codes: 0 boots, 10 repairable, 20 reformat, 30 save the data first,
40 undetermined, 1 lifeboot failed, 2 wrong usage.")]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show disks, partitions, arrays and filesystems
    Survey(SurveyArgs),
    /// Say what stops the boot and whether it can be repaired
    Diagnose(DiagnoseArgs),
    /// Repair what can be repaired, after asking
    Repair(RepairArgs),
    /// Take a repair back
    Undo(UndoArgs),
    /// Print the page of a finding, or list all of them
    Explain(ExplainArgs),
}

/// Which patient.
#[derive(Debug, Clone, Default, Args)]
pub struct Target {
    /// Look at this root tree instead of finding one on the disks
    #[arg(long, value_name = "DIR", conflicts_with_all = ["disk", "root_device"])]
    pub root: Option<PathBuf>,
    /// Look at this disk or disk image only (may be repeated)
    #[arg(long, value_name = "FILE|DEV")]
    pub disk: Vec<PathBuf>,
    /// Of several systems, take the one on this device, UUID or array
    #[arg(long, value_name = "NAME")]
    pub root_device: Option<String>,
}

impl Target {
    /// These arguments again, as they are typed, each after a space.
    pub fn words(&self) -> String {
        let mut words = Vec::new();
        let mut add = |flag: &str, value: &str| {
            words.push(format!(" {flag} {}", shell_words::quote(value)));
        };
        if let Some(root) = &self.root {
            add("--root", &root.to_string_lossy());
        }
        for disk in &self.disk {
            add("--disk", &disk.to_string_lossy());
        }
        if let Some(device) = &self.root_device {
            add("--root-device", device);
        }
        words.concat()
    }
}

/// Arguments of `survey`.
#[derive(Debug, Args)]
pub struct SurveyArgs {
    /// Look at this disk or disk image only (may be repeated)
    #[arg(long, value_name = "FILE|DEV")]
    pub disk: Vec<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `diagnose`.
#[derive(Debug, Default, Args)]
pub struct DiagnoseArgs {
    /// Which patient
    #[command(flatten)]
    pub target: Target,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Save what was collected, to judge it again elsewhere
    #[arg(long, value_name = "FILE")]
    pub save_facts: Option<PathBuf>,
    /// Judge what was saved before, and look at no disk
    #[arg(long, value_name = "FILE", conflicts_with_all = ["root", "disk", "root_device"])]
    pub facts: Option<PathBuf>,
}

/// Arguments of `repair`.
#[derive(Debug, Default, Args)]
pub struct RepairArgs {
    /// Which patient
    #[command(flatten)]
    pub target: Target,
    /// Only show what would be done
    #[arg(long, conflicts_with_all = ["yes", "only"])]
    pub plan: bool,
    /// Do everything in the plan without asking
    #[arg(long)]
    pub yes: bool,
    /// Do the repairs for this finding without asking (may be repeated)
    #[arg(long, value_name = "ID")]
    pub only: Vec<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `undo`.
#[derive(Debug, Args)]
pub struct UndoArgs {
    /// Which patient
    #[command(flatten)]
    pub target: Target,
    /// The repair to take back [default: the newest]
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    /// Only list the repairs that can be taken back
    #[arg(long, conflicts_with = "yes")]
    pub list: bool,
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The finding, for example init/init-missing
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
