//! `lifeboot repair`: plan, consent, commit under the journal, look again.

use anyhow::{Context, Result, bail};

use super::package_folders::PackageFolders;
use super::patient::{Patient, diagnosed};
use super::rounds;
use super::{array_work, boot_loader, choice, fetch, guided, output, progress, rehearse, session};
use super::{is_interactive, print, print_json, say};
use crate::checks::by_id;
use crate::cli::RepairArgs;
use crate::journal::{self, Action, Header, Stock, Summary, Supplies};
use crate::outcome::Outcome;
use crate::repairs::{ArrayWork, Plan, Repair};
use crate::report::document::{self, Document, Repaired};
use crate::report::{Report, first_screen, text};
use crate::sys::consent::WriteToken;
use crate::sys::supervise::uninterrupted;
use crate::sysroot::{Search, SysrootInfo};

pub(super) fn run(args: &RepairArgs) -> Result<Outcome> {
    session::keep_log();
    if let Some(id) = args.only.iter().find(|id| by_id(id).is_none()) {
        say(&format!(
            "lifeboot: there is no finding {id:?}; lifeboot explain lists all"
        ));
        return Ok(Outcome::Usage);
    }
    if args.packages != args.target.packages {
        let opened = PackageFolders::open(&args.packages)?;
        let mut args = args.clone();
        args.packages.clone_from(&opened.folders);
        args.target.packages.clone_from(&opened.folders);
        let outcome = run(&args)?;
        opened.close()?;
        return Ok(outcome);
    }
    let terms = session::terms(&args.terms, args.guided && is_interactive());
    say("lifeboot: looking at the patient, writing nothing ...");
    let mut before = diagnosed(&args.target)?.decided(&terms);
    if let Some(target) = choice::of_root(&args.target, &before, args.json)? {
        return run(&RepairArgs {
            target,
            ..args.clone()
        });
    }
    if let Some(open) = interrupted(&before) {
        if !args.json {
            print(&text(&before))?;
        }
        if args.plan || !agree_to_finish(args, &open)? {
            if args.json {
                print_document(Repaired {
                    interrupted: Some(&open),
                    ..Repaired::not(&before)
                })?;
            }
            return Ok(before.verdict.kind.outcome());
        }
        let alone = session::alone(&args.target)?;
        finish(args, &before, &open)?;
        drop(alone);
        before = diagnosed(&args.target)?.decided(&terms);
    }
    if args.network {
        // Before the plan, which says then what was fetched.
        let mut args = args.clone();
        args.packages.extend(fetch::for_repair(&args, &before)?);
        args.network = false;
        args.in_rehearsal = true;
        return run(&args);
    }
    if !args.json {
        print(&shown(args, &before))?;
    }
    let plan = before.plan.clone().only(&args.only);
    if plan.repairs.is_empty() {
        return nothing_to_do(args, &before);
    }
    if args.plan {
        return show_plan(args, &before, &plan);
    }
    let alone = session::alone(&args.target)?;
    let Some((plan, token)) = consent(args, &before, plan)? else {
        if args.json {
            print_document(Repaired::not(&before))?;
        }
        return Ok(before.verdict.kind.outcome());
    };
    let outcome = rehearse::rehearse(args, &before, plan);
    if outcome.plan.repairs.is_empty() || !agree_to_result(args, &outcome)? {
        return nothing_done(args, &before, &outcome);
    }
    let (done, after) = commit(args, root_of(&before)?, &outcome, &token)?;
    let first = rounds::round(done, &outcome);
    let (rounds, after) = rounds::go_on(args, &before, first, after, &token);
    if args.json {
        print_document(Repaired {
            committed: rounds
                .iter()
                .rev()
                .find_map(|round| round.committed.as_ref()),
            arrays: rounds.iter().flat_map(|round| &round.arrays).collect(),
            refused: rounds.iter().flat_map(|round| &round.refused).collect(),
            rounds: &rounds,
            after: Some(&after),
            ..Repaired::not(&before)
        })?;
    } else {
        let done: Vec<String> = rounds.iter().map(rounds::words).collect();
        let said = format!("\nREPAIRED: {}.", done.join("; "));
        session::note(&said);
        if asks(args) && brings_more(&before.plan, &after.plan) {
            print(&format!("{said} Now more can be repaired.\n\n"))?;
            // It is taken anew when the next questions are asked.
            drop(alone);
            return run(args);
        }
        print(&format!("{said} What is left:\n\n{}", shown(args, &after)))?;
    }
    Ok(after.verdict.kind.outcome())
}

fn print_document(body: Repaired<'_>) -> Result<()> {
    print_json(&Document {
        schema: document::REPAIR,
        body,
    })
}

/// The report; where one decision after the other is asked for, what fits the
/// screen.
fn shown(args: &RepairArgs, report: &Report) -> String {
    match asks(args) {
        true => first_screen(report),
        false => text(report),
    }
}

