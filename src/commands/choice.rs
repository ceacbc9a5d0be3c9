//! Which of several systems is meant: asked only when somebody is there.

use anyhow::Result;

use super::{guided, is_interactive, say};
use crate::cli::Target;
use crate::report::Report;
use crate::sysroot::Search;

/// The target with the system that the operator chose; none where there is no
/// choice, nobody to ask, or nothing was chosen.
pub(super) fn of_root(target: &Target, report: &Report, as_json: bool) -> Result<Option<Target>> {
    let Search::Several { candidates } = &report.facts.search else {
        return Ok(None);
    };
    if as_json || target.root_device.is_some() || !is_interactive() {
        return Ok(None);
    }
    say("There are several systems:");
    for (index, candidate) in candidates.iter().enumerate() {
        let number = index + 1;
        say(&format!(
            "  {number}. {}: {}",
            candidate.name,
            candidate.description()
        ));
    }
    let count = candidates.len();
    let prompt = format!("Which one (1 to {count}, or nothing)");
    let index = loop {
        let answer = guided::line(&prompt)?;
        match answer.trim() {
            "" | "q" => break None,
            text => match text.parse::<usize>() {
                Ok(number) if (1..=count).contains(&number) => break Some(number - 1),
                _ => say(&format!("lifeboot: a number from 1 to {count}, or nothing")),
            },
        }
    };
    Ok(index
        .and_then(|index| candidates.get(index))
        .map(|chosen| Target {
            root_device: Some(chosen.name.clone()),
            ..target.clone()
        }))
}
