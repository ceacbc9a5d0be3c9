//! The attributes of something that stays where it is.

use anyhow::{Context, Result, bail};

use super::super::Action;
use super::super::encoded::encode;
use super::super::record::Step;
use super::super::xattrs::{self, Attribute};
use super::{Standing, Work};
use crate::sys::failpoint::hit;

/// Mode, owner and group.
type Rights = (u32, u32, u32);

impl Work<'_, '_> {
    /// Attributes are several: what is half changed, or half given back, is to
    /// be done once more.
    pub(super) fn standing_of_attributes(&self, step: &Step, undo: bool) -> Result<Standing> {
        let Some((wanted, xattrs)) = wanted(step, undo) else {
            return Ok(Standing::Before);
        };
        let now = self.look(&step.from)?;
        let Some(now) = now.filter(|now| now.is_same(&step.object)) else {
            bail!("{} is not what the journal noted there", encode(&step.from));
        };
        let stands = (now.mode, now.uid, now.gid) == wanted
            && xattrs::stand(self.write.root(), &step.from, xattrs, !undo)?;
        Ok(match stands == undo {
            true => Standing::Before,
            false => Standing::After,
        })
    }

    /// Gives what stands where it is other attributes, or the old ones.
    pub(super) fn give_attributes(&self, step: &Step, undo: bool) -> Result<()> {
        let Some(((mode, uid, gid), xattrs)) = wanted(step, undo) else {
            return Ok(());
        };
        let path = &step.from;
        let context = || format!("giving {} its attributes", encode(path));
        // Even the same owner given again takes a file's capabilities.
        let now = self.look(path)?;
        if now.is_none_or(|now| (now.uid, now.gid) != (uid, gid)) {
            self.write.set_owner(path, uid, gid).with_context(context)?;
        }
        hit("step-half")?;
        // An access control list sets permission bits, too: the mode is last.
        xattrs::give(self.write, path, xattrs, !undo).with_context(context)?;
        self.write.set_mode(path, mode).with_context(context)
    }
}

/// Mode, owner and group that a step gives, or that taking it back gives, and
/// the extended attributes that change; none for another kind of step.
fn wanted(step: &Step, undo: bool) -> Option<(Rights, &[Attribute])> {
    let Action::Attributes {
        mode,
        uid,
        gid,
        xattrs,
        ..
    } = &step.action
    else {
        return None;
    };
    let old = &step.object;
    let rights = match undo {
        true => (old.mode, old.uid, old.gid),
        false => (*mode, *uid, *gid),
    };
    Some((rights, xattrs))
}
