//! A plan with programs of the patient is rehearsed before it is done.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::boot_loader::{self, Images};
use super::patient::Patient;
use super::{say, supply};
use crate::cli::RepairArgs;
use crate::facts::packages::Packages;
use crate::finding::{Finding, Severity};
use crate::journal::Ran;
use crate::rehearsal::supply::{Asked, Supply};
use crate::rehearsal::{Attempt, Rehearsal, Rehearsed, Told, Work};
use crate::repairs::{Key, Plan, Refused, Repair, Unpack};
use crate::report::Report;
use crate::sys::mount;
use crate::sysroot::layers::Scratch;

/// Between two lines that show that a program is still at work.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// What came of a rehearsal.
pub(super) struct Outcome {
    /// The repairs that are left to be done.
    pub(super) plan: Plan,
    /// Those that turned out not to work, and why.
    pub(super) refused: Vec<Refused>,
    /// What is to be made on the patient; none when nothing was rehearsed.
    pub(super) rehearsed: Option<Rehearsed>,
    /// The boot loaders that it made.
    pub(super) images: Images,
    /// What programs said, in all rehearsals.
    pub(super) ran: Vec<Ran>,
    // Holds what is to be made.
    _scratch: Option<Scratch>,
}

/// Rehearses `plan`. A repair that fails, or that does not do away with its
/// finding, is left out, and the rest is rehearsed again. Where nothing can be
/// rehearsed, what runs programs is left out, and what needs none is done.
pub(super) fn rehearse(args: &RepairArgs, before: &Report, mut plan: Plan) -> Outcome {
    let mut refused = Vec::new();
    let (mut ran, mut tries) = (Vec::new(), 0);
    loop {
        if !plan.repairs.iter().any(is_rehearsed) {
            return Outcome {
                plan,
                refused,
                rehearsed: None,
                images: Images::new(),
                ran,
                _scratch: None,
            };
        }
        tries += 1;
        let mut now = Vec::new();
        let tried = attempt(args, before, &mut plan, &mut now);
        now.iter_mut().for_each(|one| one.rehearsal = tries);
        ran.append(&mut now);
        let out = match tried {
            Ok(Tried::Well(rehearsed, images, scratch)) => {
                return Outcome {
                    plan,
                    refused,
                    rehearsed: Some(rehearsed),
                    images,
                    ran,
                    _scratch: Some(scratch),
                };
            }
            Ok(Tried::LeftOut(out)) => out,
            // No overlayfs, no room: nothing that runs programs or unpacks can be
            // tried.
            Err(error) => take_out(&mut plan, &is_rehearsed, &|_| {
                format!("it cannot be rehearsed here: {error:#}")
            }),
        };
        for refused in &out {
            say(&format!(
                "lifeboot: left out: {}: {}",
                refused.title, refused.why
            ));
        }
        refused.extend(out);
    }
}

/// What one attempt came to.
enum Tried {
    /// All went well; the scratch holds what is to be made.
    Well(Rehearsed, Images, Scratch),
    /// These repairs did not work, and are not in the plan any more.
    LeftOut(Vec<Refused>),
}

fn attempt(
    args: &RepairArgs,
    before: &Report,
    plan: &mut Plan,
    ran: &mut Vec<Ran>,
) -> Result<Tried> {
    mount::private_namespace().context("making a mount namespace")?;
    let scratch = Scratch::new(args.scratch.as_deref())?;
    say(&format!(
        "lifeboot: rehearsing it in {} MiB of scratch; nothing is written to the patient ...",
        scratch.bytes() >> 20
    ));
    let patient = Patient::look(&args.target)?;
    let sysroot = patient.sysroot().context("there is no root to repair")?;
    let actions = plan.clone().revocable().actions();
    let (unpack, programs) = (plan.unpack(), plan.programs());
    let bring = |asked: &[Asked]| match &before.facts.tree {
        Some(tree) => supply::bring(args, (&sysroot.root, tree), asked),
        None => Vec::new(),
    };
    let is_supplied = args.in_rehearsal || !args.packages.is_empty();
    let supply = cache(before).filter(|_| is_supplied);
    let supply = supply.map(|cache| Supply {
        cache,
        bring: &bring,
    });
    let work = Work {
        actions: &actions,
        unpack: &unpack,
        programs: &programs,
        supply,
    };
    let rehearsal = match Rehearsal::of(sysroot, &scratch, work, &mut teller())? {
        Attempt::Well(rehearsal) => rehearsal,
        Attempt::Failed {
            program,
            why,
            ran: all,
        } => {
            *ran = all;
            let failed = |repair: &Repair| repair.programs.contains(&program);
            let out = take_out(plan, &failed, &|_| why.clone());
            patient.close()?;
            return Ok(Tried::LeftOut(out));
        }
        Attempt::NotUnpacked { package, why } => {
            let wants = |repair: &Repair| {
                let mut all = repair.unpack.iter();
                all.any(|one| package.as_ref().is_none_or(|package| one.is_of(package)))
            };
            let out = take_out(plan, &wants, &|_| why.clone());
            patient.close()?;
            return Ok(Tried::LeftOut(out));
        }
    };
    ran.extend_from_slice(rehearsal.ran());
    let images = boot_loader::images(&rehearsal.tree().root, plan).and_then(|images| {
        let disks = boot_loader::written(patient.survey(), &images, plan)?;
        Ok((images, disks))
    });
    let (images, disks) = match images {
        Ok(both) => both,
        Err(error) => {
            let writes = |repair: &Repair| !repair.loaders.is_empty();
            let out = take_out(plan, &writes, &|_| format!("{error:#}"));
            rehearsal.close()?;
            patient.close()?;
            return Ok(Tried::LeftOut(out));
        }
    };
    say("lifeboot: looking at the tree as it would be ...");
    let after = patient.report_of(rehearsal.tree(), &disks);
    let out = judge(plan, before, &after);
    let rehearsed = rehearsal.close()?;
    patient.close()?;
    Ok(match out.is_empty() {
        true => Tried::Well(rehearsed, images, scratch),
        false => Tried::LeftOut(out),
    })
}

