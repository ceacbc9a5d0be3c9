//! Opening the patient: from the command line to facts, and closing it again.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::elsewhere;
use super::keys::OperatorKeys;
use super::progress::Progress;
use super::say;
use crate::assembly::{self, Assembly, State};
use crate::checks;
use crate::cli::Target;
use crate::facts::Facts;
use crate::facts::integrity::Told;
use crate::facts::packages::Packages;
use crate::journal::{self, Action};
use crate::kmod;
use crate::repairs;
use crate::report::Report;
use crate::survey::{self, Content, Counters, Survey, WriteProof};
use crate::sys::consent::WriteToken;
use crate::sys::{md, mount, retry};
use crate::sysroot::{Choice, Opener, Origin, Purpose, Search, Sysroot, SysrootInfo, directory};
use crate::verdict;

/// Drivers that opening disks may need and the rescue system may not have
/// loaded. What is missing shows up where it is used.
const DRIVERS: [&str; 4] = ["loop", "md_mod", "raid1", "ext4"];

/// So long may the kernel take to begin with it.
const RESYNC_BEGINS: Duration = Duration::from_secs(30);

/// No resync takes longer than two days.
const RESYNC_LIMIT: Duration = Duration::from_secs(48 * 3600);

/// The patient, opened.
#[derive(Debug)]
pub(super) struct Patient {
    survey: Survey,
    assembly: Assembly,
    search: Search,
    opened: Opened,
    before: Vec<(String, Counters)>,
    /// Folders of the rescue system with packages.
    supplies: Vec<PathBuf>,
}

/// What has to be closed again.
#[derive(Debug)]
enum Opened {
    Disks(Box<Opener>),
    Directory(Sysroot),
}

impl Patient {
    /// Opens it for looking; nothing is written.
    ///
    /// # Errors
    /// A path of the command line that cannot be opened; not being root.
    pub(super) fn look(target: &Target) -> Result<Self> {
        let survey = survey_of(target)?;
        let before = Counters::read(&survey);
        if let Some(path) = &target.root {
            let sysroot = directory::open(path, &survey)?;
            return Ok(Self {
                supplies: target.packages.clone(),
                ..Self::of_directory(sysroot, survey, before)
            });
        }
        let mut opener = opener(&survey, target, assembly::Purpose::Look)?;
        let choice = Choice {
            device: target.root_device.clone(),
        };
        let search = opener.search(&choice, Purpose::Look)?;
        Ok(Self {
            survey,
            assembly: opener.assembly().clone(),
            search,
            opened: Opened::Disks(Box::new(opener)),
            before,
            supplies: target.packages.clone(),
        })
    }

    /// The same for a question about the tree alone: with `--root` the disks are
    /// left alone.
    ///
    /// # Errors
    /// Like [`Patient::look`].
    pub(super) fn look_at_tree(target: &Target) -> Result<Self> {
        let Some(path) = &target.root else {
            return Self::look(target);
        };
        let survey = Survey::default();
        let sysroot = directory::open(path, &survey)?;
        Ok(Self::of_directory(sysroot, survey, Vec::new()))
    }

    /// A tree that the operator mounted. The disks of this machine are the
    /// patient's only where the tree lies on them.
    fn of_directory(sysroot: Sysroot, survey: Survey, before: Vec<(String, Counters)>) -> Self {
        let (survey, before) = match sysroot.info.origin {
            Origin::Directory => (Survey::default(), Vec::new()),
            _ => (survey, before),
        };
        Self {
            assembly: Assembly::unopened(&survey),
            search: Search::Found(sysroot.info.clone()),
            opened: Opened::Directory(sysroot),
            survey,
            before,
            supplies: Vec::new(),
        }
    }

    /// Opens it again, so that what `actions` touch can be written.
    ///
    /// # Errors
    /// It cannot be opened for writing, with the reason.
    pub(super) fn write(
        target: &Target,
        info: &SysrootInfo,
        actions: &[Action],
        consent: &WriteToken,
    ) -> Result<Self> {
        Self::write_above(target, info, actions, &[], consent)
    }

