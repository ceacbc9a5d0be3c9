//! Doing the steps of a journal, and taking them back.

use std::collections::HashSet;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::areas::{self, Disks, Holds, is_area};
use super::encoded::encode;
use super::groups::{TOGETHER, groups};
use super::log::Log;
use super::record::{Record, Step, Touched};
use super::store::Place;
use super::{Action, Observer, Progress, clear, preflight};
use crate::sys::exact::{self, Object};
use crate::sys::failpoint::hit;
use crate::sys::write_root::WriteRoot;

mod attributes;

/// A transaction in progress.
pub(super) struct Work<'a, 'o> {
    write: &'a WriteRoot<'a>,
    place: &'a Place,
    log: Log,
    disks: &'a Disks,
    observer: Observer<'o>,
}

/// Where the object of a step is.
enum Standing {
    Before,
    After,
}

impl<'a, 'o> Work<'a, 'o> {
    pub(super) fn new(
        write: &'a WriteRoot<'a>,
        place: &'a Place,
        log: Log,
        (disks, observer): (&'a Disks, Observer<'o>),
    ) -> Self {
        Self {
            write,
            place,
            log,
            disks,
            observer,
        }
    }

    /// Does all steps that are not done yet; tells how many those were.
    pub(super) fn forward(&mut self) -> Result<usize> {
        self.settle()?;
        let first = self.log.story().course.standing;
        self.mend_halves(first)?;
        preflight::check_forward(self.write.root(), &self.steps()[first..])?;
        self.check_areas(&self.steps()[first..])?;
        let total = self.steps().len();
        for group in groups(self.steps(), first..total) {
            for index in group.clone() {
                self.tell(index, false);
                let step = self.steps()[index].clone();
                // Once more: a step that was to go first may not have.
                if let Standing::After = self.standing(&step, false)? {
                    bail!("{} was moved by somebody else", encode(&step.from));
                }
                hit("commit/step-ready")?;
                self.carry(&step, false)?;
            }
            self.sync(group.clone())?;
            hit("commit/step-synced")?;
            let records: Vec<_> = group.map(|step| Record::Done { step }).collect();
            self.log.append_all(&records)?;
            hit("commit/step-recorded")?;
        }
        self.log.append(&Record::Committed)?;
        hit("commit/committed")?;
        Ok(total - first)
    }

    /// Takes back what [`Work::forward`] did in this process before it failed.
    pub(super) fn roll_back(&mut self) -> Result<usize> {
        // The step that failed may be just the one whose place is taken, or
        // whose object is gone: it stands only if its object arrived.
        self.record_arrived(true)?;
        self.take_back()
    }

    /// Takes all steps back that stand, then gives directories their times;
    /// tells how many steps those were. Nothing is changed when one of them
    /// cannot be taken back.
    pub(super) fn backward(&mut self) -> Result<usize> {
        if !self.log.story().course.undo_started {
            self.record_arrived(true)?;
            self.look_at_next()?;
        }
        self.take_back()
    }

    fn take_back(&mut self) -> Result<usize> {
        let standing = self.settled_back()?;
        preflight::check_backward(self.write.root(), &self.steps()[..standing])?;
        self.check_areas(&self.steps()[..standing])?;
        if !self.log.story().course.undo_started {
            let consent = self.write.consent().to_owned();
            self.log.append(&Record::UndoStarted { consent })?;
            hit("undo/started")?;
        }
        let recorded = self.log.story().course.standing;
        for group in groups(self.steps(), 0..recorded).into_iter().rev() {
            for index in group.clone().rev() {
                self.tell(index, true);
                // The others were moved before it was cut off, but are perhaps
                // not on the disk yet.
                if index < standing {
                    let step = self.steps()[index].clone();
                    if let Standing::Before = self.standing(&step, true)? {
                        bail!("{} was moved by somebody else", encode(&step.to));
                    }
                    hit("undo/step-ready")?;
                    self.carry(&step, true)?;
                }
            }
            self.sync(group.clone())?;
            hit("undo/step-synced")?;
            let records: Vec<_> = group.rev().map(|step| Record::Undone { step }).collect();
            self.log.append_all(&records)?;
            hit("undo/step-recorded")?;
        }
        self.give_times_back()?;
        hit("undo/times")?;
        if !self.log.story().course.reverted {
            self.log.append(&Record::Reverted)?;
        }
        hit("undo/reverted")?;
        Ok(recorded)
    }

    /// Removes the transaction after [`Work::backward`].
    pub(super) fn finish(self) -> Result<()> {
        let root_mtime = self.log.story().intent.root_mtime;
        clear::clear(self.write, self.place, Some(root_mtime))
    }

