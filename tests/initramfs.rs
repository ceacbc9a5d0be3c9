//! Real images of real Debian roots: what lies in them is what the release's
//! own `lsinitramfs` lists; every cut is told; and what is said of the lab's
//! disks when something in the image is not as it should be.

mod lab;

#[path = "initramfs/layers.rs"]
mod layers;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use libtest_mimic::{Arguments, Trial};
use lifeboot::facts::initramfs::archive::{Packing, Taken, unpack};
use serde_json::{Value, json};

use lab::mounts::Overlay;
use lab::report::Report;
use lab::suite::Suite;
use lab::{LIFEBOOT, base, disks, mirror, program, run};

/// A place in the facts and what is put there.
type Change = (&'static str, Value);

/// What is changed in the facts of the healthy disks, and what must be said.
struct Told {
    name: &'static str,
    changes: Vec<Change>,
    findings: &'static [&'static str],
    verdict: &'static str,
    code: i32,
}

const IMAGE: &str = "/tree/initramfs/images/0";
const STALE: Change = ("/mdadm_conf/arrays/0/uuid", Value::Null);

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let all = program::is_corpus();
    let slow = all || arguments.filter.is_some();
    let mut trials = Vec::new();
    for suite in [Suite::Bullseye, Suite::Bookworm, Suite::Trixie] {
        let name = suite.name();
        trials.push(program::trial(
            format!("listed::{name}"),
            format!("initramfs-listed-{name}"),
            move |work| listed(suite, work),
        ));
        trials.push(program::trial(
            format!("damaged::{name}"),
            format!("initramfs-damaged-{name}"),
            move |_| damaged(suite),
        ));
    }
    trials.extend(told().into_iter().map(disks_told));
    trials.extend(layers::trials());
    trials.push(
        program::trial("dracut::bookworm", "initramfs-dracut".to_owned(), dracut)
            .with_ignored_flag(!slow),
    );
    program::run_trials(arguments, Ok(trials))
}

fn image(suite: Suite) -> Result<PathBuf> {
    Ok(base::kernel(&base::root(suite)?)?.initramfs)
}

fn taken(path: &Path) -> Result<Taken> {
    let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let bytes = file.metadata()?.len();
    Ok(unpack(file, bytes))
}

/// Each name that `lsinitramfs` of that release lists, and no other.
fn listed(suite: Suite, work: &Path) -> Result<()> {
    let overlay = Overlay::over(&base::root(suite)?, work)?;
    let name = base::kernel(overlay.path())?.release;
    let theirs = run::output(
        "listing the initramfs",
        Command::new("chroot")
            .arg(overlay.path())
            .args(["lsinitramfs", &format!("/boot/initrd.img-{name}")]),
    )?;
    let theirs: BTreeSet<&str> = theirs.lines().collect();
    let taken = taken(&image(suite)?)?;
    ensure!(taken.fault.is_none(), "{:?}", taken.fault);
    let names = taken.content.names.iter();
    let ours: Vec<_> = names.map(|name| String::from_utf8_lossy(name)).collect();
    let ours: BTreeSet<&str> = ours.iter().map(AsRef::as_ref).collect();
    let differ: Vec<_> = ours.symmetric_difference(&theirs).collect();
    ensure!(differ.is_empty() && ours.len() > 100, "{differ:?}");
    Ok(())
}

/// Cut at many places, and changed at some: each time it is told.
fn damaged(suite: Suite) -> Result<()> {
    let bytes = fs::read(image(suite)?)?;
    let length = bytes.len();
    let whole = unpack(&bytes[..], length as u64);
    for step in 1..16 {
        let cut = length * step / 16 + step;
        let fault = unpack(&bytes[..cut], cut as u64).fault;
        let fault = fault.with_context(|| format!("nothing told of a cut at {cut} of {length}"))?;
        ensure!(fault.of == cut as u64 && fault.at <= fault.of, "{fault:?}");
    }
    // The archive that is not packed has no checksum.
    let packed = whole.segments.iter().find(|s| s.packing != Packing::None);
    let start = usize::try_from(packed.context("nothing is packed")?.at)?;
    for step in 1..8 {
        let mut changed = bytes.clone();
        let at = start + (length - start) * step / 8;
        changed[at] ^= 0x40;
        let fault = unpack(&changed[..], length as u64).fault;
        ensure!(fault.is_some(), "nothing told of a changed byte at {at}");
    }
    Ok(())
}