/// True when each repair is asked about.
fn asks(args: &RepairArgs) -> bool {
    let is_told = args.yes || args.plan || args.json || !args.only.is_empty();
    !is_told && is_interactive()
}

/// True when something can be repaired that nobody was asked about yet.
fn brings_more(before: &Plan, after: &Plan) -> bool {
    let asked = |repair: &Repair| before.repairs.iter().any(|r| r.removes == repair.removes);
    after.repairs.iter().any(|repair| !asked(repair))
}

pub(super) fn root_of(report: &Report) -> Result<&SysrootInfo> {
    match &report.facts.search {
        Search::Found(info) => Ok(info),
        _ => bail!("there is no root to repair"),
    }
}

/// The id of a repair or undo that was cut off.
fn interrupted(report: &Report) -> Option<String> {
    let earlier = &report.facts.tree.as_ref()?.earlier;
    let open = earlier.repairs.iter().find(|repair| repair.interrupted)?;
    Some(open.id.clone())
}

fn agree_to_finish(args: &RepairArgs, id: &str) -> Result<bool> {
    if args.yes {
        return Ok(true);
    }
    if !is_interactive() {
        say(&format!(
            "lifeboot: an earlier change ({id}) was interrupted; nothing was changed \
             now. Next: lifeboot repair --yes{target} finishes it, \
             lifeboot undo {id} --yes{target} takes it back",
            target = args.target.words()
        ));
        return Ok(false);
    }
    guided::agrees(&format!("Finish the interrupted change {id} first?"))
}

/// Brings the interrupted change to its end.
fn finish(args: &RepairArgs, before: &Report, id: &str) -> Result<()> {
    let token = WriteToken::granted("finishing an interrupted change");
    let patient = Patient::look(&args.target)?;
    let sysroot = patient.sysroot().context("there is no root to repair")?;
    let transactions = journal::list(&sysroot.root).context("reading /.lifeboot/journal")?;
    patient.close()?;
    let open = transactions.into_iter().find(|t| t.id == id);
    let actions: Vec<Action> = open.map(|t| t.actions).unwrap_or_default();
    let patient = Patient::write(&args.target, root_of(before)?, &actions, &token)?;
    let sysroot = patient.sysroot().context("there is no root to repair")?;
    let (root, disks) = (&sysroot.root, patient.survey().disks_for_journal());
    let tell = &mut progress::steps();
    let summary = uninterrupted(|| journal::resume_with(root, &token, id, (&disks, tell)))?;
    patient.close()?;
    say(&format!(
        "lifeboot: the interrupted change {} is finished; looking again ...",
        summary.id
    ));
    Ok(())
}

fn nothing_to_do(args: &RepairArgs, before: &Report) -> Result<Outcome> {
    if args.json {
        print_document(Repaired::not(before))?;
    } else {
        say(if args.only.is_empty() {
            "lifeboot: there is nothing here that lifeboot can repair."
        } else {
            "lifeboot: no repair of the plan removes what --only names."
        });
    }
    Ok(before.verdict.kind.outcome())
}

fn show_plan(args: &RepairArgs, before: &Report, plan: &Plan) -> Result<Outcome> {
    if args.json {
        print_document(Repaired {
            plan: Some(plan),
            ..Repaired::not(before)
        })?;
    }
    Ok(before.verdict.kind.outcome())
}

/// The agreed part of the plan; none when nothing was agreed to.
fn consent(args: &RepairArgs, before: &Report, plan: Plan) -> Result<Option<(Plan, WriteToken)>> {
    let named = !args.only.is_empty();
    // What cannot be taken back is only done when it was asked for by name.
    let plan = if args.yes && !named {
        plan.revocable()
    } else {
        plan
    };
    if plan.repairs.is_empty() {
        say("lifeboot: what could be done cannot be undone: name it with --only ID");
        return Ok(None);
    }
    if args.yes || named {
        let reason = if args.yes { "--yes" } else { "--only" };
        return Ok(Some((plan, WriteToken::granted(reason))));
    }
    if !is_interactive() {
        let target = args.target.words();
        say(&format!(
            "lifeboot: nothing was changed. Next: lifeboot repair --yes{target}"
        ));
        return Ok(None);
    }
    let agreed = guided::decide(&args.target, before, plan)?;
    if agreed.repairs.is_empty() {
        say("lifeboot: nothing was changed.");
        return Ok(None);
    }
    Ok(Some((agreed, WriteToken::granted("asked on the terminal"))))
}