    fn steps(&self) -> &[Step] {
        &self.log.story().intent.steps
    }

    fn tell(&mut self, index: usize, undo: bool) {
        let steps = &self.log.story().intent.steps;
        let progress = Progress {
            index,
            total: steps.len(),
            action: &steps[index].action,
            undo,
        };
        (self.observer)(&progress);
    }

    /// Steps may be done whose records were cut off: looks, and records them.
    fn settle(&mut self) -> Result<()> {
        self.record_arrived(false)?;
        self.look_at_next()
    }

    fn look_at_next(&self) -> Result<()> {
        // What stands in the way of the next one is told as it is.
        let standing = self.log.story().course.standing;
        if let Some(step) = self.steps().get(standing).cloned() {
            self.standing(&step, false)?;
        }
        Ok(())
    }

    /// Records the steps after the recorded ones that are done. A power cut
    /// loses the records of one group; a bad sector may take more. With `begun`
    /// also what is half changed where it stands: it is to be taken back.
    fn record_arrived(&mut self, begun: bool) -> Result<()> {
        loop {
            let first = self.log.story().course.standing;
            let group = first..self.steps().len().min(first + TOGETHER);
            // A later step may have put something in the place that an earlier
            // one made free; what is last tells that all before it are done.
            let mut last = None;
            for index in group.clone().rev() {
                let step = &self.steps()[index];
                if begun && self.has_begun(step)? || self.has_arrived(step, false)? {
                    last = Some(index);
                    break;
                }
            }
            let Some(last) = last else { return Ok(()) };
            self.sync(first..last + 1)?;
            let records: Vec<_> = (first..=last).map(|step| Record::Done { step }).collect();
            self.log.append_all(&records)?;
        }
    }

    /// True when something that stays where it is was changed, perhaps by half.
    fn has_begun(&self, step: &Step) -> Result<bool> {
        Ok(self.stays(step)? && !self.has_arrived(step, true)?)
    }

    /// True when a step changes something where it stands, and that is there.
    fn stays(&self, step: &Step) -> Result<bool> {
        if let Action::Attributes { .. } = &step.action {
            let now = self.look(&step.from)?;
            return Ok(now.is_some_and(|now| now.is_same(&step.object)));
        }
        Ok(is_area(&step.action))
    }

    /// True when the object of a step is where the step, or taking it back,
    /// brings it.
    fn has_arrived(&self, step: &Step, undo: bool) -> Result<bool> {
        if is_area(&step.action) {
            let wanted = if undo { Holds::Before } else { Holds::After };
            return Ok(self.area(step)? == wanted);
        }
        if let Action::Attributes { .. } = &step.action {
            // A later step moved it away: that one tells, and this one was not
            // taken back.
            if !self.stays(step)? {
                return Ok(false);
            }
            let stands = self.standing_of_attributes(step, undo)?;
            return Ok(matches!(stands, Standing::Before) == undo);
        }
        let place = if undo { &step.from } else { &step.to };
        let found = self.look(place)?;
        Ok(found.is_some_and(|object| object.is_same(&step.object)))
    }

    /// How many steps stand on the disk: the last ones recorded as standing may
    /// have been taken back already.
    fn settled_back(&self) -> Result<usize> {
        let course = self.log.story().course;
        let mut standing = course.standing;
        if course.undo_started {
            while let Some(first) = self.taken_back_last(standing)? {
                standing = first;
            }
        }
        if let Some(step) = standing.checked_sub(1).and_then(|i| self.steps().get(i))
            && let Standing::Before = self.standing(step, true)?
        {
            bail!("{} is not there any more", encode(&step.to));
        }
        Ok(standing)
    }

