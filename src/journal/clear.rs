//! Removing a transaction of which nothing stands, so that the tree is again
//! what it was before the journal.

use std::io::{self, ErrorKind};
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::encoded::encode;
use super::store::{Further, HOME, JOURNAL, Mark, Place};
use crate::sys::exact::{self, Stamp};
use crate::sys::failpoint::hit;
use crate::sys::root_dir::Kind;
use crate::sys::write_root::WriteRoot;

/// Removes the transaction's directory, then what is empty above it, then
/// gives `/` its time back. The caller knows that no step stands.
///
/// The journal goes after all that it explains; the mark beside `/` goes last.
/// `root_mtime` is for filesystems that cannot keep the mark.
pub(super) fn clear(write: &WriteRoot<'_>, place: &Place, root_mtime: Option<Stamp>) -> Result<()> {
    let path = place.path();
    for Further { top, mtime } in Further::read(write.root(), place)? {
        clear_further(write, &place.beside(&top), &top, mtime)
            .with_context(|| format!("removing what lies in {}", top.display()))?;
    }
    clear_place(write, place).with_context(|| format!("removing {}", path.display()))?;
    let home = Path::new(HOME);
    let emptied = remove_empty(write, Path::new(JOURNAL))? && remove_empty(write, home)?;
    if !emptied {
        return Ok(());
    }
    let top = Path::new("/");
    write.sync_dir(top)?;
    hit("clear/home-gone")?;
    let mark = Mark::read(write.root()).map(|mark| mark.root_mtime);
    if let Some(mtime) = mark.or(root_mtime) {
        write
            .set_mtime(top, mtime)
            .context("giving / its time back")?;
        write.sync_dir(top)?;
    }
    hit("clear/root-time")?;
    write.clear_mark().context("removing the mark of /")?;
    write.sync_dir(top)?;
    hit("clear/end")?;
    Ok(())
}

/// The same on another filesystem; its top gets its time back.
fn clear_further(write: &WriteRoot<'_>, place: &Place, top: &Path, mtime: Stamp) -> Result<()> {
    let found = absent_as_none(exact::look(write.root(), top).map(|found| found.is_some()))?;
    if found != Some(true) {
        bail!("{} is not there: mount it first", top.display());
    }
    clear_place(write, place)?;
    let journal = place.path().parent().unwrap_or(top);
    if remove_empty(write, journal)? && remove_empty(write, journal.parent().unwrap_or(top))? {
        write.sync_dir(top)?;
        write.set_mtime(top, mtime)?;
        write.sync_dir(top)?;
    }
    hit("clear/further")?;
    Ok(())
}

fn clear_place(write: &WriteRoot<'_>, place: &Place) -> Result<()> {
    let root = write.root();
    let Some(names) = absent_as_none(exact::names(root, place.path()))? else {
        return Ok(());
    };
    let ours = [
        "journal",
        "journal.new",
        "new",
        "quarantine",
        "further",
        "areas",
        "programs",
    ];
    if let Some(other) = names
        .iter()
        .find(|&name| ours.iter().all(|our| name != our))
    {
        bail!("{} is not Lifeboot's", encode(&place.path().join(other)));
    }
    let quarantine = place.quarantine();
    let kept = absent_as_none(exact::names(root, &quarantine))?.unwrap_or_default();
    if let Some(name) = kept.first() {
        bail!("{} is still in quarantine", encode(&quarantine.join(name)));
    }
    for dir in [place.new_objects(), place.areas()] {
        remove_what_is_in(write, &dir)?;
        absent_as_none(write.remove_dir(&dir))?;
    }
    absent_as_none(write.remove_dir(&quarantine))?;
    absent_as_none(write.remove_file(&place.programs()))?;
    hit("clear/programs")?;
    absent_as_none(write.remove_file(&place.draft()))?;
    write.sync_dir(place.path())?;
    hit("clear/emptied")?;
    absent_as_none(write.remove_file(&place.journal()))?;
    hit("clear/journal-gone")?;
    absent_as_none(write.remove_file(&place.further()))?;
    write.remove_dir(place.path())?;
    write.sync_dir(place.path().parent().unwrap_or(Path::new(JOURNAL)))?;
    hit("clear/place-gone")?;
    Ok(())
}

fn remove_what_is_in(write: &WriteRoot<'_>, dir: &Path) -> Result<()> {
    for name in absent_as_none(exact::names(write.root(), dir))?.unwrap_or_default() {
        let path = dir.join(name);
        match exact::look(write.root(), &path)?.map(|found| found.kind) {
            Some(Kind::Directory) => write.remove_dir(&path)?,
            Some(_) => write.remove_file(&path)?,
            None => {}
        }
        hit("clear/new")?;
    }
    Ok(())
}

/// True when it is not there afterwards.
fn remove_empty(write: &WriteRoot<'_>, dir: &Path) -> Result<bool> {
    let removed = match write.remove_dir(dir) {
        Ok(()) => true,
        Err(error) => match error.kind() {
            ErrorKind::NotFound => true,
            ErrorKind::DirectoryNotEmpty | ErrorKind::NotADirectory => false,
            _ => return Err(error).context(format!("removing {}", dir.display())),
        },
    };
    hit("clear/dir")?;
    Ok(removed)
}

fn absent_as_none<T>(answer: io::Result<T>) -> io::Result<Option<T>> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
