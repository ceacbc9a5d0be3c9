//! `lifeboot verify`: a machine after its new installation, compared with what
//! was saved before.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::patient::Patient;
use super::{guided, is_interactive, print, print_json, progress, say, session};
use crate::cli::{Target, VerifyArgs};
use crate::journal::{self, Action, Header};
use crate::outcome::Outcome;
use crate::report::document::{self, Compared, Document};
use crate::report::salvage_text;
use crate::salvage;
use crate::salvage::verify::{self, Comparison};
use crate::sys::consent::WriteToken;
use crate::sys::root_dir::RootDir;
use crate::sys::supervise::uninterrupted;

/// Between two lines of progress.
const BETWEEN_LINES: Duration = Duration::from_secs(5);

pub(super) fn run(args: &VerifyArgs) -> Result<Outcome> {
    let root =
        RootDir::open(&args.root).with_context(|| format!("opening {}", args.root.display()))?;
    let mut found = compare(args, &root)?;
    let mut fixed = None;
    if !args.json {
        print(&salvage_text::verified(&found, &words(args), args.all))?;
    }
    if args.fix_permissions {
        session::keep_log();
        fixed = fix(args, &found)?;
        if fixed.is_some() && args.salvage != Path::new("-") {
            say("lifeboot: comparing again ...");
            found = compare(args, &root)?;
            if !args.json {
                print(&salvage_text::verified(&found, &words(args), args.all))?;
            }
        }
    }
    if args.json {
        print_json(&Document {
            schema: document::VERIFY,
            body: Compared {
                equal: found.is_equal(),
                fixed,
                found: &found,
            },
        })?;
    }
    Ok(outcome(&found))
}

fn outcome(found: &Comparison) -> Outcome {
    match found.is_equal() {
        true => Outcome::Boots,
        false => Outcome::Differs,
    }
}

fn compare(args: &VerifyArgs, root: &RootDir) -> Result<Comparison> {
    let shown = args.salvage.display();
    let salvaged = salvage::open(&args.salvage)?;
    let mut told = Instant::now();
    let mut paths = 0_u64;
    verify::compare(salvaged, root, &mut |path| {
        paths += 1;
        if told.elapsed() >= BETWEEN_LINES {
            told = Instant::now();
            let below: PathBuf = path.components().take(4).collect();
            let below = below.display();
            say(&format!("lifeboot: {paths} paths compared, now in {below}"));
        }
    })
    .with_context(|| format!("reading {shown}"))
}

/// The command again, for the operator to type.
fn words(args: &VerifyArgs) -> String {
    let mut words = format!(
        "lifeboot verify {}",
        shell_words::quote(&args.salvage.to_string_lossy())
    );
    if args.root != Path::new("/") {
        let root = args.root.to_string_lossy();
        words.push_str(&format!(" --root {}", shell_words::quote(&root)));
    }
    words
}

/// Sets right what can be; the transaction, when something was done.
fn fix(args: &VerifyArgs, found: &Comparison) -> Result<Option<String>> {
    let target = Target {
        root: Some(args.root.clone()),
        ..Target::default()
    };
    let patient = Patient::look_at_tree(&target)?;
    let sysroot = patient.sysroot().context("there is no root to repair")?;
    let info = sysroot.info.clone();
    // One path that cannot be changed keeps no other from being set right.
    let (actions, refused): (Vec<Action>, Vec<Action>) =
        found.fixes.iter().cloned().partition(|action| {
            journal::preflight(&sysroot.root, std::slice::from_ref(action)).is_ok()
        });
    patient.close()?;
    if !refused.is_empty() {
        say(&format!(
            "lifeboot: {} paths cannot be set right here",
            refused.len()
        ));
    }
    if actions.is_empty() {
        say("lifeboot: there are no modes, owners or attributes to set right.");
        return Ok(None);
    }
    let Some(token) = consent(args, actions.len())? else {
        return Ok(None);
    };
    let patient = Patient::write(&target, &info, &actions, &token)?;
    let sysroot = patient.sysroot().context("there is no root to repair")?;
    let what = format!("modes and owners of {} paths as salvaged", actions.len());
    let tell = &mut progress::steps();
    let root = &sysroot.root;
    let header = Header::new(vec![what]);
    let summary = uninterrupted(|| journal::commit(root, &token, header, &actions, tell))?;
    patient.close()?;
    say(&format!(
        "lifeboot: {} paths were set right; lifeboot undo{} takes it back",
        summary.actions,
        target.words()
    ));
    Ok(Some(summary.id))
}

fn consent(args: &VerifyArgs, count: usize) -> Result<Option<WriteToken>> {
    if args.yes {
        return Ok(Some(WriteToken::granted("--yes")));
    }
    if !is_interactive() {
        say(&format!(
            "lifeboot: nothing was changed. Next: {} --fix-permissions --yes",
            words(args)
        ));
        return Ok(None);
    }
    let agreed = guided::agrees(&format!(
        "Set mode, owner and attributes of {count} paths as they were?"
    ))?;
    Ok(agreed.then(|| WriteToken::granted("asked on the terminal")))
}
