//! Work on arrays that cannot be taken back: done when it is asked for by name,
//! on disks made by mdadm.

mod lab;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Arguments;
use serde_json::{Deserializer, Value};

use lab::layout::{Layout, choose};
use lab::rescue::Rescue;
use lab::suite::Suite;
use lab::{LIFEBOOT, run, tools};

fn main() -> ExitCode {
    let trials = [
        ("rejoin", rejoin as fn(&Path) -> Result<()>),
        ("start-degraded", start_degraded),
        ("array-name", array_name),
        ("write-through-layers", write_through_layers),
        ("stale-side-refused", stale_side_refused),
    ];
    let trials =
        trials.map(|(name, test)| lab::program::trial(name, format!("arrays-{name}"), test));
    lab::program::run_trials(Arguments::from_args(), Ok(trials.into()))
}

/// Copies of a layout's disks to work on.
fn disks_of(layout: &str, numbers: &[usize], work: &Path) -> Result<Vec<PathBuf>> {
    let layouts = Layout::all()?;
    let layout = layouts.iter().find(|l| l.name == layout);
    let images = choose(&layout.context("no such layout")?.images()?, numbers)?;
    run::output(
        "copying the disks",
        std::process::Command::new("cp")
            .args(["--sparse=auto", "-t"])
            .arg(work)
            .args(&images),
    )?;
    let names = images.iter().filter_map(|image| image.file_name());
    Ok(names.map(|name| work.join(name)).collect())
}

/// The storage findings before a repair, without a name given and after it.
fn repaired(layout: &str, numbers: &[usize], id: &str, work: &Path) -> Result<[Vec<String>; 3]> {
    let disks = disks_of(layout, numbers, work)?;
    let rescue = Rescue::build(Suite::Bookworm, Path::new(LIFEBOOT), work)?;
    let only = format!("repair --only {id} --json");
    let commands = [
        "repair --yes --json",
        "diagnose --json",
        &only,
        "diagnose --json",
    ];
    let session = rescue.run(&disks, &commands, work, "rescue")?;
    let values: Vec<Value> = Deserializer::from_str(&session.output)
        .into_iter()
        .collect::<Result<_, _>>()
        .with_context(|| format!("see {}", session.log.display()))?;
    ensure!(values.len() == 4, "{} answers", values.len());
    Ok([
        findings(&values[0]["before"]),
        findings(&values[1]),
        findings(&values[3]),
    ])
}

fn findings(report: &Value) -> Vec<String> {
    let all = report["findings"].as_array().cloned().unwrap_or_default();
    let ids = all.iter().filter_map(|finding| finding["id"].as_str());
    ids.filter(|id| id.starts_with("storage/"))
        .map(str::to_owned)
        .collect()
}

/// A leg that fell behind is filled again, and not by `--yes` alone.
fn rejoin(work: &Path) -> Result<()> {
    let degraded = "storage/array-degraded";
    let [before, unnamed, after] = repaired("md-stale", &[0, 1], degraded, work)?;
    ensure!(before.iter().any(|id| id == degraded), "before: {before:?}");
    ensure!(unnamed == before, "--yes alone: {unnamed:?}");
    ensure!(after.is_empty(), "after: {after:?}");
    Ok(())
}

/// An array whose second disk vanished while it was off records that it is gone.
fn start_degraded(work: &Path) -> Result<()> {
    let expected = "storage/absent-member-expected";
    let [before, unnamed, after] = repaired("md-1.2", &[0], expected, work)?;
    ensure!(before.iter().any(|id| id == expected), "before: {before:?}");
    ensure!(unnamed == before, "--yes alone: {unnamed:?}");
    ensure!(after == ["storage/array-degraded"], "after: {after:?}");
    Ok(())
}

