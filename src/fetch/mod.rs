//! Packages from the network, for a patient that lacks them: only where the
//! operator asks for it. Nothing of the patient is run or changed.
//!
//! An archive is believed by its Release file: that has the digests of the
//! indexes, and these have those of the packages.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use crate::date;
use crate::facts::packages::{Dpkg, Packages};
use crate::facts::toolbox::{AtHand, Fetched};
use crate::facts::{Tree, packages::version};
use crate::repairs::{Wanted, closed_set};
use crate::sys::root_dir::RootDir;

pub mod archives;
pub mod http;
pub mod index;
pub mod keyrings;
pub mod names;
pub mod openpgp;
pub mod release;
pub mod store;
pub mod url;

use archives::Archive;
use http::{Client, Fault};
use index::Offer;
use openpgp::Trust;
use url::Url;

/// Of these, and no more, the names are told that nobody has.
const GONE_SHOWN: usize = 12;

/// Where every version of Debian's packages is kept (snapshot.debian.org).
pub const SNAPSHOT: &str =
    "http://snapshot.debian.org/archive/debian/YYYYMMDDT000000Z (a day on which it was current)";

/// What is wanted.
#[derive(Debug)]
pub struct Request<'r> {
    /// Where packages are put.
    pub folder: &'r Path,
    /// Further folders with packages, which need not be fetched.
    pub others: &'r [&'r Path],
    /// Instead of the archives that the patient names.
    pub mirror: Option<Url>,
    /// Packages, each with the version that it must have, if any.
    pub named: Vec<(String, Option<String>)>,
    /// Packages in exactly these versions, alone.
    pub exact: Vec<Wanted>,
    /// A wrong signature is told, and no error.
    pub allow_unsigned: bool,
    /// How.
    pub client: Client,
    /// The rescue system, for its keyrings.
    pub rescue: Option<&'r RootDir>,
    /// Seconds since 1970.
    pub now: u64,
}

/// What is told meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told<'t> {
    /// A line.
    Line(&'t str),
    /// So many bytes of so many.
    Bytes(u64, u64),
}

/// A package that is in the folder now.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Got {
    /// `libc6 2.41-12 (amd64)`
    pub package: String,
    /// Its bytes.
    pub bytes: u64,
    /// True when it was there already.
    pub was_there: bool,
    /// Where it comes from.
    #[serde(flatten)]
    pub fetched: Fetched,
}

/// An archive that was asked.
struct Asked {
    archive: Archive,
    trust: Trust,
    offers: Vec<Offer>,
}

type Tell<'t> = dyn FnMut(Told<'_>) + 't;

/// Finds out what the patient lacks, and fetches it. An empty answer: nothing
/// is lacking that could be had. What nobody has of `exact` is told, and no
/// error.
///
/// # Errors
/// Why it cannot be had.
pub fn fetch(
    root: &RootDir,
    tree: &Tree,
    request: &Request<'_>,
    tell: &mut Tell<'_>,
) -> Result<Vec<Got>> {
    let Packages::Dpkg(dpkg) = &tree.packages else {
        bail!("only packages of dpkg can be fetched, and this patient has no dpkg");
    };
    let names: Vec<String> = request.named.iter().map(|(name, _)| name.clone()).collect();
    let mut toolbox = tree.toolbox.clone();
    let mut look = |offered: Vec<AtHand>| {
        toolbox.look_further(root, dpkg, request.others, &names, offered);
        toolbox.at_hand.retain(|one| is_meant(one, &request.named));
        toolbox.clone()
    };
    let is_closed = closed_set::choose_with(&look(Vec::new()), dpkg, &names).is_ok();
    if is_closed && request.exact.is_empty() {
        return Ok(Vec::new());
    }
    let native = dpkg.named("dpkg").map(|own| own.architecture.as_str());
    let native = native.context("the patient's dpkg is not known to its database")?;
    let (asked, failed) = ask_all(root, tree, dpkg, request, native, tell)?;
    let mut chosen = exactly(&request.exact, &asked, tell);
    if !is_closed {
        let toolbox = look(offered(&asked));
        match closed_set::choose_with(&toolbox, dpkg, &names) {
            Ok(set) => {
                let further = set.iter().filter_map(|one| of(one, &asked));
                let further: Vec<(&Asked, &Offer)> = further.collect();
                ensure!(
                    !further.is_empty(),
                    "what is lacking is at hand, and does not fit together"
                );
                for one in further {
                    if !chosen.iter().any(|other| std::ptr::eq(other.1, one.1)) {
                        chosen.push(one);
                    }
                }
            }
            Err(lacking) => nobody(&lacking.packages, native, &asked, failed)?,
        }
    }
    download(request, &chosen, tell)
}