    /// The same, with further volumes opened for writing.
    ///
    /// # Errors
    /// Like [`Patient::write`].
    pub(super) fn write_above(
        target: &Target,
        info: &SysrootInfo,
        actions: &[Action],
        further: &[&str],
        consent: &WriteToken,
    ) -> Result<Self> {
        if target.root.is_some() {
            return Self::look(target);
        }
        let survey = survey_of(target)?;
        let before = Counters::read(&survey);
        let targets = parts_touched(info, actions);
        let parts = info.parts.iter().filter(|p| targets.contains(&p.target));
        let volumes = parts.flat_map(|part| part.below.clone());
        let further = further.iter().map(|name| (*name).to_owned());
        let volumes = volumes.chain(further).collect();
        refuse_hibernated(&survey)?;
        let mut opener = opener(&survey, target, assembly::Purpose::Write(consent, &volumes))?;
        for array in &opener.assembly().arrays {
            if !volumes.contains(&array.volume_name()) {
                continue;
            }
            if let State::Unusable { why } = &array.state {
                bail!("opening the array {} for writing: {why}", array.name);
            }
        }
        for closed in &opener.assembly().unopened {
            if volumes.contains(&closed.name) {
                bail!("opening {} for writing: {}", closed.name, closed.why);
            }
        }
        let root = info.parts.first().context("the root has no device")?;
        let choice = Choice {
            device: Some(root.choice()),
        };
        let purpose = Purpose::Write(consent, &targets);
        let search = opener.search(&choice, purpose)?;
        if let Search::None { looked_at } = &search {
            let why: Vec<_> = looked_at
                .iter()
                .map(|rejected| format!("{}: {}", rejected.name, rejected.why))
                .collect();
            bail!("opening {} for writing: {}", root.device, why.join("; "));
        }
        Ok(Self {
            survey,
            assembly: opener.assembly().clone(),
            search,
            opened: Opened::Disks(Box::new(opener)),
            before,
            supplies: target.packages.clone(),
        })
    }

    /// Takes a member into its array again and waits until it is current.
    ///
    /// # Errors
    /// The kernel's refusal; a resync that does not come to its end.
    pub(super) fn rejoin(&mut self, uuid: &str, leg: &str, consent: &WriteToken) -> Result<()> {
        let Opened::Disks(opener) = &mut self.opened else {
            bail!("a directory has no arrays");
        };
        let (name, before) = opener.rejoin(uuid, leg, consent)?;
        let mut progress = Progress::of(format!("lifeboot: copying to {leg}"));
        // The kernel begins a moment after the member came in, and rests
        // between steps: only the count of current members tells the end.
        while md::lacking(&name)? >= before {
            let going_on = || md::is_busy(&name) || md::lacking(&name).is_ok_and(|n| n < before);
            if !retry::until(RESYNC_BEGINS, going_on) {
                bail!("the kernel does not copy to {leg}; see dmesg");
            }
            md::wait_for_sync(&name, RESYNC_LIMIT, |done, all| {
                progress.show(done, all, "")
            });
        }
        Ok(())
    }

    /// The open tree, where one was found.
    pub(super) fn sysroot(&self) -> Option<&Sysroot> {
        match &self.opened {
            Opened::Disks(opener) => opener.sysroot(),
            Opened::Directory(sysroot) => Some(sysroot),
        }
    }

    /// The disks, as they were seen when it was opened.
    pub(super) fn survey(&self) -> &Survey {
        &self.survey
    }

    /// What the search for a root came to.
    pub(super) fn search(&self) -> &Search {
        &self.search
    }

    /// Collects the facts.
    pub(super) fn facts(&self) -> Facts {
        self.facts_with(None)
    }

    /// Collects the facts; with `verify`, from every file of a package.
    pub(super) fn facts_with(&self, verify: Option<&mut Told<'_>>) -> Facts {
        let mut facts = Facts::collect(
            &self.survey,
            &self.assembly,
            self.search.clone(),
            self.sysroot(),
            verify,
        );
        if let (Some(sysroot), false) = (self.sysroot(), self.supplies.is_empty()) {
            let folders: Vec<&Path> = self.supplies.iter().map(PathBuf::as_path).collect();
            facts.look_into(&sysroot.root, &folders);
        }
        facts
    }

    /// Notes what other systems on the disks have of the packages that an
    /// unfinished upgrade lacks.
    pub(super) fn look_elsewhere(&mut self, packages: &mut Packages) {
        if let Opened::Disks(opener) = &mut self.opened {
            elsewhere::look(opener, &self.search, packages);
        }
    }

    /// Facts, findings, plan and verdict.
    pub(super) fn report(&self) -> Report {
        judge(self.facts(), self.sysroot())
    }

    /// The same for a tree that would take the place of the patient's, and for
    /// its disks with the boot loaders that they would have.
    pub(super) fn report_of(&self, tree: &Sysroot, disks: &Survey) -> Report {
        let search = Search::Found(tree.info.clone());
        let facts = Facts::collect(disks, &self.assembly, search, Some(tree), None);
        judge(facts, Some(tree))
    }

    /// Closes everything; what was written meanwhile, disk by disk.
    ///
    /// # Errors
    /// A mount or an array that does not close.
    pub(super) fn close(self) -> Result<Vec<WriteProof>> {
        if let Opened::Disks(opener) = self.opened {
            opener.close()?;
        }
        let after = Counters::read(&self.survey);
        Ok(WriteProof::between(&self.before, &after))
    }
}

/// Opens the patient for looking, judges it and closes it again.
pub(super) fn diagnosed(target: &Target) -> Result<Report> {
    diagnosed_with(target, false)
}

