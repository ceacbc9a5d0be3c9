//! `lifeboot repair`: plan, consent, commit under the journal, look again.

use anyhow::{Context, Result, bail};
use dialoguer::Confirm;
use serde_json::json;

use super::patient::{self, Patient};
use super::{is_interactive, print, print_json, say};
use crate::cli::RepairArgs;
use crate::journal::{self, Header, Summary};
use crate::outcome::Outcome;
use crate::repairs::{Plan, Repair};
use crate::report::{Report, plan_text, text};
use crate::sys::consent::WriteToken;
use crate::sys::supervise::uninterrupted;
use crate::sysroot::{Search, SysrootInfo};

pub(super) fn run(args: &RepairArgs) -> Result<Outcome> {
    say("lifeboot: looking at the patient, writing nothing ...");
    let patient = Patient::look(&args.target)?;
    patient::announce(&patient);
    let open = unfinished(&patient);
    let mut before = patient.report();
    before.writes = patient.close()?;
    if let Some(id) = open {
        bail!(
            "an earlier change ({id}) was interrupted; take it back with \
             lifeboot undo {id}, then repair"
        );
    }
    if !args.json {
        print(&text(&before))?;
    }
    let plan = before.plan.clone().only(&args.only);
    if plan.repairs.is_empty() {
        return nothing_to_do(args, &before);
    }
    if args.plan {
        return show_plan(args, &before, &plan);
    }
    let Some((plan, token)) = consent(args, plan)? else {
        if args.json {
            print_json(&json!({ "before": before, "committed": null }))?;
        }
        return Ok(before.verdict.kind.outcome());
    };
    let Search::Found(info) = &before.facts.search else {
        bail!("there is no root to repair");
    };
    let (summary, after) = commit(args, info, &plan, &token)?;
    if args.json {
        print_json(&json!({ "before": before, "committed": summary, "after": after }))?;
    } else {
        print(&format!(
            "\nREPAIRED: {} changes, journal {}. What is left:\n\n{}",
            summary.actions,
            summary.id,
            text(&after)
        ))?;
    }
    Ok(after.verdict.kind.outcome())
}

/// The id of a change that was cut off.
fn unfinished(patient: &Patient) -> Option<String> {
    patient
        .transactions()
        .into_iter()
        .find(|transaction| transaction.state != journal::State::Committed)
        .map(|transaction| transaction.id)
}

fn nothing_to_do(args: &RepairArgs, before: &Report) -> Result<Outcome> {
    if args.json {
        print_json(&json!({ "before": before, "committed": null }))?;
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
        print_json(&json!({ "before": before, "plan": plan }))?;
    }
    Ok(before.verdict.kind.outcome())
}

/// The agreed part of the plan; none when nothing was agreed to.
fn consent(args: &RepairArgs, plan: Plan) -> Result<Option<(Plan, WriteToken)>> {
    if args.yes || !args.only.is_empty() {
        let reason = if args.yes { "--yes" } else { "--only" };
        return Ok(Some((plan, WriteToken::granted(reason))));
    }
    if !is_interactive() {
        say("lifeboot: nothing was changed. Next: lifeboot repair --yes");
        return Ok(None);
    }
    let mut agreed = Plan::default();
    for repair in plan.repairs {
        if ask(&repair)? {
            agreed.repairs.push(repair);
        }
    }
    if agreed.repairs.is_empty() {
        say("lifeboot: nothing was changed.");
        return Ok(None);
    }
    Ok(Some((agreed, WriteToken::granted("asked on the terminal"))))
}

fn ask(repair: &Repair) -> Result<bool> {
    let one = Plan {
        repairs: vec![repair.clone()],
        uncovered: Vec::new(),
    };
    say(&format!("\n{}", plan_text(&one).trim_end()));
    Confirm::new()
        .with_prompt("Do this repair? Nothing has been written so far")
        .default(false)
        .interact()
        .context("asking on the terminal")
}

/// Does the plan and looks again.
fn commit(
    args: &RepairArgs,
    info: &SysrootInfo,
    plan: &Plan,
    token: &WriteToken,
) -> Result<(Summary, Report)> {
    let actions = plan.actions();
    say("lifeboot: opening the patient for writing ...");
    let patient = Patient::write(&args.target, info, &actions, token)?;
    let sysroot = patient.sysroot().context("there is no root to repair")?;
    let what = plan.repairs.iter().map(|r| r.title.clone()).collect();
    let summary = uninterrupted(|| {
        journal::commit(
            &sysroot.root,
            token,
            Header::new(what),
            &actions,
            &mut |step| {
                say(&format!(
                    "[{}/{}] {}",
                    step.index + 1,
                    step.total,
                    step.action
                ));
            },
        )
    })?;
    say("lifeboot: looking again ...");
    let mut after = patient.report();
    after.writes = patient.close()?;
    Ok((summary, after))
}