/// Where apt of the patient keeps archives.
fn cache(report: &Report) -> Option<&str> {
    match &report.facts.tree.as_ref()?.packages {
        Packages::Dpkg(dpkg) => Some(dpkg.apt.cache.place()),
        _ => None,
    }
}

/// What it changes is known only when it was tried.
fn is_rehearsed(repair: &Repair) -> bool {
    !repair.programs.is_empty() || !repair.unpack.is_empty()
}

/// Takes out of the plan what the rehearsal showed not to work.
fn judge(plan: &mut Plan, before: &Report, after: &Report) -> Vec<Refused> {
    let stays = |repair: &Repair| {
        let mut now = after.findings.iter();
        is_rehearsed(repair)
            && now.any(|finding| Key::of(finding) == repair.removes)
            && !brings_its_part(repair, after)
    };
    let out = take_out(plan, &stays, &|repair| {
        format!(
            "it was rehearsed, and {} is still there after it",
            repair.removes.id
        )
    });
    if !out.is_empty() {
        return out;
    }
    let stops = |finding: &&Finding| finding.severity >= Severity::Unreachable;
    let known: Vec<Key> = before.findings.iter().filter(stops).map(Key::of).collect();
    let mut now = after.findings.iter().filter(stops);
    let Some(new) = now.find(|finding| !known.contains(&Key::of(finding))) else {
        return Vec::new();
    };
    take_out(plan, &is_rehearsed, &|_| {
        format!(
            "the rehearsal ended with something new: {} ({})",
            new.title, new.id
        )
    })
}

/// True for a repair that brings some of the files back that its finding is
/// about, when none of these is damaged any more.
fn brings_its_part(repair: &Repair, after: &Report) -> bool {
    let files = || repair.unpack.iter().flat_map(|package| &package.files);
    let Some(tree) = after
        .facts
        .tree
        .as_ref()
        .filter(|_| repair.may_be_partial())
    else {
        return false;
    };
    let damaged = tree.integrity.damaged.iter();
    let mut damaged = damaged.flat_map(|package| &package.files);
    !damaged.any(|left| files().any(|file| *file == left.path))
}

fn take_out(
    plan: &mut Plan,
    which: &dyn Fn(&Repair) -> bool,
    why: &dyn Fn(&Repair) -> String,
) -> Vec<Refused> {
    let all = std::mem::take(&mut plan.repairs);
    let (out, left): (Vec<Repair>, Vec<Repair>) = all.into_iter().partition(|r| which(r));
    plan.repairs = left;
    let refused = out.into_iter().map(|repair| {
        let why = why(&repair);
        repair.refused(why)
    });
    refused.collect()
}

/// Says which program runs, and now and then what it said last.
fn teller() -> impl FnMut(Told<'_>) {
    let mut told_at = Instant::now();
    move |told| match told {
        Told::Unpacks(packages) => {
            let named = |whole: bool| -> Vec<String> {
                let all = packages.iter();
                let all = all.filter(|package| package.files.is_empty() == whole);
                all.map(Unpack::label).collect()
            };
            for (what, names) in [("", named(true)), (" files of", named(false))] {
                if !names.is_empty() {
                    say(&format!(
                        "lifeboot: unpacking{what} {} ...",
                        names.join(", ")
                    ));
                }
            }
        }
        Told::Wants(count, bytes) => say(&format!(
            "lifeboot: apt wants {count} archives that its cache lacks, {} MiB",
            bytes.div_ceil(1 << 20)
        )),
        Told::Begins(program) => {
            told_at = Instant::now();
            say(&format!("lifeboot: in the patient: {}", program.line()));
        }
        Told::Line(line) => {
            if told_at.elapsed() >= BETWEEN_LINES {
                told_at = Instant::now();
                say(&format!("  {line}"));
            }
        }
    }
}
