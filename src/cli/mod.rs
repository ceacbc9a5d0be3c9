//! The command line: types and help text only. Help fits 80 columns.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

mod terms;

pub use terms::TermsArgs;

/// Find out what stops this server from booting, and repair it
///
/// Diagnosis writes nothing to any disk. Without a command: diagnose, then
/// offer each repair (on a terminal).
#[derive(Debug, Parser)]
#[command(name = "lifeboot", version, max_term_width = 80)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "\
Exit codes: 0 boots, 10 repairable, 20 reformat, 30 save the data first,
40 undetermined, 1 lifeboot failed, 2 wrong usage.")]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Without a command.
    #[command(flatten)]
    pub guided: GuidedArgs,
}

/// Arguments of plain `lifeboot`.
#[derive(Debug, Clone, Default, Args)]
pub struct GuidedArgs {
    /// Which patient
    #[command(flatten)]
    pub target: Target,
    /// How long to try
    #[command(flatten)]
    pub terms: TermsArgs,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show disks, partitions, arrays and filesystems
    Survey(SurveyArgs),
    /// Say what stops the boot and whether it can be repaired
    Diagnose(DiagnoseArgs),
    /// Show the members of each mirror side by side, and how they differ
    Legs(LegsArgs),
    /// Show what programs load, and what is missing, as the patient's loader sees it
    Elf(ElfArgs),
    /// Show the package database and where an upgrade stands; verify packaged files
    Packages(PackagesArgs),
    /// Show what happened to the patient: upgrades, boots, commands, renames
    History(HistoryArgs),
    /// Fetch packages that the patient lacks from its archives, over the network
    Fetch(FetchArgs),
    /// Repair what can be repaired, after asking
    Repair(RepairArgs),
    /// Show the repairs that stand: what, when, who, and each change
    Log(LogArgs),
    /// Take a repair back
    Undo(UndoArgs),
    /// Save what makes this machine: configuration, users, packages, modes
    Salvage(SalvageArgs),
    /// Compare a machine with its salvage: what is missing, what differs
    Verify(VerifyArgs),
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
    /// Of a mirror whose members differ, use this one (a partition or disk)
    #[arg(long, value_name = "DEV", conflicts_with = "root")]
    pub leg: Vec<String>,
    /// Unlock encrypted volumes with the content of this file
    #[arg(long, value_name = "FILE", conflicts_with = "root")]
    pub key_file: Option<PathBuf>,
    /// Folders of the rescue system with packages; `repair` has an option.
    #[arg(skip)]
    pub packages: Vec<PathBuf>,
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
        for leg in &self.leg {
            add("--leg", leg);
        }
        if let Some(file) = &self.key_file {
            add("--key-file", &file.to_string_lossy());
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
    /// Unlock encrypted volumes with the content of this file
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Of a mirror whose members differ, use this one (a partition or disk)
    #[arg(long, value_name = "DEV")]
    pub leg: Vec<String>,
    /// Read every disk to find bad places: a sample, or all of it
    #[arg(
        long,
        value_name = "sample|full",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "sample"
    )]
    pub read_test: Option<ReadTestMode>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `legs`.
