//! `lifeboot fetch`: packages that the patient lacks, from the network into a
//! folder of the rescue system. The patient is only looked at.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::patient::{Patient, announce, no_root};
use super::progress::Progress;
use super::{IN_MEMORY, print, print_json, say, wrapped};
use crate::cli::{FetchArgs, RepairArgs, Target};
use crate::date;
use crate::facts::{Facts, Tree};
use crate::fetch::http::Client;
use crate::fetch::names::Resolver;
use crate::fetch::url::Url;
use crate::fetch::{Got, Request, Told, fetch};
use crate::outcome::Outcome;
use crate::rehearsal::supply::Asked;
use crate::repairs::Wanted;
use crate::report::Report;
use crate::sys::root_dir::RootDir;

/// The most bytes of /etc/hosts and /etc/resolv.conf.
const TEXT_MAX: u64 = 4 << 20;

/// Of these, and no more, is told line by line what was fetched.
const SHOWN: usize = 12;

pub(super) fn run(args: &FetchArgs) -> Result<Outcome> {
    let folder = std::path::absolute(&args.folder)?;
    let wish = Wish {
        mirror: args.mirror.as_deref(),
        allow_unsigned: args.allow_unsigned,
        packages: &args.package,
        ..Wish::default()
    };
    let got = into(&folder, &args.target, wish, None)?;
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
pub(super) fn for_repair(args: &RepairArgs, before: &Report) -> Result<Option<PathBuf>> {
    let folder = folder_of(args)?;
    let wants = before.plan.clone().only(&args.only).wants();
    let wish = Wish {
        exact: wants,
        ..Wish::of(args)
    };
    let got = into(&folder, &args.target, wish, Some(&before.facts))?;
    if got.is_empty() {
        say("lifeboot: nothing was fetched before the plan");
        return Ok(None);
    }
    say(&format!("lifeboot: {}", told(&folder, &got).trim_end()));
    refuse_unsigned(args, &got)?;
    Ok(Some(folder))
}

/// Fetches what apt wants in a rehearsal. What cannot be had is told, and apt
/// tells then what it cannot do.
pub(super) fn for_rehearsal(
    args: &RepairArgs,
    (root, tree): (&RootDir, &Tree),
    asked: &[Asked],
) -> Vec<(Asked, PathBuf)> {
    let fetched = || -> Result<Vec<(Asked, PathBuf)>> {
        let folder = folder_of(args)?;
        let wish = Wish {
            exact: asked.iter().map(|one| one.wanted.clone()).collect(),
            ..Wish::of(args)
        };
        let rescue = RootDir::open("/").ok();
        let got = from_archives((root, tree), &wish.request(&folder, rescue.as_ref())?)?;
        say(&format!("lifeboot: {}", told(&folder, &got).trim_end()));
        refuse_unsigned(args, &got)?;
        let place = |one: &Asked| {
            let mut got = got.iter().map(|got| &got.fetched);
            // The one that apt's index means; it looks at nothing but the size.
            let found = got.find(|fetched| fetched.sha256 == one.sha256)?;
            Some((one.clone(), folder.join(&found.file)))
        };
        let placed: Vec<(Asked, PathBuf)> = asked.iter().filter_map(place).collect();
        if let Some(other) = got.len().checked_sub(placed.len()).filter(|n| *n > 0) {
            say(&format!(
                "lifeboot: {other} of them are not what apt's index of the patient means, and \
                 are not used"
            ));
        }
        Ok(placed)
    };
    fetched().unwrap_or_else(|error| {
        say(&format!("lifeboot: not fetched: {error:#}"));
        Vec::new()
    })
}

fn folder_of(args: &RepairArgs) -> Result<PathBuf> {
    Ok(match &args.scratch {
        Some(scratch) => std::path::absolute(scratch)?.join("lifeboot-packages"),
        None => Path::new(IN_MEMORY).join("packages"),
    })
}

fn refuse_unsigned(args: &RepairArgs, got: &[Got]) -> Result<()> {
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
    Ok(())
}

/// What is to be fetched, and from where.
#[derive(Default)]
struct Wish<'w> {
    /// Folders with packages that need not be fetched.
    others: Vec<&'w Path>,
    mirror: Option<&'w str>,
    allow_unsigned: bool,
    /// `NAME` or `NAME=VERSION`
    packages: &'w [String],
    exact: Vec<Wanted>,
}

impl<'w> Wish<'w> {
    fn of(args: &'w RepairArgs) -> Self {
        Self {
            others: args.packages.iter().map(PathBuf::as_path).collect(),
            mirror: args.mirror.as_deref(),
            allow_unsigned: args.allow_unsigned,
            ..Self::default()
        }
    }

    fn request(&'w self, folder: &'w Path, rescue: Option<&'w RootDir>) -> Result<Request<'w>> {
        let mirror = self.mirror.map(Url::read).transpose();
        let mirror = mirror.map_err(|why| anyhow::anyhow!("--mirror {why}"))?;
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        Ok(Request {
            folder,
            others: &self.others,
            mirror,
            named: self.packages.iter().map(|one| named(one)).collect(),
            exact: self.exact.clone(),
            allow_unsigned: self.allow_unsigned,
            client: client(rescue)?,
            rescue,
            now: date::now(),
        })
    }
}

/// With `facts` the patient was looked at already.
fn into(folder: &Path, target: &Target, wish: Wish<'_>, facts: Option<&Facts>) -> Result<Vec<Got>> {
    let rescue = RootDir::open("/").ok();
    let request = wish.request(folder, rescue.as_ref())?;
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
        (Some(sysroot), Some(tree)) => from_archives((&sysroot.root, tree), &request),
        _ => Err(no_root(patient.search())),
    };
    patient.close()?;
    got
}

fn from_archives((root, tree): (&RootDir, &Tree), request: &Request<'_>) -> Result<Vec<Got>> {
    let mut progress = Progress::of("lifeboot: fetching packages");
    fetch(root, tree, request, &mut |told| match told {
        Told::Line(line) => say(line),
        Told::Bytes(done, total) => progress.show(done, total, ""),
    })
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
