//! From a checked plan to a journal on the disk: all that comes before the
//! first change.

use std::collections::HashMap;
use std::fs::Permissions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::areas::is_area;
use super::copy;
use super::log::{self, Log};
use super::preflight::{Planned, PlannedStep};
use super::record::{Course, FORMAT, Intent, Record, Step, Story};
use super::store::{Further, HOME, JOURNAL, Mark, Place};
use super::xattrs::Attribute;
use super::{Action, Header, Supplies, areas, programs, xattrs};
use crate::sys::durable;
use crate::sys::exact::{self, Stamp};
use crate::sys::failpoint::hit;
use crate::sys::root_dir::{Kind, RootDir};
use crate::sys::write_root::WriteRoot;

/// The time of `/` without a journal.
pub(super) fn root_mtime(root: &RootDir) -> Result<Stamp> {
    let top = exact::look(root, Path::new("/"))?.context("the root is gone")?;
    Ok(Mark::read(root).map_or(top.mtime, |mark| mark.root_mtime))
}

/// Makes the transaction's directory, everything new, and the journal.
pub(super) fn begin(
    write: &WriteRoot<'_>,
    place: &Place,
    header: Header,
    planned: Planned,
    supplies: Supplies<'_>,
) -> Result<Log> {
    let root_mtime = root_mtime(write.root())?;
    make_home(write, place, root_mtime)?;
    make_place(write, place)?;
    programs::write(write, place, supplies.programs)?;
    make_further(write, place, &planned.further)?;
    let has_areas = planned.steps.iter().any(|step| is_area(&step.action));
    if has_areas {
        let context = || format!("making {}", place.areas().display());
        write
            .make_dir(&place.areas(), 0o700)
            .with_context(context)?;
    }
    hit("commit/made")?;
    let mut steps = Vec::with_capacity(planned.steps.len());
    let mut staged = HashMap::new();
    for step in planned.steps {
        let step = stage(write, step, supplies, &staged)?;
        if let Action::Install { path, .. } = &step.action {
            staged.insert(path.clone(), step.from.clone());
        }
        steps.push(step);
    }
    if has_areas {
        write.sync_dir(&place.areas())?;
    }
    sync_staged(write, place, !staged.is_empty())?;
    for Further { top, .. } in &planned.further {
        sync_staged(write, &place.beside(top), !staged.is_empty())?;
    }
    hit("commit/staged")?;
    let intent = Intent {
        format: FORMAT,
        id: place.id().to_owned(),
        header,
        consent: write.consent().to_owned(),
        root_mtime,
        steps,
        touched: planned.touched,
    };
    write_intent(write, place, intent)
}

/// The transaction's own directories on one filesystem.
fn make_place(write: &WriteRoot<'_>, place: &Place) -> Result<()> {
    for dir in [place.path(), &place.quarantine(), &place.new_objects()] {
        let made = write.make_dir(dir, 0o700);
        made.with_context(|| format!("making {}", dir.display()))?;
    }
    Ok(())
}

/// Places on further filesystems. Which they are is on the disk before the
/// first of them is made, so that they are found again and removed.
fn make_further(write: &WriteRoot<'_>, place: &Place, further: &[Further]) -> Result<()> {
    if further.is_empty() {
        return Ok(());
    }
    let path = place.further();
    let context = || format!("writing {}", path.display());
    let mut file = write.create(&path).with_context(context)?;
    file.write_all(&Further::to_bytes(further)?)
        .and_then(|()| file.sync_all())
        .and_then(|()| write.sync_dir(place.path()))
        .and_then(|()| write.sync_dir(Path::new(JOURNAL)))
        .with_context(context)?;
    hit("commit/further-noted")?;
    for Further { top, .. } in further {
        let place = place.beside(top);
        let journal = place.path().parent().unwrap_or(top);
        for dir in [journal.parent().unwrap_or(top), journal] {
            make_or_find(write, dir, top)?;
        }
        make_place(write, &place)?;
        write.sync_dir(top).with_context(context)?;
        hit("commit/further-made")?;
    }
    Ok(())
}

/// Makes a directory of the journal's, where it is not there from before.
fn make_or_find(write: &WriteRoot<'_>, dir: &Path, top: &Path) -> Result<()> {
    match write.make_dir(dir, 0o700) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error).context(format!("making {}", dir.display())),
    }
    let found = exact::look(write.root(), dir)?;
    let dev = directory_device(write.root(), top)?;
    let ours = |o: &exact::Object| o.kind == Kind::Directory && Some(o.dev) == dev;
    if !found.as_ref().is_some_and(ours) {
        let (dir, top) = (dir.display(), top.display());
        bail!("{dir} of the patient is no directory on the filesystem of {top}");
    }
    Ok(())
}

/// On the disk, with the names in it; with `whole`, all that lies in the files,
/// too.
fn sync_staged(write: &WriteRoot<'_>, place: &Place, whole: bool) -> Result<()> {
    let context = || format!("writing {} to the disk", place.path().display());
    if whole {
        return write.sync_filesystem(place.path()).with_context(context);
    }
    let journal = place.path().parent().unwrap_or(place.path());
    for dir in [&place.new_objects(), place.path(), journal] {
        write.sync_dir(dir).with_context(context)?;
    }
    Ok(())
}