    /// Of the last group before `standing` the first step that was taken back:
    /// all after it were, too.
    fn taken_back_last(&self, standing: usize) -> Result<Option<usize>> {
        for index in standing.saturating_sub(TOGETHER)..standing {
            if self.has_arrived(&self.steps()[index], true)? {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    fn standing(&self, step: &Step, undo: bool) -> Result<Standing> {
        if let Action::Attributes { .. } = &step.action {
            return self.standing_of_attributes(step, undo);
        }
        if is_area(&step.action) {
            // Half written, it is written once more, forward or back.
            return Ok(match self.has_arrived(step, undo)? == undo {
                true => Standing::Before,
                false => Standing::After,
            });
        }
        let before = self.look(&step.from)?;
        let after = self.look(&step.to)?;
        let is_it = |found: &Option<Object>| {
            let found = found.as_ref();
            found.is_some_and(|object| object.is_same(&step.object))
        };
        let (from, to) = (encode(&step.from), encode(&step.to));
        match (is_it(&before), is_it(&after)) {
            (true, false) if after.is_none() => Ok(Standing::Before),
            (true, false) => bail!("{to} is taken by something else; {from} stays where it is"),
            (false, true) if before.is_none() => Ok(Standing::After),
            (false, true) => bail!("{from} is taken by something else; {to} stays where it is"),
            (true, true) => bail!("{from} and {to} are the same file now"),
            (false, false) => bail!("neither {from} nor {to} is what the journal noted"),
        }
    }

    /// What the boot area of a step holds.
    fn area(&self, step: &Step) -> Result<Holds> {
        areas::look(self.write.root(), self.place, step, self.disks)
    }

    /// Each disk is here and holds what the journal knows, before any change.
    fn check_areas(&self, steps: &[Step]) -> Result<()> {
        let mut all = steps.iter().filter(|step| is_area(&step.action));
        all.try_for_each(|step| self.area(step).map(drop))
    }

    /// An undo that was cut off at its beginning has recorded as standing what
    /// was changed by half.
    fn mend_halves(&self, standing: usize) -> Result<()> {
        let recorded = self.steps()[..standing].iter();
        for step in recorded {
            if self.stays(step)? && !self.has_arrived(step, false)? {
                self.carry(step, false)?;
            }
        }
        Ok(())
    }

    /// `None` also when the directory that would hold it is not there.
    fn look(&self, path: &Path) -> Result<Option<Object>> {
        match exact::look(self.write.root(), path) {
            Ok(found) => Ok(found),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error).with_context(|| format!("looking at {}", encode(path))),
        }
    }

    /// One change; [`Work::sync`] brings it to the disk.
    fn carry(&self, step: &Step, undo: bool) -> Result<()> {
        if is_area(&step.action) {
            return areas::write(self.write, self.place, step, self.disks, undo);
        }
        if let Action::Attributes { .. } = &step.action {
            return self.give_attributes(step, undo);
        }
        let (from, to) = match undo {
            true => (&step.to, &step.from),
            false => (&step.from, &step.to),
        };
        let context = || format!("moving {} to {}", encode(from), encode(to));
        self.write.rename(from, to).with_context(context)?;
        hit("step-moved")?;
        Ok(())
    }

    /// What a group of steps changed is on the disk when this returns. Of many
    /// steps all of the filesystem is written, once: filesystems with a journal
    /// bring renames to the disk in their order, so that after a power cut the
    /// first ones of the group stand, and not others.
    fn sync(&self, group: Range<usize>) -> Result<()> {
        if let [only] = &self.steps()[group.clone()] {
            return match &only.action {
                Action::Attributes { .. } => Ok(self.write.sync_attributes(&only.from)?),
                Action::BootArea { .. } => areas::sync(only, self.disks),
                _ => self.sync_both(&only.from, &only.to),
            };
        }
        let mut synced = HashSet::new();
        for step in &self.steps()[group] {
            if is_area(&step.action) {
                areas::sync(step, self.disks)?;
                continue;
            }
            for path in [&step.to, &step.from] {
                let parent = path.parent().unwrap_or(path);
                let Some(found) = self.look(parent)? else {
                    continue;
                };
                if synced.insert(found.dev) {
                    let context = || format!("writing the filesystem of {}", encode(parent));
                    self.write.sync_filesystem(parent).with_context(context)?;
                }
            }
        }
        Ok(())
    }

    /// The new name first: if only one gets to the disk, none is lost.
    fn sync_both(&self, from: &Path, to: &Path) -> Result<()> {
        for path in [to, from] {
            let Some(parent) = path.parent() else {
                continue;
            };
            let context = || format!("writing {} to the disk", encode(parent));
            self.write.sync_dir(parent).with_context(context)?;
        }
        Ok(())
    }

    /// What is inside was noted before what holds it.
    fn give_times_back(&self) -> Result<()> {
        for Touched { path, ino, mtime } in &self.log.story().intent.touched {
            let found = self.look(path)?;
            // Replaced since by another directory: that one keeps its time.
            if found.is_none_or(|dir| dir.ino != *ino) {
                continue;
            }
            let context = || format!("giving {} its time back", encode(path));
            self.write.set_mtime(path, *mtime).with_context(context)?;
            hit("undo/time")?;
            self.write.sync_dir(path).with_context(context)?;
        }
        Ok(())
    }
}

fn is_absent(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory)
}
