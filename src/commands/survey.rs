//! `lifeboot survey`: what storage is here.

use anyhow::Result;
use serde_json::json;

use super::patient::survey_of;
use super::{print, print_json};
use crate::assembly;
use crate::cli::{SurveyArgs, Target};
use crate::outcome::Outcome;
use crate::report::survey_text;
use crate::sysroot::filesystems;

pub(super) fn run(args: &SurveyArgs) -> Result<Outcome> {
    let target = Target {
        disk: args.disk.clone(),
        ..Target::default()
    };
    let survey = survey_of(&target)?;
    let assembly = assembly::judge(&survey);
    let filesystems = filesystems::list(&survey, &assembly);
    if args.json {
        print_json(&json!({
            "survey": survey,
            "assembly": assembly,
            "filesystems": filesystems,
        }))?;
    } else {
        print(&survey_text(&survey, &assembly, &filesystems))?;
    }
    Ok(Outcome::Boots)
}