fn directory_device(root: &RootDir, path: &Path) -> Result<Option<u64>> {
    Ok(exact::look(root, path)?.map(|found| found.dev))
}

/// `/.lifeboot/journal`, and before it the mark that outlives it.
fn make_home(write: &WriteRoot<'_>, place: &Place, root_mtime: Stamp) -> Result<()> {
    let (root, top) = (write.root(), Path::new("/"));
    if exact::look(root, Path::new(HOME))?.is_none() {
        let id = place.id().to_owned();
        let mark = Mark { id, root_mtime }.to_bytes()?;
        write.set_mark(&mark).context("marking the root")?;
        write.sync_dir(top).context("writing / to the disk")?;
        hit("commit/marked")?;
    }
    for dir in [Path::new(HOME), Path::new(JOURNAL)] {
        make_or_find(write, dir, top)?;
        hit("commit/home")?;
    }
    write.sync_dir(Path::new(HOME))?;
    write.sync_dir(top).context("writing / to the disk")
}

/// Makes what a step will move into its place.
fn stage(
    write: &WriteRoot<'_>,
    step: PlannedStep,
    supplies: Supplies<'_>,
    staged: &HashMap<PathBuf, PathBuf>,
) -> Result<Step> {
    let PlannedStep {
        action,
        from,
        to,
        object,
    } = step;
    let made = match &action {
        Action::Install { path, same_as, .. } => {
            match same_as.as_ref().and_then(|other| staged.get(other)) {
                Some(other) => write.link(other, &from),
                None => {
                    supplies.stock.put(write, path, &from)?;
                    Ok(())
                }
            }
        }
        Action::BootArea { .. } => {
            areas::stage(write, &action, &from, supplies.disks)?;
            Ok(())
        }
        Action::Symlink { target, .. } => write.symlink(&from, target),
        Action::MakeDirectory {
            mode,
            uid,
            gid,
            xattrs,
            ..
        } => write
            .make_dir(&from, 0o700)
            .and_then(|()| write.set_owner(&from, *uid, *gid))
            .and_then(|()| xattrs::give(write, &from, xattrs, true))
            // After the owner: changing that takes set-user-id bits away.
            .and_then(|()| write.set_mode(&from, *mode))
            .and_then(|()| write.sync_dir(&from)),
        Action::PutFile {
            text,
            mode,
            uid,
            gid,
            xattrs,
            ..
        } => put_file(write, &from, text, (*mode, *uid, *gid), xattrs),
        Action::Copy {
            source,
            size,
            mode,
            uid,
            gid,
            ..
        } => copy::make(write, source, *size, &from)
            .and_then(|()| give(write, &from, (*mode, *uid, *gid), &[])),
        Action::Rename { .. }
        | Action::Quarantine { .. }
        | Action::Attributes { .. }
        | Action::RemoveEmptyDirectory { .. } => Ok(()),
    };
    made.with_context(|| format!("making {}", from.display()))?;
    hit("commit/made-one")?;
    let object = match object {
        Some(object) => object,
        None => exact::look(write.root(), &from)?
            .with_context(|| format!("{} is gone", from.display()))?,
    };
    Ok(Step {
        action,
        from,
        to,
        object,
    })
}

fn put_file(
    write: &WriteRoot<'_>,
    path: &Path,
    text: &str,
    owner: (u32, u32, u32),
    xattrs: &[Attribute],
) -> std::io::Result<()> {
    write.create(path)?.write_all(text.as_bytes())?;
    give(write, path, owner, xattrs)
}

/// Owner and mode of a file that was just made, and all of it on the disk.
fn give(
    write: &WriteRoot<'_>,
    path: &Path,
    (mode, uid, gid): (u32, u32, u32),
    xattrs: &[Attribute],
) -> std::io::Result<()> {
    write.set_owner(path, uid, gid)?;
    xattrs::give(write, path, xattrs, true)?;
    let file = exact::open_file(write.root(), path)?;
    // After the owner: changing that takes set-user-id bits away.
    file.set_permissions(Permissions::from_mode(mode))?;
    file.sync_all()
}

/// The first record appears under its name only when it is whole.
fn write_intent(write: &WriteRoot<'_>, place: &Place, intent: Intent) -> Result<Log> {
    let (draft, path) = (place.draft(), place.journal());
    let context = || format!("writing {}", path.display());
    let course = Course::new(intent.steps.len());
    let record = Record::Intent(Box::new(intent));
    let line = record.to_line()?;
    let mut file = write.create(&draft).with_context(context)?;
    let room = (line.len() + log::short_records(course.steps)) as u64;
    durable::reserve(&file, room).with_context(context)?;
    file.write_all(&line).with_context(context)?;
    hit("commit/intent-written")?;
    file.sync_all().with_context(context)?;
    hit("commit/intent-synced")?;
    write.rename(&draft, &path).with_context(context)?;
    hit("commit/intent-named")?;
    write.sync_dir(place.path()).with_context(context)?;
    hit("commit/after-intent")?;
    let Record::Intent(intent) = record else {
        bail!("the first record is no intent");
    };
    let whole = line.len();
    let story = Story {
        intent: *intent,
        course,
        whole,
    };
    Ok(Log::new(file, story))
}
