//! `lifeboot explain`: the page of a finding, from the binary itself; or why
//! the boot needs a file.

use anyhow::{Result, bail};
use serde_json::json;

use super::{patient, print, print_json};
use crate::checks::{CHECKS, by_id};
use crate::cli::ExplainArgs;
use crate::facts::critical::way;
use crate::outcome::Outcome;
use crate::report::way_text;

pub(super) fn run(args: &ExplainArgs) -> Result<Outcome> {
    match (&args.path, &args.id) {
        (Some(path), _) => why(path, args)?,
        (None, Some(id)) => page(id, args.json)?,
        (None, None) => list(args.json)?,
    }
    Ok(Outcome::Boots)
}

/// The way from the kernel to a file of the patient.
fn why(path: &str, args: &ExplainArgs) -> Result<()> {
    let report = patient::diagnosed(&args.target)?;
    let Some(tree) = &report.facts.tree else {
        bail!("no system was found; name it with --root DIR or --root-device NAME");
    };
    let Some(way) = way::to(tree, path) else {
        bail!(
            "{path}: no part of the boot uses it, as far as this version follows it\n\
             (PID 1, units, udev, mounts, logins); give the path as the patient has it"
        );
    };
    if args.json {
        print_json(&way)
    } else {
        print(&way_text::text(&way))
    }
}

fn page(id: &str, as_json: bool) -> Result<()> {
    let Some(check) = by_id(id) else {
        bail!("there is no finding {id:?}; lifeboot explain lists them all");
    };
    if as_json {
        print_json(&json!({ "id": check.id, "stage": check.stage, "page": check.page }))
    } else {
        print(check.page)
    }
}

fn list(as_json: bool) -> Result<()> {
    if as_json {
        let all: Vec<_> = CHECKS
            .iter()
            .map(
                |check| json!({ "id": check.id, "stage": check.stage, "title": title(check.page) }),
            )
            .collect();
        return print_json(&all);
    }
    let lines: String = CHECKS
        .iter()
        .map(|check| format!("{}\n    {}\n", check.id, title(check.page)))
        .collect();
    print(&lines)
}

/// The sentence under the heading of a page.
fn title(page: &str) -> &str {
    page.lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with('#'))
        .unwrap_or_default()
}
