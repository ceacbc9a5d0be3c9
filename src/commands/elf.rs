//! `lifeboot elf`: what the dynamic loader of the patient would load.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use rayon::prelude::*;

use super::patient::{Patient, no_root};
use super::{print, print_json};
use crate::cli::ElfArgs;
use crate::facts::Facts;
use crate::facts::elf::{Closure, Loader, SEARCH_PATH, Symbols, scan};
use crate::outcome::Outcome;
use crate::report::document::{self, Document};
use crate::report::elf_text;
use crate::survey::Survey;
use crate::sys::root_dir::RootDir;
use crate::sysroot::directory;

pub(super) fn run(args: &ElfArgs) -> Result<Outcome> {
    let whole_boot = args.symbols && args.path.is_empty();
    if let Some(dir) = args.target.root.as_ref().filter(|_| !whole_boot) {
        // Only the tree is asked about: the disks are left alone.
        return on(&directory::open(dir, &Survey::default())?.root, args);
    }
    let patient = Patient::look(&args.target)?;
    let answer = match patient.sysroot() {
        Some(sysroot) if whole_boot => boot(&sysroot.root, &patient.facts(), args),
        Some(sysroot) => on(&sysroot.root, args),
        None => Err(no_root(patient.search())),
    };
    patient.close()?;
    answer
}

fn on(root: &RootDir, args: &ElfArgs) -> Result<Outcome> {
    let loader = Loader::open(root);
    if args.path.is_empty() {
        return whole(&loader, args);
    }
    let paths: Vec<String> = args
        .path
        .iter()
        .map(|path| path_of(root, path, args))
        .collect::<Result<_>>()?;
    let symbols = args.symbols.then(|| Symbols::new(&loader));
    let asked = paths
        .par_iter()
        .map(|path| ask(&loader, symbols.as_ref(), path));
    if args.json {
        let closures: Vec<Closure> = asked.collect();
        print_json(&Document {
            schema: document::ELF,
            body: document::Programs {
                programs: &closures,
            },
        })?;
        return Ok(outcome(&closures));
    }
    // Only the text of each is kept: a whole root's closures take much memory.
    let told = asked.map(|closure| {
        let text = match &args.why {
            Some(name) => elf_text::why(&closure, name),
            None if args.missing => Some(elf_text::missing(&closure)),
            None => Some(elf_text::tree(&closure)),
        };
        (text, closure.starts())
    });
    let (told, starts): (Vec<Option<String>>, Vec<bool>) = told.unzip();
    let told: Vec<String> = told.into_iter().flatten().collect();
    if let Some(name) = args.why.as_ref().filter(|_| told.is_empty()) {
        bail!("nothing here loads {name}");
    }
    print(&told.join(if args.missing { "" } else { "\n" }))?;
    Ok(outcome_of(starts.into_iter().all(|starts| starts)))
}

/// A program is started, a library loaded by itself.
fn ask(loader: &Loader<'_>, symbols: Option<&Symbols<'_, '_>>, path: &str) -> Closure {
    if loader.is_library(path) {
        return loader.library(path);
    }
    let mut closure = loader.closure(path);
    if let Some(symbols) = symbols {
        symbols.examine(&mut closure);
    }
    closure
}

/// The symbols of PID 1 and of all programs that the boot starts.
fn boot(root: &RootDir, facts: &Facts, args: &ElfArgs) -> Result<Outcome> {
    let tree = facts.tree.as_ref().context("there is no tree")?;
    let init = [(tree.init.asked.as_str(), "")].into_iter();
    let started = tree.critical.programs.iter().filter(|p| !p.is_loaded);
    let others = started.map(|p| (p.path.as_str(), p.library_path.as_deref().unwrap_or("")));
    let mut seen = BTreeSet::new();
    let programs: Vec<_> = init.chain(others).filter(|p| seen.insert(p.0)).collect();
    let loader = Loader::open(root);
    let scan = Symbols::new(&loader).scan(&programs);
    if args.json {
        print_json(&Document {
            schema: document::ELF_SYMBOLS,
            body: &scan,
        })?;
    } else {
        print(&elf_text::symbol_scan(&scan))?;
    }
    Ok(outcome(&scan.broken))
}

fn whole(loader: &Loader<'_>, args: &ElfArgs) -> Result<Outcome> {
    if args.why.is_some() {
        bail!("--why needs a program: lifeboot elf --why libc.so.6 /usr/bin/ssh");
    }
    let scan = scan::scan(loader);
    if args.json {
        print_json(&Document {
            schema: document::ELF_SCAN,
            body: &scan,
        })?;
    } else {
        print(&elf_text::scan(&scan))?;
    }
    Ok(outcome(&scan.broken))
}

fn outcome(closures: &[Closure]) -> Outcome {
    outcome_of(closures.iter().all(Closure::starts))
}

fn outcome_of(all_start: bool) -> Outcome {
    if all_start {
        Outcome::Boots
    } else {
        Outcome::Undetermined
    }
}

/// The path inside the root: as it is, without the directory named with
/// `--root`, or the program of that name.
fn path_of(root: &RootDir, path: &str, args: &ElfArgs) -> Result<String> {
    if !path.contains('/') {
        let mut places = SEARCH_PATH.iter().map(|dir| format!("{dir}/{path}"));
        return places
            .find(|place| root.metadata(place).is_ok())
            .with_context(|| format!("no program is called {path}; give its whole path"));
    }
    let outside = args.target.root.as_deref().and_then(|dir| dir.to_str());
    let outside = outside
        .map(|dir| dir.trim_end_matches('/'))
        .filter(|dir| !dir.is_empty());
    let inside = outside
        .and_then(|dir| path.strip_prefix(dir))
        .filter(|rest| rest.starts_with('/'));
    match inside.unwrap_or(path) {
        inside if inside.starts_with('/') => Ok(inside.to_owned()),
        relative => Ok(format!("/{relative}")),
    }
}
