//! The outage from end to end: `scripts/demo` prepares the host and runs this.
//!
//! Two servers are broken. The first is the outage itself: an upgrade killed
//! halfway, then `/usr/sbin` swapped for a link. The second has only the
//! swapped `/usr/sbin`, and must come back to its login prompt.

mod lab;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, ensure};
use lab::boot::Expect;
use lab::case::Case;
use lab::half_upgrade::{self, HalfUpgrade};
use lab::machine_level::{Patient, expect_boot};
use lab::progress::{line, step};
use lab::report::Report;
use lab::rescue::Rescue;
use lab::story::Story;
use lab::suite::Suite;
use lab::{disks, dpkg, mounts, release, work_folder};

/// The folders of the two servers.
const OUTAGE: &str = "demo-outage";
const SWAPPED: &str = "demo-swapped";

fn main() -> ExitCode {
    let start = Instant::now();
    let result = mounts::isolate().and_then(|()| demo());
    let minutes = start.elapsed().as_secs_f64() / 60.0;
    match result {
        Ok(summary) => {
            line(&format!("\n{summary}\nThe demo took {minutes:.1} minutes."));
            ExitCode::SUCCESS
        }
        Err(error) => {
            line(&format!("\nThe demo FAILED after {minutes:.1} minutes."));
            for cause in error.chain() {
                line(&format!("  {cause}"));
            }
            line(&format!("Logs: {}", work_folder().display()));
            ExitCode::FAILURE
        }
    }
}

fn demo() -> Result<String> {
    line("Lifeboot demo: building the binary, and servers to break\n");
    let (outage, swapped) = prepare()?;
    line("\nTwo broken servers, side by side\n");
    let (first, second) = both(
        || story("outage", &outage, tell_outage),
        || story("swapped", &swapped, tell_swapped),
    )?;
    for name in [OUTAGE, SWAPPED] {
        lab::remove_large_files(&work_folder().join(name))?;
    }
    line(&first.text());
    line(&second.text());
    Ok(format!(
        "SUMMARY\n{}{}Logs: {}\n      {}",
        first.summary(),
        second.summary(),
        work_folder().join(OUTAGE).display(),
        work_folder().join(SWAPPED).display()
    ))
}

/// A patient, and the rescue image to boot on it.
struct Scene {
    patient: Patient,
    rescue: Rescue,
}

/// Builds the release binary while the servers are made.
fn prepare() -> Result<(Scene, Scene)> {
    let (binary, ()) = both(release::binary, || {
        disks::healthy(Suite::Bookworm)?;
        half_upgrade::disks(HalfUpgrade::BookwormTrixie)?;
        Ok(())
    })?;
    let scene = |name: &str, case: &str| {
        let work = work_folder().join(name);
        let rescue = Rescue::build(Suite::Bookworm, &binary, &work)?;
        let patient = Patient::of(&Case::named(case)?, &work)?;
        Ok(Scene { patient, rescue })
    };
    step("breaking two copies of the server", || {
        both(
            || scene(OUTAGE, "half-upgrade-sbin-swapped"),
            || scene(SWAPPED, "usr-sbin-swapped"),
        )
    })
}

fn story(
    name: &'static str,
    scene: &Scene,
    tell: impl FnOnce(&mut Story, &Scene) -> Result<()>,
) -> Result<Story> {
    let mut story = Story::new(name);
    tell(&mut story, scene).with_context(|| format!("the server {name:?}"))?;
    Ok(story)
}

