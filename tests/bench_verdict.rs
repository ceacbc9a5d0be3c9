//! Times a whole diagnosis in the lab's emulated machine beside virt-inspector
//! on the same disks: `scripts/bench-verdict` prepares the host and runs this.

mod lab;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use lab::case::Case;
use lab::machine_level::Patient;
use lab::progress::line;
use lab::rescue::Rescue;
use lab::suite::Suite;
use lab::{base, mounts, release, run, work_folder};

/// Seconds from power-on of the rescue image to the verdict.
const AIM_SECONDS: f64 = 20.0;
/// Seconds of processor time of a diagnosis of a warm root.
const AIM_CPU_SECONDS: f64 = 2.0;
const RUNS: usize = 5;
/// A healthy server, and the one of the outage; and the verdicts.
const CASES: [(&str, &str); 2] = [
    ("healthy-machine", "BOOTS: "),
    ("usr-sbin-swapped", "REPAIRABLE: "),
];

fn main() -> ExitCode {
    match mounts::isolate().and_then(|()| bench()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            line(&format!("bench-verdict: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Prints the figures; false when an aim is missed.
fn bench() -> Result<bool> {
    let binary = release::binary()?;
    let work = work_folder().join("bench-verdict");
    let rescue = Rescue::build(Suite::Bookworm, &binary, &work)?;
    let mut met = true;
    for (name, verdict) in CASES {
        let case = Case::named(name)?;
        let patient = Patient::of(&case, &work)?;
        let (mut ours, mut peer) = (Vec::new(), Vec::new());
        // The peer packs its own system in its first run, which does not count.
        inspect(&patient.disks())?;
        for _ in 0..RUNS {
            ours.push(diagnose(&rescue, &patient.disks(), verdict, &work)?);
            peer.push(inspect(&patient.disks())?);
        }
        let (ours, peer) = (median(ours), median(peer));
        line(&format!(
            "{name}: power-on to power-off with the verdict between, 512 MiB: {ours:.1} s; \
             virt-inspector, whose machine has more memory: {peer:.1} s, {:.2} times as long",
            peer / ours
        ));
        met &= aim("verdict within 20 s of power-on", ours < AIM_SECONDS);
        lab::remove_large_files(&work.join("mnt")).ok();
    }
    let root = base::root(Suite::Bookworm)?;
    let cpu = median(
        (0..RUNS)
            .map(|_| cpu_seconds(&binary, &root))
            .collect::<Result<_>>()?,
    );
    line(&format!(
        "processor time of a diagnosis of a warm root: {cpu:.2} s"
    ));
    met &= aim("less than 2 s of processor time", cpu < AIM_CPU_SECONDS);
    lab::remove_large_files(&work)?;
    Ok(met)
}

fn aim(what: &str, met: bool) -> bool {
    line(&format!(
        "{} {what}",
        if met { "met:   " } else { "MISSED:" }
    ));
    met
}

fn diagnose(rescue: &Rescue, disks: &[PathBuf], verdict: &str, work: &Path) -> Result<f64> {
    let start = Instant::now();
    let session = rescue.run(disks, &["diagnose"], work, "bench")?;
    let seconds = start.elapsed().as_secs_f64();
    ensure!(
        session.output.contains(verdict),
        "no verdict, see {}",
        session.log.display()
    );
    Ok(seconds)
}

/// What virt-inspector takes with the same emulation and the same kernel.
fn inspect(disks: &[PathBuf]) -> Result<f64> {
    let root = base::root(Suite::Bookworm)?;
    let kernel = base::kernel(&root)?;
    let mut command = Command::new("virt-inspector");
    command
        .arg("--no-applications")
        .env("SUPERMIN_KERNEL", &kernel.image)
        .env("SUPERMIN_KERNEL_VERSION", &kernel.release)
        .env(
            "SUPERMIN_MODULES",
            root.join("lib/modules").join(&kernel.release),
        )
        .env("LIBGUESTFS_BACKEND", "direct")
        .env("LIBGUESTFS_BACKEND_SETTINGS", "force_tcg");
    for disk in disks {
        command.arg("-a").arg(disk);
    }
    let start = Instant::now();
    let said = run::output("virt-inspector", &mut command)?;
    let seconds = start.elapsed().as_secs_f64();
    ensure!(
        said.contains("<distro>debian</distro>"),
        "it found no Debian: {said}"
    );
    Ok(seconds)
}

/// User and system time of one diagnosis, as time(1) has it.
fn cpu_seconds(binary: &Path, root: &Path) -> Result<f64> {
    let said = Command::new("/usr/bin/time")
        .args(["-f", "%U %S"])
        .arg(binary)
        .args(["diagnose", "--root"])
        .arg(root)
        .output()
        .context("running /usr/bin/time")?;
    let text = String::from_utf8_lossy(&said.stderr);
    let last = text.lines().last().unwrap_or_default();
    let fields: Vec<f64> = last
        .split(' ')
        .map_while(|field| field.parse().ok())
        .collect();
    ensure!(fields.len() == 2, "time(1) said {text:?}");
    Ok(fields.iter().sum())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
