//! `lifeboot explain`: the page of a finding, from the binary itself.

use anyhow::{Result, bail};
use serde_json::json;

use super::{print, print_json};
use crate::checks::{CHECKS, by_id};
use crate::cli::ExplainArgs;
use crate::outcome::Outcome;

pub(super) fn run(args: &ExplainArgs) -> Result<Outcome> {
    let Some(id) = &args.id else {
        list(args.json)?;
        return Ok(Outcome::Boots);
    };
    let Some(check) = by_id(id) else {
        bail!("there is no finding {id:?}; lifeboot explain lists them all");
    };
    if args.json {
        print_json(&json!({ "id": check.id, "stage": check.stage, "page": check.page }))?;
    } else {
        print(check.page)?;
    }
    Ok(Outcome::Boots)
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
