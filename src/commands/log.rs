//! `lifeboot log`: the repairs that stand on the patient, with who, when, what.

use anyhow::{Context, Result, bail};

use super::patient::{Patient, no_root};
use super::{print, print_json};
use crate::cli::LogArgs;
use crate::journal::{self, Transaction};
use crate::outcome::Outcome;
use crate::report::log_text;

pub(super) fn run(args: &LogArgs) -> Result<Outcome> {
    let patient = Patient::look(&args.target)?;
    let answer = match patient.sysroot() {
        Some(sysroot) => journal::list(&sysroot.root).context("reading /.lifeboot/journal"),
        None => Err(no_root(patient.search())),
    };
    patient.close()?;
    let all = answer?;
    let Some(id) = &args.id else {
        return show(args, &all);
    };
    match all.iter().find(|transaction| transaction.id == *id) {
        Some(one) => show(args, std::slice::from_ref(one)),
        None => bail!(
            "there is no repair {id} on this system; lifeboot log{} shows all",
            args.target.words()
        ),
    }
}

fn show(args: &LogArgs, transactions: &[Transaction]) -> Result<Outcome> {
    if args.json {
        print_json(&transactions)?;
    } else {
        let steps = args.id.is_some();
        print(&log_text::log(transactions, steps, &args.target.words()))?;
    }
    Ok(Outcome::Boots)
}
