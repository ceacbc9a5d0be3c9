//! `lifeboot diagnose`: the verdict, and nothing is written.

use std::fs;
use std::rc::Rc;

use anyhow::{Context, Result};

use super::page_file::PageFile;
use super::{choice, patient, session};
use super::{print, print_json, say};
use crate::cli::DiagnoseArgs;
use crate::date;
use crate::facts::Facts;
use crate::outcome::Outcome;
use crate::report::{Redaction, Report, html, markdown, redacted_text, text};

pub(super) fn run(args: &DiagnoseArgs) -> Result<Outcome> {
    let page = args.html.as_deref().map(PageFile::at).transpose()?;
    let report = match &args.facts {
        Some(path) => {
            let saved = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
            let facts: Facts = serde_json::from_slice(&saved)
                .with_context(|| format!("{} holds no facts of lifeboot", path.display()))?;
            patient::judge(facts, None)
        }
        None => look(args)?.decided(&session::terms(&args.terms, false)),
    };
    let hidden = args.redact.then(|| Rc::new(Redaction::of(&report)));
    let change = |text: &str| match &hidden {
        Some(hidden) => hidden.apply(text),
        None => text.to_owned(),
    };
    match &hidden {
        Some(hidden) if args.json => {
            let mut value = serde_json::to_value(&report).context("writing JSON")?;
            hidden.apply_to(&mut value);
            print_json(&value)?;
        }
        None if args.json => print_json(&report)?,
        _ if args.markdown => print(&markdown(&report, date::now(), &change))?,
        Some(hidden) => print(&redacted_text(&report, hidden.clone()))?,
        None => print(&text(&report))?,
    }
    if let Some(page) = page {
        let html = html(&report, date::now(), &change);
        page.write(&report.facts.search, &html)?;
    }
    if let Some(path) = &args.save_facts {
        let facts = serde_json::to_vec(&report.facts).context("writing facts as JSON")?;
        fs::write(path, facts).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(report.verdict.kind.outcome())
}

fn look(args: &DiagnoseArgs) -> Result<Report> {
    if args.target.root.is_none() {
        say("lifeboot: looking at the disks, writing nothing ...");
    }
    let report = patient::diagnosed_with(&args.target, args.verify)?;
    match choice::of_root(&args.target, &report, args.json)? {
        Some(target) => patient::diagnosed_with(&target, args.verify),
        None => Ok(report),
    }
}