/// What nobody has, and where it was looked for.
fn nobody(
    lacking: &[String],
    native: &str,
    asked: &[Asked],
    mut failed: Vec<String>,
) -> Result<()> {
    let labels = asked.iter().map(|one| one.archive.label());
    failed.extend(labels.map(|label| label + ": it has them not"));
    bail!(
        "nobody has {} for {native}: {}. Next: --mirror URL with an archive that has them",
        lacking.join(", "),
        failed.join("; ")
    )
}

/// The offers of packages in exactly the wanted versions, signed ones before
/// others; those that nobody has any more are told.
fn exactly<'o>(
    wanted: &[Wanted],
    asked: &'o [Asked],
    tell: &mut Tell<'_>,
) -> Vec<(&'o Asked, &'o Offer)> {
    if wanted.is_empty() {
        return Vec::new();
    }
    let mut by_name: HashMap<(&str, &str, &str), (&Asked, &Offer)> = HashMap::new();
    for one in by_trust(asked) {
        for offer in &one.offers {
            let is = &offer.relations;
            let key = (
                is.name.as_str(),
                is.version.as_str(),
                is.architecture.as_str(),
            );
            by_name.entry(key).or_insert((one, offer));
        }
    }
    let key = |one: &'_ Wanted| -> Option<(&'o Asked, &'o Offer)> {
        let key = (
            one.name.as_str(),
            one.version.as_str(),
            one.architecture.as_str(),
        );
        by_name.get(&key).copied()
    };
    let gone: Vec<String> = wanted
        .iter()
        .filter(|one| key(one).is_none())
        .map(Wanted::label)
        .collect();
    if !gone.is_empty() {
        let (shown, more) = match gone.len().checked_sub(GONE_SHOWN) {
            Some(more) if more > 0 => (&gone[..GONE_SHOWN], format!(" and {more} more")),
            _ => (gone.as_slice(), String::new()),
        };
        tell(Told::Line(&format!(
            "lifeboot: no archive that was asked has {}{more}: mirrors drop a version when a newer \
             one is there. Debian keeps all of them by date: --mirror {SNAPSHOT}",
            shown.join(", ")
        )));
    }
    wanted.iter().filter_map(key).collect()
}

/// Of a package with a wanted version, only that one.
fn is_meant(one: &AtHand, named: &[(String, Option<String>)]) -> bool {
    named.iter().all(|(name, wanted)| {
        let same = |wanted: &String| version::compare(wanted, &one.relations.version).is_eq();
        one.relations.name != *name || wanted.as_ref().is_none_or(same)
    })
}

/// Asks each archive what it offers; those that could not be asked, and why.
fn ask_all(
    root: &RootDir,
    tree: &Tree,
    dpkg: &Dpkg,
    request: &Request<'_>,
    native: &str,
    tell: &mut Tell<'_>,
) -> Result<(Vec<Asked>, Vec<String>)> {
    let codename = tree.os.codename.as_deref();
    let mirror = request.mirror.as_ref();
    let (archives, mut failed) = archives::chosen(&dpkg.apt.sources, codename, mirror);
    ensure!(
        !archives.is_empty(),
        "the patient names no archive that can be asked{}. Next: --mirror http://HOST/PATH",
        failed
            .iter()
            .map(|why| format!("; {why}"))
            .collect::<String>()
    );
    let mut asked = Vec::<Asked>::new();
    for archive in archives {
        let old = archive.of_old(request.now).filter(|_| mirror.is_none());
        for archive in [Some(archive), old].into_iter().flatten() {
            let kept = asked.iter().flat_map(|one| &one.offers);
            let kept = kept.map(Offer::bytes).sum();
            match ask(root, request, archive, native, kept, tell) {
                Ok(one) => {
                    asked.push(one);
                    break;
                }
                Err(Refused::Signature(why)) => bail!(why),
                Err(Refused::Fault(fault)) => {
                    tell(Told::Line(&format!("lifeboot: passed over: {fault}")));
                    failed.push(fault.to_string());
                }
            }
        }
    }
    Ok((asked, failed))
}

