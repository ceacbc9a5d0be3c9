//! All conditions of all steps, checked before the first change.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::Action;
use super::ahead::Ahead;
use super::encoded::encode;
use super::record::{Step, Touched, is_link_text};
use super::store::{HOME, Place};
use crate::sys::exact::{self, Object};
use crate::sys::root_dir::{Kind, RootDir};

/// The largest text that goes through the journal itself.
const TEXT_BYTES: usize = 1 << 20;

/// What will be done: the steps with exact paths. The object of a step that
/// makes something new is known only once that is made.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) steps: Vec<PlannedStep>,
    pub(super) touched: Vec<Touched>,
}

#[derive(Debug)]
pub(super) struct PlannedStep {
    pub(super) action: Action,
    pub(super) from: PathBuf,
    pub(super) to: PathBuf,
    pub(super) object: Option<Object>,
}

/// Works out every step of a commit.
pub(super) fn plan(root: &RootDir, place: &Place, actions: &[Action]) -> Result<Planned> {
    let mut ahead = Ahead::new(root)?;
    let mut steps = Vec::with_capacity(actions.len());
    for (index, action) in actions.iter().enumerate() {
        let step = plan_action(&mut ahead, place, index, action)?;
        for path in [&step.from, &step.to] {
            if path.starts_with(HOME) && !path.starts_with(place.path()) {
                bail!("{} belongs to Lifeboot's journal", encode(path));
            }
        }
        steps.push(step);
    }
    let mut touched = ahead.into_touched();
    // What is inside before what holds it.
    touched.sort_by_key(|t| std::cmp::Reverse(t.path.components().count()));
    Ok(Planned { steps, touched })
}

fn plan_action(
    ahead: &mut Ahead<'_>,
    place: &Place,
    index: usize,
    action: &Action,
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
            if node.dev != ahead.root_dev() {
                bail!(
                    "{} cannot be moved to {}: they are on different filesystems",
                    encode(path),
                    encode(&to)
                );
            }
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
    }
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
    let node = ahead.make(kind, target);
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
    for step in steps {
        check_move(&mut ahead, step, &step.from, &step.to)?;
    }
    Ok(())
}

/// Checks that `steps` can be taken back now, the last one first.
pub(super) fn check_backward(root: &RootDir, steps: &[Step]) -> Result<()> {
    let mut ahead = Ahead::new(root)?;
    for step in steps.iter().rev() {
        check_unedited(root, step)?;
        check_move(&mut ahead, step, &step.to, &step.from)?;
    }
    Ok(())
}

/// A file that was put and then edited holds somebody's work.
fn check_unedited(root: &RootDir, step: &Step) -> Result<()> {
    let Action::PutFile { path, .. } = &step.action else {
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
