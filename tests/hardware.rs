//! Machines with disks that fail, in each way that QEMU can make: what the
//! survey, the read test and the diagnosis say, and that nothing was written.

mod lab;

use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::Arguments;

use lab::hardware as cases;

/// A case by name.
type Named = (&'static str, fn(&Path) -> anyhow::Result<()>);

fn main() -> ExitCode {
    let trials: [Named; 7] = [
        ("healthy-disks", cases::healthy),
        ("critical-warning", cases::critical_warning),
        ("bad-sectors", cases::bad_sectors),
        ("bad-sector-in-a-file", cases::bad_sector_in_a_file),
        ("sata-and-scsi", cases::sata_and_scsi),
        ("disk-dropped-out", cases::dropped_out),
        ("panic-in-pstore", cases::panic_in_pstore),
    ];
    let trials =
        trials.map(|(name, run)| lab::program::trial(name, format!("hardware-{name}"), run));
    lab::program::run_trials(Arguments::from_args(), Ok(trials.into()))
}