/// The same, and `verify` has every file of a package read.
pub(super) fn diagnosed_with(target: &Target, verify: bool) -> Result<Report> {
    let mut patient = Patient::look(target)?;
    announce(&patient);
    let mut progress = Progress::of("lifeboot: reading the files of packages");
    let mut told = |done, all| progress.show(done, all, "");
    let verify: Option<&mut Told<'_>> = if verify { Some(&mut told) } else { None };
    let mut facts = patient.facts_with(verify);
    drop(progress);
    if let Some(tree) = &mut facts.tree {
        patient.look_elsewhere(&mut tree.packages);
    }
    let mut report = judge(facts, patient.sysroot());
    report.writes = patient.close()?;
    report.target = target.words();
    Ok(report)
}

/// From facts to a report. With the tree at hand, a repair that its journal
/// would refuse is told with the reason and not promised.
pub(super) fn judge(facts: Facts, sysroot: Option<&Sysroot>) -> Report {
    let findings = checks::run(&facts);
    let possible = |actions: &[Action]| match sysroot {
        Some(sysroot) => {
            journal::preflight(&sysroot.root, actions).map_err(|error| format!("{error:#}"))
        }
        None => Ok(()),
    };
    let plan = repairs::plan(&facts, &findings.found, &possible);
    let verdict = verdict::weigh(&facts, &findings, &plan);
    Report::new(facts, findings, plan, verdict)
}

/// The survey that the command line asks for.
pub(super) fn survey_of(target: &Target) -> Result<Survey> {
    if target.disk.is_empty() {
        match survey::survey() {
            Ok(survey) => Ok(survey),
            // A tree alone can be judged without sysfs.
            Err(_) if target.root.is_some() => Ok(Survey::default()),
            Err(error) => Err(error).context("looking for disks"),
        }
    } else {
        survey::survey_of(&target.disk).context("opening the disks named with --disk")
    }
}

pub(super) fn opener(
    survey: &Survey,
    target: &Target,
    purpose: assembly::Purpose<'_>,
) -> Result<Opener> {
    if !nix::unistd::geteuid().is_root() {
        bail!("disks can only be opened by root; run it with sudo, or use --root DIR");
    }
    let _ = kmod::ensure(&DRIVERS);
    mount::private_namespace().context("making a mount namespace")?;
    let legs = &target.leg;
    let options = assembly::Options { purpose, legs };
    Opener::new(survey, options, &mut OperatorKeys::new(target))
}

/// A hibernated system has its filesystems open: what is written meanwhile is
/// overwritten when it wakes up, or destroys them.
fn refuse_hibernated(survey: &Survey) -> Result<()> {
    let asleep = |place: &survey::Place<'_>| matches!(place.content, Content::Signature(found) if found.hibernated);
    if let Some(place) = survey.places().find(asleep) {
        bail!(
            "a hibernated system lies in {}: writing now would damage its filesystems. \
             Let it wake up, or give it up: mkswap {}",
            place.name,
            place.name
        );
    }
    Ok(())
}

/// The mounted parts that `actions` change: for each path the deepest one.
fn parts_touched(info: &SysrootInfo, actions: &[Action]) -> Vec<PathBuf> {
    let root = PathBuf::from("/");
    // The journal lies on the root filesystem.
    let mut touched = vec![root];
    for action in actions {
        for path in action_paths(action) {
            let deepest = info
                .parts
                .iter()
                .map(|part| &part.target)
                .filter(|target| path.starts_with(target))
                .max_by_key(|target| target.components().count());
            touched.extend(deepest.cloned());
        }
    }
    touched.sort();
    touched.dedup();
    touched
}

fn action_paths(action: &Action) -> Vec<&Path> {
    match action {
        Action::Rename { from, to } => vec![from, to],
        other => vec![other.path()],
    }
}

/// Says on standard error what is being opened, and how the arrays stand.
pub(super) fn announce(patient: &Patient) {
    for array in &patient.assembly.arrays {
        let state = match &array.state {
            State::Complete => "complete",
            State::Degraded => "degraded",
            State::Diverged => "diverged, not opened",
            State::Unusable { .. } => "not opened",
        };
        say(&format!(
            "array {} ({} members): {state}",
            array.name,
            array.legs.len()
        ));
    }
    if let (Search::Found(info), Opened::Disks(_)) = (&patient.search, &patient.opened) {
        for part in &info.parts {
            say(&format!("{} from {}", part.target.display(), part.device));
        }
    }
}

/// Why there is no root to look into.
pub(super) fn no_root(search: &Search) -> anyhow::Error {
    match search {
        Search::Several { candidates } => {
            let names: Vec<_> = candidates.iter().map(|c| c.name.as_str()).collect();
            anyhow::anyhow!(
                "there are several systems; name one with --root-device: {}",
                names.join(", ")
            )
        }
        _ => anyhow::anyhow!("no system was found; mount it and name it with --root DIR"),
    }
}
