//! All conditions of all steps, checked before the first change.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::ahead::{Ahead, Standing, Top};
use super::areas::is_area;
use super::encoded::encode;
use super::record::{Step, Touched, is_link_text};
use super::stock::Stock;
use super::store::{Further, HOME, Place};
use super::{Action, Supplies, areas, programs, xattrs};
use crate::sys::exact::{self, Object};
use crate::sys::root_dir::{Kind, RootDir};
use crate::sys::xattr;

/// The largest text that goes through the journal itself.
const TEXT_BYTES: usize = 1 << 20;

/// Where Linux keeps the capabilities of a file (capabilities(7)).
const CAPABILITY: &str = "security.capability";

/// Room for the journal itself, and for directories that grow.
const SPARE_BYTES: u64 = 8 << 20;

/// What will be done: the steps with exact paths. The object of a step that
/// makes something new is known only once that is made.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) steps: Vec<PlannedStep>,
    pub(super) touched: Vec<Touched>,
    /// Filesystems other than that of `/` where the journal needs a place.
    pub(super) further: Vec<Further>,
}

#[derive(Debug)]
pub(super) struct PlannedStep {
    pub(super) action: Action,
    pub(super) from: PathBuf,
    pub(super) to: PathBuf,
    pub(super) object: Option<Object>,
}

/// Works out every step of a commit. What actions of kind `Install` and
/// `BootArea` put comes from `supplies`.
pub(super) fn plan(
    root: &RootDir,
    place: &Place,
    actions: &[Action],
    supplies: Supplies<'_>,
) -> Result<Planned> {
    let mut ahead = Ahead::new(root)?;
    let mut further: Vec<Further> = Vec::new();
    let mut puts: HashMap<PathBuf, usize> = HashMap::new();
    let mut bytes: HashMap<PathBuf, u64> = HashMap::new();
    let mut steps = Vec::with_capacity(actions.len());
    for (index, action) in actions.iter().enumerate() {
        if is_area(action) {
            let total = bytes.entry("/".into()).or_insert(0_u64);
            *total = total.saturating_add(areas::room_for(action));
            let step = areas::plan(place, index, action, &steps, supplies.disks)?;
            steps.push(step);
            continue;
        }
        let (top, home) = home_for(&ahead, place, action)?;
        let step = plan_action(&mut ahead, &home, index, action, supplies.stock)?;
        check_link(action, index, &home, &steps, &mut puts)?;
        for path in [&step.from, &step.to] {
            let ours = path.starts_with(HOME) || path.starts_with(top.at.join(&HOME[1..]));
            if ours && !path.starts_with(home.path()) {
                bail!("{} belongs to Lifeboot's journal", encode(path));
            }
        }
        if let Action::Install {
            size,
            same_as: None,
            ..
        } = action
        {
            let total = bytes.entry(top.at.clone()).or_insert(0_u64);
            *total = total.saturating_add(*size);
        }
        if top.at != Path::new("/") && further.iter().all(|known| known.top != top.at) {
            let (top, mtime) = (top.at, top.mtime);
            further.push(Further { top, mtime });
        }
        steps.push(step);
    }
    if let Some(total) = bytes.get_mut(Path::new("/")).filter(|total| **total > 0) {
        *total = total.saturating_add(programs::room_for(supplies.programs));
    }
    for (top, bytes) in bytes.iter().filter(|(_, bytes)| **bytes > 0) {
        check_room(root, top, *bytes)?;
    }
    let mut touched = ahead.into_touched();
    // What is inside before what holds it.
    touched.sort_by_key(|t| std::cmp::Reverse(t.path.components().count()));
    Ok(Planned {
        steps,
        touched,
        further,
    })
}

/// What is put takes room beside what it replaces, which stays for an undo.
fn check_room(root: &RootDir, top: &Path, bytes: u64) -> Result<()> {
    let free = root.room(top)?.bytes_free;
    let needed = bytes.saturating_add(SPARE_BYTES);
    if free < needed {
        bail!(
            "{} MiB are needed on the filesystem of {} of the patient, and {} MiB are free",
            needed >> 20,
            encode(top),
            free >> 20
        );
    }
    Ok(())
}

/// The journal's place on the filesystem that an action works on, and the top
/// of that filesystem.
fn home_for(ahead: &Ahead<'_>, place: &Place, action: &Action) -> Result<(Top, Place)> {
    let top = ahead.top_of(action.path())?;
    let home = place.beside(&top.at);
    Ok((top, home))
}