/// The facts of the lab's disks, collected as on a machine, with something in
/// them changed; then judged.
fn disks_told(told: Told) -> Trial {
    let work = format!("initramfs-{}", told.name);
    program::trial(format!("disks::{}", told.name), work, move |work| {
        let legs = disks::healthy(Suite::Bookworm)?;
        let saved = work.join("facts.json");
        let mut command = Command::new(LIFEBOOT);
        command.arg("diagnose").arg("--save-facts").arg(&saved);
        for disk in legs.disks() {
            command.arg("--disk").arg(disk);
        }
        command.output().context("starting lifeboot")?;
        let mut facts: Value = serde_json::from_slice(&fs::read(&saved)?)?;
        for (place, value) in &told.changes {
            let place = match place.starts_with("/tree") {
                true => (*place).to_owned(),
                false => format!("{IMAGE}{place}"),
            };
            let found = facts.pointer_mut(&place);
            *found.with_context(|| format!("no {place} in the facts"))? = value.clone();
        }
        fs::write(&saved, serde_json::to_vec(&facts)?)?;
        let judged = Command::new(LIFEBOOT)
            .args(["diagnose", "--json", "--facts"])
            .arg(&saved)
            .output()?;
        let said = String::from_utf8(judged.stdout)?;
        let findings: Vec<String> = told.findings.iter().map(|f| (*f).to_owned()).collect();
        let (report, _) = Report::first(&said)?;
        report.expect(&findings, told.verdict, told.code)
    })
}

fn told() -> Vec<Told> {
    let stale = (STALE.0, json!("deadbeef:00004000:80000000:0000a0a0"));
    let blocker = |name, changes, findings| Told {
        name,
        changes,
        findings,
        verdict: "undetermined",
        code: 40,
    };
    let rebuilt = |name, changes, findings| Told {
        name,
        changes,
        findings,
        verdict: "repairable",
        code: 10,
    };
    let boots = |name, changes, findings| Told {
        name,
        changes,
        findings,
        verdict: "boots",
        code: 0,
    };
    let root = "/tree/kernels/grub/entries/0/command_line";
    let lost = json!({"kind": "missing", "lacks": ["raid1"]});
    let resume = json!(["/boot/grub/grub.cfg", "UUID=1", {"kind": "absent"}]);
    let arrays: &[&str] = &["initramfs/arrays-unknown"];
    vec![
        boots("healthy", Vec::new(), &[]),
        boots("conf-stale", vec![stale.clone()], arrays),
        blocker(
            "conf-stale-and-no-rule",
            vec![stale.clone(), ("/assembly_rule", Value::Null)],
            arrays,
        ),
        blocker(
            "conf-stale-and-root-by-name",
            vec![stale, (root, json!("root=/dev/md0"))],
            arrays,
        ),
        boots("root-by-name", vec![(root, json!("root=/dev/md0"))], &[]),
        blocker(
            "dracut-without-uuid",
            vec![("/builder", json!("dracut"))],
            arrays,
        ),
        boots(
            "dracut-with-uuid",
            vec![
                ("/builder", json!("dracut")),
                (
                    "/command_line",
                    json!("rd.md.uuid=1f0b0a7e:00004000:80000000:0000a0a0"),
                ),
            ],
            &[],
        ),
        rebuilt(
            "no-mdadm",
            vec![("/mdadm", Value::Null)],
            &["initramfs/mdadm-missing"],
        ),
        rebuilt(
            "no-raid1",
            vec![("/drivers/1/state", lost)],
            &["initramfs/driver-missing"],
        ),
        blocker("unknown-tool", vec![("/builder", json!("other"))], &[]),
        boots(
            "resume",
            vec![("/tree/initramfs/resume", resume)],
            &["initramfs/resume-device-missing"],
        ),
    ]
}

/// A server whose initramfs dracut made: nothing to say of its tree.
fn dracut(work: &Path) -> Result<()> {
    let root = work.join("root");
    run::logged(
        "installing a server with dracut",
        &work.join("mmdebstrap.log"),
        Command::new("mmdebstrap")
            .args(["--mode=root", "--variant=apt"])
            .arg("--aptopt=APT::Install-Recommends \"false\"")
            .arg(
                "--include=systemd,systemd-sysv,udev,kmod,mdadm,e2fsprogs,dracut,\
                 linux-image-cloud-amd64",
            )
            .arg(
                "--customize-hook=chroot \"$1\" sh -c \
                 'dracut --force --kver \"$(ls /lib/modules)\"'",
            )
            .arg("bookworm")
            .arg(&root)
            .arg(mirror::debian()?)
            .env("LC_ALL", "C"),
    )?;
    fs::write(root.join("etc/fstab"), "UUID=1 / ext4 defaults 0 1\n")?;
    let said = run_on(&root)?;
    let (report, _) = Report::first(&said)?;
    report.expect(&[], "undetermined", 40)?;
    let kernel = base::kernel(&root)?;
    let taken = taken(&kernel.initramfs)?;
    ensure!(taken.fault.is_none(), "{:?}", taken.fault);
    fs::remove_dir_all(&root)?;
    Ok(())
}

fn run_on(root: &Path) -> Result<String> {
    let ended = Command::new(LIFEBOOT)
        .args(["diagnose", "--json", "--root"])
        .arg(root)
        .output()?;
    Ok(String::from_utf8(ended.stdout)?)
}