/// Asked once more when it is known what programs of the patient would change.
fn agree_to_result(args: &RepairArgs, outcome: &rehearse::Outcome) -> Result<bool> {
    let Some(rehearsed) = &outcome.rehearsed else {
        return Ok(true);
    };
    let (count, size) = (rehearsed.actions.len(), rehearsed.bytes >> 20);
    say(&format!(
        "lifeboot: it was rehearsed and went well: {count} changes, {size} MiB to write"
    ));
    if args.yes || !args.only.is_empty() {
        return Ok(true);
    }
    guided::agrees("Make these changes on the patient? lifeboot undo takes them back")
}

fn nothing_done(
    args: &RepairArgs,
    before: &Report,
    outcome: &rehearse::Outcome,
) -> Result<Outcome> {
    output::keep(&outcome.ran);
    if args.json {
        print_document(Repaired {
            refused: outcome.refused.iter().collect(),
            ..Repaired::not(before)
        })?;
    } else {
        say("lifeboot: nothing was changed.");
    }
    Ok(before.verdict.kind.outcome())
}

/// What was done.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub(super) files: Option<Summary>,
    pub(super) arrays: Vec<ArrayWork>,
}

/// Does the plan, files before arrays, and looks again.
pub(super) fn commit(
    args: &RepairArgs,
    info: &SysrootInfo,
    outcome: &rehearse::Outcome,
    token: &WriteToken,
) -> Result<(Done, Report)> {
    let plan = &outcome.plan;
    let files = plan.clone().revocable();
    let mut done = Done::default();
    let mut after = None;
    if !files.repairs.is_empty() {
        let committed = commit_files(args, info, &files, outcome, token);
        let (summary, report) = committed.inspect_err(|_| output::keep(&outcome.ran))?;
        if !outcome.ran.is_empty() {
            say(&format!(
                "lifeboot: what programs of the patient said: lifeboot log {}{}",
                summary.id,
                args.target.words()
            ));
        }
        done.files = Some(summary);
        after = Some(report);
    } else {
        output::keep(&outcome.ran);
    }
    for work in plan.works() {
        array_work::run(&args.target, info, work, token)?;
        done.arrays.push(work.clone());
        after = None;
    }
    let after = match after {
        Some(report) => report,
        None => {
            say("lifeboot: looking again ...");
            diagnosed(&args.target)?
        }
    };
    Ok((done, after))
}

/// What for, with the findings that go.
fn header(plan: &Plan) -> Header {
    let what = plan.repairs.iter().map(|repair| repair.title.clone());
    let mut removes: Vec<String> = Vec::new();
    for key in plan.repairs.iter().map(|repair| &repair.removes) {
        let one = format!("{} {}", key.id, key.subject).trim_end().to_owned();
        if !removes.contains(&one) {
            removes.push(one);
        }
    }
    Header {
        removes,
        ..Header::new(what.collect())
    }
}

/// Does what the plan does to files, and looks again.
fn commit_files(
    args: &RepairArgs,
    info: &SysrootInfo,
    plan: &Plan,
    outcome: &rehearse::Outcome,
    token: &WriteToken,
) -> Result<(Summary, Report)> {
    let (rehearsed, images) = (outcome.rehearsed.as_ref(), &outcome.images);
    let mut actions = match rehearsed {
        Some(rehearsed) => rehearsed.actions.clone(),
        None => plan.actions(),
    };
    say("lifeboot: opening the patient for writing ...");
    let patient = Patient::write(&args.target, info, &actions, token)?;
    let sysroot = patient.sysroot().context("there is no root to repair")?;
    // What was agreed to must still be what would be done: the journal of the
    // filesystem was replayed, and time has passed.
    let now = patient.report().plan;
    if let Some(gone) = plan.repairs.iter().find(|r| !now.repairs.contains(r)) {
        bail!(
            "the patient changed since it was looked at ({}); nothing was done, \
             run lifeboot repair{} again",
            gone.title,
            args.target.words()
        );
    }
    let (header, root) = (header(plan), &sysroot.root);
    if let Some(rehearsed) = rehearsed {
        rehearsed.check(root)?;
    }
    let disks = boot_loader::disks(patient.survey(), sysroot, plan, images, &mut actions)?;
    let mut ran = outcome.ran.clone();
    ran.extend(session::so_far());
    let none = Stock::default();
    let stock = rehearsed.map_or(&none, |rehearsed| &rehearsed.stock);
    let supplies = Supplies {
        stock,
        disks: &disks,
        programs: &ran,
    };
    let tell = &mut progress::steps();
    let summary =
        uninterrupted(|| journal::commit_with(root, token, header, &actions, supplies, tell))?;
    say("lifeboot: looking again ...");
    if !plan.loaders().is_empty() || !plan.esps().is_empty() {
        // The disks are other ones than those that were looked at.
        patient.close()?;
        return Ok((summary, diagnosed(&args.target)?));
    }
    let mut after = patient.report();
    after.writes = patient.close()?;
    after.target = args.target.words();
    Ok((summary, after))
}
