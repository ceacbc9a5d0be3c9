//! `lifeboot legs`: the members of each mirror side by side.

use anyhow::{Result, bail};

use super::keys::OperatorKeys;
use super::patient::{opener, survey_of};
use super::{print, print_json, say};
use crate::assembly::Purpose;
use crate::assembly::compare::Depth;
use crate::cli::{LegsArgs, Target};
use crate::outcome::Outcome;
use crate::report::document::{self, Document};
use crate::report::legs_text;
use crate::sysroot::legs;

pub(super) fn run(args: &LegsArgs) -> Result<Outcome> {
    let target = Target {
        disk: args.disk.clone(),
        key_file: args.key_file.clone(),
        ..Target::default()
    };
    let survey = survey_of(&target)?;
    let opener = opener(&survey, &target, Purpose::Look)?;
    let arrays = opener.assembly().arrays.clone();
    // Each member is opened alone below: nothing may hold them meanwhile.
    opener.close()?;
    let mirrors = legs::mirrors(&arrays, args.array.as_deref());
    if mirrors.is_empty() {
        let names: Vec<_> = arrays.iter().map(|array| array.name.as_str()).collect();
        match (&args.array, names.is_empty()) {
            (Some(wanted), false) => {
                bail!(
                    "no mirror is called {wanted:?}; there is: {}",
                    names.join(", ")
                )
            }
            _ => bail!("there is no mirror (RAID1) on these disks"),
        }
    }
    let depth = if args.full {
        Depth::Full
    } else {
        Depth::Sample
    };
    let mut keys = OperatorKeys::new(&target);
    let mut views = Vec::new();
    for array in mirrors {
        let mut said = (String::new(), 0);
        let mut tell = |what: &str, percent: u64| {
            // Every tenth is enough on a serial line.
            let tenth = percent / 10;
            if said.0 != what || said.1 != tenth {
                said = (what.to_owned(), tenth);
                say(&format!("lifeboot: {what}: {}0 %", tenth));
            }
        };
        views.push(legs::view(&survey, array, depth, &mut keys, &mut tell));
    }
    if args.json {
        print_json(&Document {
            schema: document::LEGS,
            body: document::Mirrors { mirrors: &views },
        })?;
    } else {
        print(&legs_text(&views))?;
    }
    Ok(Outcome::Boots)
}
