//! `lifeboot fetch`: packages that the patient lacks, from the network into a
//! folder of the rescue system. The patient is only looked at.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::patient::{Patient, announce, no_root};
use super::progress::Progress;
use super::{print, print_json, say, wrapped};
use crate::cli::{FetchArgs, RepairArgs, Target};
use crate::date;
use crate::facts::Facts;
use crate::fetch::http::Client;
use crate::fetch::names::Resolver;
use crate::fetch::url::Url;
use crate::fetch::{Got, Request, Told, fetch};
use crate::outcome::Outcome;
use crate::sys::root_dir::RootDir;

/// The most bytes of /etc/hosts and /etc/resolv.conf.
const TEXT_MAX: u64 = 4 << 20;

/// Where `repair --network` puts packages when it has no `--scratch`.
const IN_MEMORY: &str = "/run/lifeboot";

/// Of these, and no more, is told line by line what was fetched.
const SHOWN: usize = 12;

pub(super) fn run(args: &FetchArgs) -> Result<Outcome> {
    let folder = std::path::absolute(&args.folder)?;
    let got = into(
        &folder,
        &args.target,
        &[],
        (args.mirror.as_deref(), args.allow_unsigned),
        &args.package,
        None,
    )?;
    if args.json {
        print_json(&json!({ "folder": folder, "packages": got }))?;
        return Ok(Outcome::Boots);
    }
    if got.is_empty() {
        print("Nothing is lacking: the network was not used.\n")?;
        return Ok(Outcome::Boots);
    }
    let text = format!(
        "{}\nNext: lifeboot repair --packages {}{}",
        told(&folder, &got),
        shell_words::quote(&folder.to_string_lossy()),
        args.target.words()
    );
    // Names of keys come from the patient.
    print(&(wrapped(&text) + "\n"))?;
    Ok(Outcome::Boots)
}

/// Fetches what the plan of a repair lacks; the folder, when there is something.
pub(super) fn for_repair(args: &RepairArgs, facts: &Facts) -> Result<Option<PathBuf>> {
    let folder = match &args.scratch {
        Some(scratch) => std::path::absolute(scratch)?.join("lifeboot-packages"),
        None => Path::new(IN_MEMORY).join("packages"),
    };
    let source = (args.mirror.as_deref(), args.allow_unsigned);
    let others: Vec<&Path> = args.packages.iter().map(PathBuf::as_path).collect();
    let got = into(&folder, &args.target, &others, source, &[], Some(facts))?;
    if got.is_empty() {
        say("lifeboot: nothing is lacking that could be fetched; the network was not used");
        return Ok(None);
    }
    say(&format!("lifeboot: {}", told(&folder, &got).trim_end()));
    // Nobody reads the plan then, and what is unpacked runs as root.
    let unsigned = got.iter().find(|one| one.fetched.signed_by.is_none());
    if let Some(one) = unsigned.filter(|_| args.yes && !args.allow_unsigned) {
        bail!(
            "{} comes from {} and is not verified by a signature, so --yes does not unpack it. \
             Leave --yes out to see the plan and decide, or add --allow-unsigned",
            one.package,
            one.fetched.from
        );
    }
    Ok(Some(folder))
}

/// With `facts` the patient was looked at already.
fn into(
    folder: &Path,
    target: &Target,
    others: &[&Path],
    (mirror, allow_unsigned): (Option<&str>, bool),
    packages: &[String],
    facts: Option<&Facts>,
) -> Result<Vec<Got>> {
    let mirror = mirror.map(Url::read).transpose();
    let mirror = mirror.map_err(|why| anyhow::anyhow!("--mirror {why}"))?;
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let rescue = RootDir::open("/").ok();
    let request = Request {
        folder,
        others,
        mirror,
        named: packages.iter().map(|one| named(one)).collect(),
        allow_unsigned,
        client: client(rescue.as_ref())?,
        rescue: rescue.as_ref(),
        now: date::now(),
    };
    let patient = Patient::look(target)?;
    let own;
    let facts = match facts {
        Some(facts) => facts,
        None => {
            say("lifeboot: looking at the patient, writing nothing ...");
            announce(&patient);
            own = patient.facts();
            &own
        }
    };
    let got = match (patient.sysroot(), &facts.tree) {
        (Some(sysroot), Some(tree)) => {
            let mut progress = Progress::of("lifeboot: fetching packages");
            fetch(&sysroot.root, tree, &request, &mut |told| match told {
                Told::Line(line) => say(line),
                Told::Bytes(done, total) => progress.show(done, total, ""),
            })
        }
        _ => Err(no_root(patient.search())),
    };
    patient.close()?;
    got
}

/// `NAME` or `NAME=VERSION`
fn named(word: &str) -> (String, Option<String>) {
    match word.split_once('=') {
        Some((name, version)) => (name.to_owned(), Some(version.to_owned())),
        None => (word.to_owned(), None),
    }
}

/// Names are looked up as the rescue system has it, and its proxy is used.
fn client(rescue: Option<&RootDir>) -> Result<Client> {
    let text = |path: &str| {
        let read = rescue.and_then(|root| root.read_text(path, TEXT_MAX).ok());
        read.unwrap_or_default()
    };
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let proxy = variable("http_proxy").map(|proxy| match proxy.contains("://") {
        true => Url::read(&proxy),
        false => Url::read(&format!("http://{proxy}")),
    });
    let proxy = proxy.transpose();
    let direct = variable("no_proxy").unwrap_or_default();
    Ok(Client {
        resolver: Resolver::new(text("/etc/hosts"), &text("/etc/resolv.conf")),
        proxy: proxy.map_err(|why| anyhow::anyhow!("http_proxy: {why}"))?,
        direct: direct.split(',').map(str::to_owned).collect(),
    })
}

fn told(folder: &Path, got: &[Got]) -> String {
    let fetched = got.iter().filter(|one| !one.was_there);
    let bytes: u64 = fetched.clone().map(|one| one.bytes).sum();
    let count = fetched.count();
    let packages = if count == 1 { "package" } else { "packages" };
    let mut text = format!(
        "The network was used: {count} {packages} ({} KiB) fetched into {}",
        bytes.div_ceil(1024),
        folder.display()
    );
    match got.iter().filter(|one| one.was_there).count() {
        0 => text += ".\n",
        there => text += &format!("; {there} were there already.\n"),
    }
    for one in got.iter().take(SHOWN) {
        text += &format!("  {}, {}\n", one.package, one.fetched.words());
    }
    if let Some(more) = got.len().checked_sub(SHOWN).filter(|more| *more > 0) {
        text += &format!("  and {more} more\n");
    }
    if got.iter().any(|one| one.fetched.signed_by.is_none()) {
        text += "NOT every package is VERIFIED by a signature: whoever can change what the \
                 network brings can put anything into those.\n";
    }
    text
}
