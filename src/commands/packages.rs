//! `lifeboot packages`: the package database, and where an upgrade stands.

use anyhow::Result;

use super::patient::{Patient, no_root};
use super::{print, print_json};
use crate::cli::PackagesArgs;
use crate::facts::packages::{self, Depth, Packages};
use crate::outcome::Outcome;
use crate::report::document::{self, Document};
use crate::report::packages_text;

mod verify;

pub(super) fn run(args: &PackagesArgs) -> Result<Outcome> {
    if args.verify.is_some() {
        return verify::run(args);
    }
    let mut patient = Patient::look_at_tree(&args.target)?;
    let found = patient
        .sysroot()
        .map(|sysroot| packages::collect(&sysroot.root, Depth::Digests).0);
    let answer = match found {
        Some(mut found) => {
            patient.look_elsewhere(&mut found);
            show(&found, args)
        }
        None => Err(no_root(patient.search())),
    };
    patient.close()?;
    answer
}

fn show(found: &Packages, args: &PackagesArgs) -> Result<Outcome> {
    if args.json {
        print_json(&Document {
            schema: document::PACKAGES,
            body: found,
        })?;
    } else {
        print(&packages_text::packages(found))?;
    }
    Ok(match found {
        Packages::Dpkg(dpkg) if dpkg.faults.is_empty() && !dpkg.is_interrupted() => Outcome::Boots,
        Packages::Pacman(pacman)
            if pacman.faults.is_empty() && pacman.unfinished.is_none() && pacman.lock.is_none() =>
        {
            Outcome::Boots
        }
        Packages::Apk(apk) if apk.faults.is_empty() => Outcome::Boots,
        Packages::Rpm(rpm)
            if rpm.faults.is_empty() && rpm.unfinished.is_none() && rpm.duplicates().is_empty() =>
        {
            Outcome::Boots
        }
        _ => Outcome::Undetermined,
    })
}