enum Refused {
    Fault(Fault),
    Signature(String),
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

fn ask(
    root: &RootDir,
    request: &Request<'_>,
    archive: Archive,
    native: &str,
    kept: usize,
    tell: &mut Tell<'_>,
) -> Result<Asked, Refused> {
    let label = archive.label();
    tell(Told::Line(&format!("lifeboot: asking {label} ...")));
    let keys = keyrings::collect(root, request.rescue, &archive.signed_by);
    let index::Described { release, mut trust } =
        index::describe(&request.client, &archive, &keys, request.now)?;
    if let Trust::Wrong(why) = &trust {
        if !request.allow_unsigned {
            return Err(Refused::Signature(format!(
                "{label}: THE SIGNATURE IS WRONG: {why}. Somebody changed it on the way, or the \
                 mirror is broken: try another one. Nothing was fetched. \
                 --allow-unsigned takes it all the same"
            )));
        }
        trust = Trust::Unknown(format!("THE SIGNATURE IS WRONG: {why}"));
    }
    tell(Told::Line(&match &trust {
        Trust::Signed { owner, .. } => format!("lifeboot: {label}: signed by {owner}"),
        Trust::Unknown(why) | Trust::Wrong(why) => {
            format!("lifeboot: {label}: NOT VERIFIED by a signature: {why}")
        }
    }));
    let over = release
        .valid_until
        .and_then(|until| u64::try_from(until).ok());
    if let Some(until) = over.filter(|until| *until < request.now) {
        let until = date::date(until);
        let line = format!("lifeboot: {label}: it should not be used after {until}, going on");
        tell(Told::Line(&line));
    }
    let offers = index::read(&request.client, &archive, &release, native, kept)?;
    Ok(Asked {
        archive,
        trust,
        offers,
    })
}

/// The offers as packages that could be unpacked: those of archives that are
/// signed come first.
fn offered(asked: &[Asked]) -> Vec<AtHand> {
    let of = |one: &&Asked| {
        let label = one.archive.label();
        let offers = one.offers.iter();
        let at_hand = offers.map(move |offer| AtHand {
            relations: offer.relations.clone(),
            folder: Some(label.clone()),
            file: offer.path.clone(),
            ..AtHand::default()
        });
        at_hand.collect::<Vec<_>>()
    };
    by_trust(asked).iter().flat_map(of).collect()
}

/// Those that are signed come first.
fn by_trust(asked: &[Asked]) -> Vec<&Asked> {
    let mut archives: Vec<&Asked> = asked.iter().collect();
    archives.sort_by_key(|one| !matches!(one.trust, Trust::Signed { .. }));
    archives
}

/// The offer behind a chosen package; none when it is at hand.
fn of<'o>(one: &AtHand, asked: &'o [Asked]) -> Option<(&'o Asked, &'o Offer)> {
    let label = one.folder.as_ref()?;
    let mut asked = asked.iter();
    let archive = asked.find(|asked| asked.archive.label() == *label)?;
    let mut offers = archive.offers.iter();
    let offer = offers.find(|offer| offer.path == one.file && offer.relations == one.relations)?;
    Some((archive, offer))
}

fn download(
    request: &Request<'_>,
    chosen: &[(&Asked, &Offer)],
    tell: &mut Tell<'_>,
) -> Result<Vec<Got>> {
    let folder = request.folder;
    let mut got = Vec::new();
    for (asked, offer) in chosen {
        let file = offer.file_name().context("a package without a name")?;
        let (signed_by, unsigned) = match &asked.trust {
            Trust::Signed { owner, .. } => (Some(owner.clone()), None),
            Trust::Unknown(why) | Trust::Wrong(why) => (None, Some(why.clone())),
        };
        got.push(Got {
            package: offer.relations.label(),
            bytes: offer.size,
            was_there: store::is_there(folder, &file, offer),
            fetched: Fetched {
                file,
                sha256: offer.sha256.clone(),
                from: asked.archive.url.join(&offer.path).to_string(),
                signed_by,
                unsigned,
            },
        });
    }
    let missing = got.iter().filter(|one| !one.was_there);
    let total: u64 = missing.map(|one| one.bytes).sum();
    let room = store::room(folder).with_context(|| format!("looking at {}", folder.display()))?;
    ensure!(
        room > total,
        "{} has room for {} MiB, and {} MiB are to be fetched",
        folder.display(),
        room >> 20,
        total.div_ceil(1 << 20)
    );
    let mut done = 0;
    for ((asked, offer), one) in chosen.iter().zip(&got) {
        let note = || {
            let noted = store::note(folder, &one.fetched);
            noted.with_context(|| format!("writing to {}", folder.display()))
        };
        if one.was_there {
            note()?;
            continue;
        }
        let url = asked.archive.url.join(&offer.path);
        let into = (folder, one.fetched.file.as_str());
        store::fetch(&request.client, &url, offer, into, &mut |bytes| {
            done += bytes;
            tell(Told::Bytes(done, total));
        })?;
        note()?;
    }
    Ok(got)
}