/// mdadm's own answer to what the array will be called, before and after.
fn array_name(work: &Path) -> Result<()> {
    const ASK: &str = "modprobe raid1
mdadm --assemble /dev/md9 /dev/nvme0n1p2 /dev/nvme1n1p2
mount -o ro /dev/md9 /mnt
cp /mnt/etc/mdadm/mdadm.conf /conf
cat /mnt/etc/fstab > /dev/ttyS1
umount /mnt
mdadm --stop /dev/md9
echo renamed > /proc/sys/kernel/hostname
mdadm --assemble --scan --config=/conf
grep -o '^md[0-9]*' /proc/mdstat > /dev/ttyS1";
    let disks = disks_of("md-renamed-host", &[0, 1], work)?;
    let before = tools::session(&disks, ASK, &[], work, "before")?;
    ensure!(before.output.contains("/dev/md0 / "), "{}", before.output);
    ensure!(before.output.contains("\nmd127"), "{}", before.output);
    let rescue = Rescue::build(Suite::Bookworm, Path::new(LIFEBOOT), work)?;
    let commands = ["repair --yes --json", "diagnose --json"];
    let session = rescue.run(&disks, &commands, work, "rescue")?;
    let last = Deserializer::from_str(&session.output).into_iter::<Value>();
    let last = last.last().context("no answer")??;
    ensure!(findings(&last).is_empty(), "{:?}", findings(&last));
    let after = tools::session(&disks, ASK, &[], work, "after")?;
    ensure!(after.output.contains("\nmd0"), "{}", after.output);
    let mounts = |spec: &str| after.output.lines().any(|line| line.starts_with(spec));
    ensure!(!mounts("/dev/md0 / "), "{}", after.output);
    ensure!(mounts("# lifeboot: was /dev/md0 / "), "{}", after.output);
    ensure!(mounts("UUID="), "{}", after.output);
    Ok(())
}

/// A repair reaches the disk through LVM, LUKS and RAID1, and leaves each of
/// them as its own tools want it.
fn write_through_layers(work: &Path) -> Result<()> {
    const LOOK: &str = "modprobe raid1
modprobe dm_crypt
mdadm --assemble /dev/md0 /dev/nvme0n1p2 /dev/nvme1n1p2
grep -F '[UU]' /proc/mdstat
printf lifeboot-lab > /key
cryptsetup open --key-file /key /dev/md0 luks0
vgck vg0
vgchange -ay vg0
e2fsck -fn /dev/vg0/root
mount -o ro /dev/vg0/root /mnt
test ! -L /mnt/usr/sbin
test -f /mnt/usr/sbin/tool7
test ! -e /mnt/usr/sbin.old
umount /mnt";
    let disks = disks_of("layers-broken", &[0, 1], work)?;
    let key = ("etc/lab-key", b"lifeboot-lab".as_slice());
    let rescue = Rescue::with_file(Suite::Bookworm, Path::new(LIFEBOOT), key, work)?;
    let commands = [
        "repair --yes --json --key-file /etc/lab-key",
        "diagnose --json --key-file /etc/lab-key",
        "undo --yes --key-file /etc/lab-key",
        "repair --yes --json --key-file /etc/lab-key",
    ];
    let session = rescue.run(&disks, &commands, work, "rescue")?;
    ensure!(session.exit_codes[2] == 0, "see {}", session.log.display());
    // A failed command of the script ends the session with an error.
    tools::session(&disks, LOOK, &[], work, "after")?;
    Ok(())
}

/// A repair of the side that would lose is refused before anything is opened
/// for writing: its superblocks do not count on.
fn stale_side_refused(work: &Path) -> Result<()> {
    let disks = disks_of("md-stale-broken", &[0, 1], work)?;
    let before = lab::digest::files(&disks)?;
    let rescue = Rescue::build(Suite::Bookworm, Path::new(LIFEBOOT), work)?;
    let commands = ["repair --yes --leg nvme1n1", "repair --yes --leg nvme1n1"];
    let session = rescue.run(&disks, &commands, work, "rescue")?;
    ensure!(
        session.exit_codes == [1, 1],
        "{:?}, see {}",
        session.exit_codes,
        session.log.display()
    );
    ensure!(before == lab::digest::files(&disks)?, "the disks changed");
    Ok(())
}
