//! `lifeboot survey`: what storage is here.

use anyhow::Result;

use super::patient::{opener, survey_of};
use super::{print, print_json, read_test};
use crate::assembly::{self, Assembly};
use crate::cli::{SurveyArgs, Target};
use crate::outcome::Outcome;
use crate::report::document::{self, Document};
use crate::report::{read_test_text, survey_text};
use crate::sysroot::{Choice, Purpose, filesystems};

/// The signal of Ctrl-C (`signal(7)`).
const SIGINT: u8 = 2;

pub(super) fn run(args: &SurveyArgs) -> Result<Outcome> {
    let target = Target {
        disk: args.disk.clone(),
        key_file: args.key_file.clone(),
        leg: args.leg.clone(),
        ..Target::default()
    };
    let survey = survey_of(&target)?;
    // Arrays and volumes are opened by root only; the disks show all the same.
    let (assembly, systems) = match opener(&survey, &target, assembly::Purpose::Look) {
        Ok(mut opener) => {
            let systems = opener.search(&Choice::default(), Purpose::Look);
            let assembly = opener.assembly().clone();
            opener.close()?;
            (assembly, Some(systems?))
        }
        Err(_) => (Assembly::unopened(&survey), None),
    };
    let test = args
        .read_test
        .map(|mode| read_test::run(&survey, mode))
        .transpose()?;
    if args.json {
        print_json(&Document {
            schema: document::SURVEY,
            body: document::Storage {
                filesystems: filesystems::list(&assembly),
                survey: &survey,
                assembly: &assembly,
                systems: systems.as_ref(),
                read_test: test.as_ref(),
            },
        })?;
    } else {
        print(&survey_text(&survey, &assembly, systems.as_ref()))?;
        if let Some(test) = &test {
            print(&("\n".to_owned() + &read_test_text(test)))?;
        }
    }
    Ok(match test {
        Some(test) if test.has_errors() => Outcome::HardwareFirst,
        Some(test) if test.interrupted => Outcome::Interrupted(SIGINT),
        // Unknown is never well.
        Some(test) if test.is_incomplete() => Outcome::Undetermined,
        _ => Outcome::Boots,
    })
}