/// The outage: the directory is put back, and the patient's own dpkg and apt
/// finish the upgrade, in a rehearsal first.
fn tell_outage(story: &mut Story, scene: &Scene) -> Result<()> {
    story.heading("The outage: a killed upgrade, then /usr/sbin swapped for a link");
    let before = boot(story, scene, "boot-before", Expect::Stopped)?;
    diagnose(story, scene)?;
    let manifest = scene.patient.manifest()?;
    let began = Instant::now();
    let left = repair(story, scene)?;
    let minutes = began.elapsed().as_secs().div_ceil(60);
    ensure!(
        left.verdict.kind == "boots" && left.ids().is_empty(),
        "after the repair the verdict is {:?}: {:?}",
        left.verdict.kind,
        left.ids()
    );
    scene
        .patient
        .look(|root| dpkg::audited(root, &BTreeSet::new()))
        .context("dpkg --audit after the repair")?;
    let after = boot(story, scene, "boot-after", Expect::Login)?;
    story.step("undo in the rescue system", || {
        let session = scene
            .patient
            .rescue(&scene.rescue, &["undo --yes"], "rescue-undo")?;
        ensure!(
            session.exit_codes == [0],
            "undo ended with {:?}, see {}",
            session.exit_codes,
            session.log.display()
        );
        manifest.expect_same(&scene.patient.manifest()?)
    })?;
    story.says(&format!(
        "Undo: all {} paths are again what they were before the repair\n\
         (content, mode, owner, times, attributes).",
        manifest.len()
    ));
    story.sums_up(&format!(
        "boot before: {before}\n\
         repaired:    /usr/sbin and the upgrade, in {minutes} min of this emulated \
         machine; verdict \"boots\"; dpkg --audit clean\n\
         boot after:  {after}\n\
         undone:      {} paths compared, all equal",
        manifest.len()
    ));
    Ok(())
}

/// Only the swapped directory: the server comes back.
fn tell_swapped(story: &mut Story, scene: &Scene) -> Result<()> {
    story.heading("The same server without the upgrade: only /usr/sbin is swapped");
    let before = boot(story, scene, "boot-before", Expect::Stopped)?;
    diagnose(story, scene)?;
    let left = repair(story, scene)?;
    ensure!(
        left.verdict.kind == "boots",
        "after the repair the verdict is {:?}: {:?}",
        left.verdict.kind,
        left.ids()
    );
    let after = boot(story, scene, "boot-after", Expect::Login)?;
    story.sums_up(&format!(
        "boot before: {before}\nrepaired:    /usr/sbin; verdict \"boots\"\nboot after:  {after}"
    ));
    Ok(())
}

fn boot(story: &mut Story, scene: &Scene, name: &str, expected: Expect) -> Result<String> {
    let (boot, ssh) = story.step("booting the disks from firmware", || {
        scene.patient.reached(name)
    })?;
    expect_boot(expected, &boot, name)?;
    let words = match expected {
        Expect::Login => {
            ensure!(
                ssh,
                "{name}: sshd does not answer over the emulated network"
            );
            format!("{boot}, and sshd answers over the network")
        }
        _ => boot.to_string(),
    };
    story.says(&format!("Booted from firmware through GRUB: {words}\n"));
    Ok(words)
}

fn diagnose(story: &mut Story, scene: &Scene) -> Result<()> {
    let commands = ["diagnose --json", "diagnose"];
    let (session, digests) = story.step("diagnosing in the rescue system", || {
        let patient = &scene.patient;
        patient.rescue_unchanged(&scene.rescue, &commands, "rescue-diagnose")
    })?;
    let (report, text) = Report::first(&session.output)?;
    ensure!(
        report.verdict.kind != "boots",
        "a server that does not boot was called bootable"
    );
    story.says("In the rescue system: lifeboot diagnose");
    story.quotes(text);
    for (disk, digest) in ["nvme0n1", "nvme1n1"].iter().zip(digests) {
        story.says(&format!("{disk} SHA-256 {digest:.24}..., before and after"));
    }
    Ok(())
}

fn repair(story: &mut Story, scene: &Scene) -> Result<Report> {
    let commands = ["repair --yes", "diagnose --json"];
    let session = story.step("repairing in the rescue system", || {
        let patient = &scene.patient;
        patient.rescue(&scene.rescue, &commands, "rescue-repair")
    })?;
    let json = session
        .output
        .find("\n{")
        .with_context(|| format!("no report after the repair, see {}", session.log.display()))?;
    let said = &session.output[..json];
    // The diagnosis before the repair stands above already.
    let repaired = said.find("REPAIRED").unwrap_or(0);
    story.says("In the rescue system: lifeboot repair --yes");
    story.quotes(&said[repaired..]);
    let (left, _) = Report::first(&session.output[json..])?;
    Ok(left)
}

/// Does two things at the same time.
fn both<A: Send, B>(
    one: impl FnOnce() -> Result<A> + Send,
    other: impl FnOnce() -> Result<B>,
) -> Result<(A, B)> {
    thread::scope(|scope| {
        let first = scope.spawn(one);
        let second = other();
        let first = first
            .join()
            .map_err(|_| anyhow!("one of the demo's threads died"))?;
        Ok((first?, second?))
    })
}
