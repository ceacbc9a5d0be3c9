//! `lifeboot packages --verify`: the files of packages, compared with what
//! their packages shipped.

use anyhow::{Context, Result, bail};

use crate::cli::PackagesArgs;
use crate::commands::patient::{Patient, no_root};
use crate::commands::progress::Progress;
use crate::commands::{print, print_json};
use crate::facts::integrity::{self, Answer};
use crate::outcome::Outcome;
use crate::report::verify_text;

pub(super) fn run(args: &PackagesArgs) -> Result<Outcome> {
    let patient = Patient::look_at_tree(&args.target)?;
    let answer = verify(&patient, args);
    patient.close()?;
    let answer = answer?;
    if !answer.unknown.is_empty() {
        bail!(
            "no such package is installed: {}",
            answer.unknown.join(", ")
        );
    }
    let integrity = &answer.integrity;
    if args.json {
        print_json(integrity)?;
    } else if args.dpkg_format {
        let lines = answer.dpkg_lines.iter().map(|line| format!("{line}\n"));
        print(&lines.collect::<String>())?;
    } else if args.rpm_format {
        let lines = answer.rpm_lines.iter().map(|line| format!("{line}\n"));
        print(&lines.collect::<String>())?;
    } else {
        print(&verify_text::verified(integrity))?;
    }
    Ok(
        if integrity.damaged.is_empty() && integrity.database.is_empty() {
            Outcome::Boots
        } else {
            Outcome::Undetermined
        },
    )
}

fn verify(patient: &Patient, args: &PackagesArgs) -> Result<Answer> {
    let Some(sysroot) = patient.sysroot() else {
        return Err(no_root(patient.search()));
    };
    let names = args.verify.as_deref().unwrap_or_default();
    let mut progress = Progress::of("lifeboot: reading the files of packages");
    // What the boot needs is only asked when something is wrong.
    let tree = || {
        let wanted = !args.dpkg_format && !args.rpm_format;
        wanted.then(|| patient.facts().tree).flatten()
    };
    let answer = integrity::verify(&sysroot.root, names, tree, &mut |done, all| {
        progress.show(done, all, "");
    });
    drop(progress);
    answer.context("this system has no database of dpkg's or rpm's: nothing to compare with")
}
