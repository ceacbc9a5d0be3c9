//! `lifeboot undo`: takes a repair back, step by step, from its journal.

use anyhow::{Context, Result, bail};

use super::patient::{self, Patient};
use super::{guided, is_interactive, print, print_json, progress, say, session};
use crate::cli::UndoArgs;
use crate::journal::{self, State, Transaction};
use crate::outcome::Outcome;
use crate::report::document::{self, Document, Undone};
use crate::sys::consent::WriteToken;
use crate::sys::supervise::uninterrupted;
use crate::sysroot::{Search, SysrootInfo};

pub(super) fn run(args: &UndoArgs) -> Result<Outcome> {
    session::keep_log();
    say("lifeboot: looking for repairs to take back ...");
    let patient = Patient::look(&args.target)?;
    patient::announce(&patient);
    let transactions = match patient.sysroot() {
        Some(sysroot) => journal::list(&sysroot.root).context("reading /.lifeboot/journal")?,
        None => Vec::new(),
    };
    let search = patient.search().clone();
    patient.close()?;
    let Search::Found(info) = &search else {
        bail!("no root was found, or several; lifeboot diagnose tells more");
    };
    let wanted = match &args.id {
        Some(id) => transactions.iter().find(|t| t.id == *id),
        // What was never started has changed nothing.
        None => transactions
            .iter()
            .rfind(|t| t.state != State::Unstarted && t.lasting().is_none()),
    };
    let Some(wanted) = wanted else {
        bail!("there is no such repair to take back; lifeboot log shows all");
    };
    if !args.json {
        print(&format!("{}\n", describe(wanted)))?;
    }
    let _alone = session::alone(&args.target)?;
    let Some(token) = consent(args)? else {
        if args.json {
            print_document(Undone {
                undone: None,
                would_undo: Some(wanted),
            })?;
        }
        return Ok(Outcome::Usage);
    };
    take_back(args, info, wanted, &token)?;
    Ok(Outcome::Boots)
}

fn print_document(body: Undone<'_>) -> Result<()> {
    print_json(&Document {
        schema: document::UNDO,
        body,
    })
}

fn describe(transaction: &Transaction) -> String {
    let what = transaction
        .header
        .as_ref()
        .map(|header| header.what.join("; "))
        .unwrap_or_else(|| "its journal cannot be read".into());
    format!(
        "{}  {}/{} steps stand: {}",
        transaction.id,
        transaction.done,
        transaction.actions.len(),
        crate::report::clean(&what)
    )
}

fn consent(args: &UndoArgs) -> Result<Option<WriteToken>> {
    if args.yes {
        return Ok(Some(WriteToken::granted("--yes")));
    }
    if !is_interactive() {
        let target = args.target.words();
        say(&format!(
            "lifeboot: nothing was changed. Next: lifeboot undo --yes{target}"
        ));
        return Ok(None);
    }
    let agreed = guided::agrees("Take this repair back?")?;
    Ok(agreed.then(|| WriteToken::granted("asked on the terminal")))
}

fn take_back(
    args: &UndoArgs,
    info: &SysrootInfo,
    wanted: &Transaction,
    token: &WriteToken,
) -> Result<()> {
    say("lifeboot: opening the patient for writing ...");
    let patient = Patient::write(&args.target, info, &wanted.actions, token)?;
    let sysroot = patient.sysroot().context("there is no root to write to")?;
    let (root, disks) = (&sysroot.root, patient.survey().disks_for_journal());
    let tell = &mut progress::steps();
    let summary = uninterrupted(|| journal::undo_with(root, token, &wanted.id, (&disks, tell)))?;
    patient.close()?;
    if args.json {
        return print_document(Undone {
            undone: Some(&summary),
            would_undo: None,
        });
    }
    print(&format!(
        "UNDONE: {}; the tree is again what it was.\n  Next: lifeboot diagnose{}\n",
        summary.id,
        args.target.words()
    ))
}