/// A hard link can be made to what an earlier action of the same filesystem
/// puts.
fn check_link(
    action: &Action,
    index: usize,
    home: &Place,
    steps: &[PlannedStep],
    puts: &mut HashMap<PathBuf, usize>,
) -> Result<()> {
    let Action::Install { path, same_as, .. } = action else {
        return Ok(());
    };
    if let Some(other) = same_as {
        let earlier = puts.get(other).and_then(|index| steps.get(*index));
        if !earlier.is_some_and(|step| step.from.starts_with(home.path())) {
            bail!(
                "{} cannot be the same file as {}",
                encode(path),
                encode(other)
            );
        }
    }
    puts.insert(path.clone(), index);
    Ok(())
}

fn plan_action(
    ahead: &mut Ahead<'_>,
    place: &Place,
    index: usize,
    action: &Action,
    stock: &Stock,
) -> Result<PlannedStep> {
    let step = |from, to, object| PlannedStep {
        action: action.clone(),
        from,
        to,
        object,
    };
    match action {
        Action::Rename { from, to } => {
            let (exact, node) = ahead.take(from)?;
            let object = Some(on_disk(&node.object, from)?);
            let to = ahead.put(to, node, from)?;
            Ok(step(exact, to, object))
        }
        Action::Quarantine { path } | Action::RemoveEmptyDirectory { path } => {
            let (exact, node) = ahead.take(path)?;
            if matches!(action, Action::RemoveEmptyDirectory { .. }) {
                if node.kind != Kind::Directory {
                    bail!("{} is no directory", encode(path));
                }
                if !ahead.is_empty(&node)? {
                    bail!("{} is not empty", encode(path));
                }
            }
            let to = place.quarantine().join(index.to_string());
            let object = on_disk(&node.object, path)?;
            Ok(step(exact, to, Some(object)))
        }
        Action::Symlink { path, target } => {
            if !is_link_text(target) {
                bail!("{}: a link cannot say {:?}", encode(path), encode(target));
            }
            plan_new(ahead, place, index, action, (Kind::Symlink, target))
        }
        Action::PutFile {
            path, text, mode, ..
        } => {
            check_mode(path, *mode)?;
            if text.len() > TEXT_BYTES {
                bail!("{}: more than {TEXT_BYTES} bytes", encode(path));
            }
            plan_new(ahead, place, index, action, (Kind::File, Path::new("")))
        }
        Action::Copy {
            path, source, mode, ..
        } => {
            check_mode(path, *mode)?;
            if !exact::look(ahead.root(), source)?.is_some_and(|o| o.kind == Kind::File) {
                bail!("{} is no file that could be copied", encode(source));
            }
            plan_new(ahead, place, index, action, (Kind::File, Path::new("")))
        }
        Action::MakeDirectory { path, mode, .. } => {
            check_mode(path, *mode)?;
            plan_new(
                ahead,
                place,
                index,
                action,
                (Kind::Directory, Path::new("")),
            )
        }
        Action::Install { path, kind, .. } => {
            let made = stock.look(path)?;
            if made.kind != *kind || *kind == Kind::Directory {
                bail!("{} is not what was rehearsed", encode(path));
            }
            plan_new(ahead, place, index, action, (*kind, Path::new("")))
        }
        Action::Attributes { .. } => {
            let Standing { exact, object, .. } = plan_attributes(ahead, action)?;
            Ok(step(exact.clone(), exact, Some(object)))
        }
        // Worked out by themselves.
        Action::BootArea { .. } => bail!("a boot area is in no tree"),
    }
}

/// A file that has a second name somewhere would change there, too; and a
/// change of owner takes a file's capabilities, unless they are given again.
fn plan_attributes(ahead: &Ahead<'_>, action: &Action) -> Result<Standing> {
    let Action::Attributes {
        path,
        mode,
        uid,
        gid,
        xattrs,
    } = action
    else {
        bail!("{} is no change of attributes", encode(action.path()));
    };
    check_mode(path, *mode)?;
    let standing = ahead.standing(path)?;
    let Standing { at, object, .. } = &standing;
    if !xattrs::stand(ahead.root(), at, xattrs, false)? {
        bail!("{} has other extended attributes by now", encode(path));
    }
    if object.kind == Kind::File {
        if object.links > 1 {
            let others = object.links - 1;
            bail!("{} has {others} more names (hard links)", encode(path));
        }
        let disowned = (object.uid, object.gid) != (*uid, *gid);
        let given = xattrs.iter().any(|one| one.name == CAPABILITY);
        if disowned && !given && xattr::all(ahead.root(), at)?.contains_key(CAPABILITY) {
            bail!("{} would lose its capabilities", encode(path));
        }
    }
    Ok(standing)
}