#[derive(Debug, Args)]
pub struct LegsArgs {
    /// The array: its name or UUID [default: every mirror]
    #[arg(value_name = "ARRAY")]
    pub array: Option<String>,
    /// Look at this disk or disk image only (may be repeated)
    #[arg(long, value_name = "FILE|DEV")]
    pub disk: Vec<PathBuf>,
    /// Compare every block, not a sample of them
    #[arg(long)]
    pub full: bool,
    /// Unlock encrypted volumes with the content of this file
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `elf`.
#[derive(Debug, Args)]
pub struct ElfArgs {
    /// Programs or libraries in the patient [default: all of them]
    #[arg(value_name = "PATH")]
    pub path: Vec<String>,
    /// Which patient
    #[command(flatten)]
    pub target: Target,
    /// Show only what is missing or refused
    #[arg(long)]
    pub missing: bool,
    /// Look for undefined symbols, too [default PATH: what the boot starts]
    #[arg(long, conflicts_with = "why")]
    pub symbols: bool,
    /// Show how this library comes to be loaded
    #[arg(long, value_name = "NAME", conflicts_with = "missing")]
    pub why: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `packages`.
#[derive(Debug, Args)]
pub struct PackagesArgs {
    /// Read the files of these packages [default: of all], and compare them
    #[arg(long, num_args = 0.., value_name = "PACKAGE")]
    pub verify: Option<Vec<String>>,
    /// Print what `dpkg --verify` would print
    #[arg(long, conflicts_with = "json", requires = "verify")]
    pub dpkg_format: bool,
    /// Print what `rpm --verify --all --nodeps` would print
    #[arg(long, conflicts_with_all = ["json", "dpkg_format"], requires = "verify")]
    pub rpm_format: bool,
    /// Print what `pacman -Qkk` would print
    #[arg(long, conflicts_with_all = ["json", "dpkg_format", "rpm_format"], requires = "verify")]
    pub pacman_format: bool,
    /// Which patient
    #[command(flatten)]
    pub target: Target,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `history`.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// Which patient
    #[command(flatten)]
    pub target: Target,
    /// Show every event, not only those that matter most
    #[arg(long)]
    pub all: bool,
    /// Show events from this date on (UTC), such as 2026-11-25
    #[arg(long, value_name = "DATE")]
    pub since: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// How much `survey --read-test` reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ReadTestMode {
    /// 258 pieces of 1 MiB, evenly spread
    Sample,
    /// Everything
    Full,
}

/// Arguments of `diagnose`.
#[derive(Debug, Default, Args)]
pub struct DiagnoseArgs {
    /// Which patient
    #[command(flatten)]
    pub target: Target,
    /// How long to try
    #[command(flatten)]
    pub terms: TermsArgs,
    /// Read every file of every package, not only what the boot needs
    #[arg(long, conflicts_with = "facts")]
    pub verify: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Print Markdown, for a ticket
    #[arg(long, conflicts_with = "json")]
    pub markdown: bool,
    /// Also write the report as a page for a browser to this file
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Leave out names, addresses, serial numbers and keys, in every form
    #[arg(long, conflicts_with = "save_facts")]
    pub redact: bool,
    /// Save what was collected, to judge it again elsewhere
    #[arg(long, value_name = "FILE")]
    pub save_facts: Option<PathBuf>,
    /// Judge what was saved before, and look at no disk
    #[arg(long, value_name = "FILE", conflicts_with_all = ["root", "disk", "root_device", "leg"])]
    pub facts: Option<PathBuf>,
}

/// Arguments of `fetch`.
#[derive(Debug, Args)]
pub struct FetchArgs {
    /// The folder that they are put into
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Which patient
    #[command(flatten)]
    pub target: Target,
    /// Ask this archive (http://) and not those that the patient names
    #[arg(long, value_name = "URL")]
    pub mirror: Option<String>,
    /// Fetch this package, too, with what it needs (may be repeated)
    #[arg(long, value_name = "NAME[=VERSION]")]
    pub package: Vec<String>,
    /// Go on where the signature of an archive is wrong
    #[arg(long)]
    pub allow_unsigned: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `repair`.
#[derive(Debug, Clone, Default, Args)]
pub struct RepairArgs {
    /// Which patient
    #[command(flatten)]
    pub target: Target,
    /// How long to try
    #[command(flatten)]
    pub terms: TermsArgs,
    /// Only show what would be done
    #[arg(long, conflicts_with_all = ["yes", "only"])]
    pub plan: bool,
    /// Do everything in the plan without asking
    #[arg(long)]
    pub yes: bool,
    /// Do the repairs for this finding without asking (may be repeated)
    #[arg(long, value_name = "ID")]
    pub only: Vec<String>,
    /// Also take packages (.deb) from this folder, stick, partition or image
    /// (may be repeated)
    #[arg(long, value_name = "DIR|DEV")]
    pub packages: Vec<PathBuf>,
    /// Use the network: fetch packages that are lacking (see `fetch`)
    #[arg(long)]
    pub network: bool,
    /// Plain `lifeboot`.
    #[arg(skip)]
    pub guided: bool,
    /// The network may be used in the rehearsal, too.
    #[arg(skip)]
    pub in_rehearsal: bool,
    /// Ask this archive (http://) and not those that the patient names
    #[arg(long, value_name = "URL", requires = "network")]
    pub mirror: Option<String>,
    /// Go on where the signature of an archive is wrong
    #[arg(long, requires = "network")]
    pub allow_unsigned: bool,
    /// Rehearse on this disk instead of in memory (not one of the patient's)
    #[arg(long, value_name = "DIR")]
    pub scratch: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `log`.
#[derive(Debug, Args)]
pub struct LogArgs {
    /// Which patient
    #[command(flatten)]
    pub target: Target,
    /// Show this repair: what it changed, and what programs said (or the first
    /// letters of its ID)
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    /// Show what was typed and done in this rescue system, with times
    #[arg(long, conflicts_with_all = ["id", "json"])]
    pub session: bool,
    /// Show every change and every line that was kept
    #[arg(long, requires = "id")]
    pub all: bool,
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
    /// Do not ask
    #[arg(long)]
    pub yes: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `salvage`.
#[derive(Debug, Args)]
#[command(after_help = "\
Nothing of the patient is changed. TARGET must not lie on it. After the new
installation: lifeboot verify TARGET. docs/salvage.md tells the format, which
needs only tar and zstd to be put back.")]
pub struct SalvageArgs {
    /// A file (NAME.tar.zst), a folder (a second run goes on), or - for a pipe
    #[arg(value_name = "TARGET")]
    pub to: PathBuf,
    /// Which patient
    #[command(flatten)]
    pub target: Target,
    /// Take secrets along: password hashes, private keys. Not encrypted
    #[arg(long)]
    pub with_secrets: bool,
    /// Encrypt to this key (age1..., "ssh-ed25519 ...", or a file of such), and
    /// take secrets along (may be repeated)
    #[arg(long, value_name = "KEY|FILE")]
    pub encrypt_to: Vec<String>,
    /// Take /root and the dot files in the homes of users along
    #[arg(long)]
    pub home: bool,
    /// Save and note this directory only (may be repeated)
    #[arg(long, value_name = "DIR")]
    pub only: Vec<PathBuf>,
    /// Leave this directory out (may be repeated)
    #[arg(long, value_name = "DIR")]
    pub without: Vec<PathBuf>,
    /// Which data gets a hash of its content
    #[arg(long, value_enum, default_value_t = HashMode::Small)]
    pub hash: HashMode,
    /// Take at most so many MiB from /opt and /usr/local
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    pub limit: u64,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Which data gets a hash in a salvage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum HashMode {
    /// Files up to 1 MiB; of others the size is compared
    Small,
    /// Every file: all data is read
    All,
    /// None: sizes are compared
    None,
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 all is as it was, 10 something differs, 1 lifeboot failed,
2 wrong usage.")]
pub struct VerifyArgs {
    /// The salvage: a file, a folder, or - for standard input
    #[arg(value_name = "SALVAGE")]
    pub salvage: PathBuf,
    /// The machine that is compared
    #[arg(long, value_name = "DIR", default_value = "/")]
    pub root: PathBuf,
    /// Set modes, owners and attributes right, after asking (undo takes it back)
    #[arg(long)]
    pub fix_permissions: bool,
    /// Do not ask
    #[arg(long, requires = "fix_permissions")]
    pub yes: bool,
    /// Show every difference
    #[arg(long)]
    pub all: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The finding, for example init/init-missing
    #[arg(value_name = "ID", conflicts_with = "path")]
    pub id: Option<String>,
    /// Tell why the boot needs this file of the patient
    #[arg(long, value_name = "PATH")]
    pub path: Option<String>,
    /// Which patient, for --path
    #[command(flatten)]
    pub target: Target,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
