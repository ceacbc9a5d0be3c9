//! `lifeboot packages --verify`: the files of packages, compared with what
//! their packages shipped.

use anyhow::{Context, Result, bail};

use crate::cli::PackagesArgs;
use crate::commands::patient::{Patient, no_root};
use crate::commands::progress::Progress;
use crate::commands::{print, print_json};
use crate::facts::integrity::{self, Answer};
use crate::outcome::Outcome;
use crate::report::document::{self, Document};
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
        print_json(&Document {
            schema: document::VERIFIED,
            body: integrity,
        })?;
    } else if let Some(lines) = lines(&answer, args) {
        let lines = lines.iter().map(|line| format!("{line}\n"));
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

/// What a package manager would print, where that is asked for.
fn lines<'a>(answer: &'a Answer, args: &PackagesArgs) -> Option<&'a [String]> {
    let formats = [
        (args.dpkg_format, &answer.dpkg_lines),
        (args.rpm_format, &answer.rpm_lines),
        (args.pacman_format, &answer.pacman_lines),
    ];
    let mut asked = formats.into_iter().filter(|(is_asked, _)| *is_asked);
    asked.next().map(|(_, lines)| lines.as_slice())
}

fn verify(patient: &Patient, args: &PackagesArgs) -> Result<Answer> {
    let Some(sysroot) = patient.sysroot() else {
        return Err(no_root(patient.search()));
    };
    let names = args.verify.as_deref().unwrap_or_default();
    let mut progress = Progress::of("lifeboot: reading the files of packages");
    // What the boot needs is only asked when something is wrong.
    let tree = || {
        let wanted = !(args.dpkg_format || args.rpm_format || args.pacman_format);
        wanted.then(|| patient.facts().tree).flatten()
    };
    let answer = integrity::verify(&sysroot.root, names, tree, &mut |done, all| {
        progress.show(done, all, "");
    });
    drop(progress);
    answer.context("no database of packages is there: nothing to compare with")
}