fn check_mode(path: &Path, mode: u32) -> Result<()> {
    if mode & !0o7777 != 0 {
        bail!("{}: {mode:o} is no mode", encode(path));
    }
    Ok(())
}

/// A plan that makes something and takes it away again is a mistake.
fn on_disk(object: &Option<Object>, path: &Path) -> Result<Object> {
    let made = || format!("{} is made and moved by the same plan", encode(path));
    object.clone().with_context(made)
}

fn plan_new(
    ahead: &mut Ahead<'_>,
    place: &Place,
    index: usize,
    action: &Action,
    (kind, target): (Kind, &Path),
) -> Result<PlannedStep> {
    let from = place.new_objects().join(index.to_string());
    let node = ahead.make(action.path(), kind, target)?;
    let to = ahead.put(action.path(), node, &from)?;
    Ok(PlannedStep {
        action: action.clone(),
        from,
        to,
        object: None,
    })
}

/// Checks that `steps` can be done now, in their order.
pub(super) fn check_forward(root: &RootDir, steps: &[Step]) -> Result<()> {
    let mut ahead = Ahead::new(root)?;
    for step in steps.iter().filter(|step| !is_area(&step.action)) {
        if matches!(step.action, Action::Attributes { .. }) {
            check_standing(&ahead, step)?;
            continue;
        }
        check_move(&mut ahead, step, &step.from, &step.to)?;
    }
    Ok(())
}

/// What gets other attributes must still be what the journal noted.
fn check_standing(ahead: &Ahead<'_>, step: &Step) -> Result<()> {
    let Standing { exact, object, .. } = ahead.standing(&step.from)?;
    if exact != step.from || !object.is_same(&step.object) {
        bail!("{} is not what the journal noted there", encode(&step.from));
    }
    Ok(())
}

/// Checks that `steps` can be taken back now, the last one first.
pub(super) fn check_backward(root: &RootDir, steps: &[Step]) -> Result<()> {
    let mut ahead = Ahead::new(root)?;
    let mut on_files = steps.iter().filter(|step| !is_area(&step.action));
    while let Some(step) = on_files.next_back() {
        if matches!(step.action, Action::Attributes { .. }) {
            check_standing(&ahead, step)?;
            continue;
        }
        check_unedited(root, step)?;
        check_move(&mut ahead, step, &step.to, &step.from)?;
    }
    Ok(())
}

/// A file that was put and then edited holds somebody's work.
fn check_unedited(root: &RootDir, step: &Step) -> Result<()> {
    let (Action::PutFile { path, .. }
    | Action::Copy { path, .. }
    | Action::Install {
        path,
        kind: Kind::File,
        ..
    }) = &step.action
    else {
        return Ok(());
    };
    let as_put = |now: &Object| (now.size, now.mtime) == (step.object.size, step.object.mtime);
    if let Ok(Some(now)) = exact::look(root, &step.to)
        && now.is_same(&step.object)
        && !as_put(&now)
    {
        bail!(
            "{} was edited since; move it away first, and look at it after the undo",
            encode(path)
        );
    }
    Ok(())
}

fn check_move(ahead: &mut Ahead<'_>, step: &Step, from: &Path, to: &Path) -> Result<()> {
    let (found_at, node) = ahead.take(from)?;
    let same = node
        .object
        .as_ref()
        .is_some_and(|o| o.is_same(&step.object));
    if found_at != from || !same {
        bail!("{} is not what the journal noted there", encode(from));
    }
    let emptied =
        step.action.creates() || matches!(step.action, Action::RemoveEmptyDirectory { .. });
    if emptied && node.kind == Kind::Directory && !ahead.is_empty(&node)? {
        bail!("{} is not empty any more", encode(from));
    }
    let put_to = ahead.put(to, node, from)?;
    if put_to != to {
        bail!("a link stands in the way to {}", encode(to));
    }
    Ok(())
}
