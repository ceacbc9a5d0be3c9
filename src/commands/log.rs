//! `lifeboot log`: the repairs that stand on the patient, with who, when, what.

use anyhow::{Context, Result, bail};

use super::patient::{Patient, no_root};
use super::{print, print_json, session};
use crate::cli::LogArgs;
use crate::journal::{self, Transaction};
use crate::outcome::Outcome;
use crate::report::document::{self, Document, Entry};
use crate::report::log_text;
use crate::sys::root_dir::RootDir;

pub(super) fn run(args: &LogArgs) -> Result<Outcome> {
    if args.session {
        print(&session::log()?)?;
        return Ok(Outcome::Boots);
    }
    let patient = Patient::look(&args.target)?;
    let answer = match patient.sysroot() {
        Some(sysroot) => found(args, &sysroot.root),
        None => Err(no_root(patient.search())),
    };
    patient.close()?;
    let (all, whole) = answer?;
    let target = args.target.words();
    match (whole, args.json) {
        (None, true) => print_log(all.into_iter().map(Entry::from).collect())?,
        (None, false) => print(&log_text::log(&all, &target))?,
        (Some(whole), true) => print_log(vec![whole])?,
        (Some(whole), false) => {
            let said = match &whole.programs_unknown {
                Some(why) => Err(why.as_str()),
                None => Ok(whole.programs.as_deref().unwrap_or_default()),
            };
            let text = log_text::shown(&whole.transaction, said, args.all, &target);
            print(&text)?;
        }
    }
    Ok(Outcome::Boots)
}

fn print_log(repairs: Vec<Entry>) -> Result<()> {
    print_json(&Document {
        schema: document::LOG,
        body: document::Log { repairs },
    })
}

/// All repairs, and the one that was asked for with all about it.
fn found(args: &LogArgs, root: &RootDir) -> Result<(Vec<Transaction>, Option<Entry>)> {
    let all = journal::list(root).context("reading /.lifeboot/journal")?;
    let Some(id) = &args.id else {
        return Ok((all, None));
    };
    let transaction = one(&all, id, &args.target.words())?.clone();
    let (programs, programs_unknown) = match journal::programs(root, &transaction.id) {
        Ok(programs) => (Some(programs), None),
        Err(error) => (None, Some(format!("{error:#}"))),
    };
    let whole = Entry {
        transaction,
        programs,
        programs_unknown,
    };
    Ok((all, Some(whole)))
}

/// The repair with this name, or the only one whose name begins so.
fn one<'t>(all: &'t [Transaction], id: &str, target: &str) -> Result<&'t Transaction> {
    let begins = |transaction: &&Transaction| transaction.id.starts_with(id);
    let found: Vec<&Transaction> = all.iter().filter(begins).collect();
    match found.as_slice() {
        [one] if !id.is_empty() => Ok(one),
        [] => bail!("there is no repair {id} on this system; lifeboot log{target} shows all"),
        several => bail!(
            "{} repairs begin with {id:?}; lifeboot log{target} shows all",
            several.len()
        ),
    }
}
