//! `lifeboot diagnose`: the verdict, and nothing is written.

use std::fs;

use anyhow::{Context, Result};

use super::page_file::PageFile;
use super::{choice, patient};
use super::{print, print_json, say};
use crate::cli::DiagnoseArgs;
use crate::date;
use crate::facts::Facts;
use crate::outcome::Outcome;
use crate::report::{Report, html, markdown, text};

pub(super) fn run(args: &DiagnoseArgs) -> Result<Outcome> {
    let page = args.html.as_deref().map(PageFile::at).transpose()?;
    let report = match &args.facts {
        Some(path) => {
            let saved = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
            let facts: Facts = serde_json::from_slice(&saved)
                .with_context(|| format!("{} holds no facts of lifeboot", path.display()))?;
            patient::judge(facts, None)
        }
        None => look(args)?,
    };
    if args.json {
        print_json(&report)?;
    } else if args.markdown {
        print(&markdown(&report, date::now(), &str::to_owned))?;
    } else {
        print(&text(&report))?;
    }
    if let Some(page) = page {
        let html = html(&report, date::now(), &str::to_owned);
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
