//! What of an array must not be written, whatever was agreed to.

use anyhow::{Context, Result, bail};

use super::{Array, Leg, Level, Standing};
use crate::survey::superblock::feature;

/// Refuses what must not be written, or not by this kernel.
pub(super) fn may_be_written(array: &Array) -> Result<()> {
    let own = array.freshest().context("no member")?;
    refuse_what_would_be_lost(array)?;
    if own.of_firmware() {
        bail!(
            "it is a firmware RAID ({}): its metadata is kept by mdmon, without \
             which it is not opened for writing",
            own.version.to_uppercase()
        );
    }
    let parity = Level::of(array.level).is_some_and(Level::has_parity);
    if parity && array.dirty() && !array.missing.is_empty() {
        bail!(
            "it stopped in the middle of a write and lacks a member; writing now \
             could make garbage permanent"
        );
    }
    let has_journal = array.legs.iter().any(|l| l.standing == Standing::Journal);
    if own.features & feature::JOURNAL != 0 && !has_journal {
        bail!("its journal device is missing");
    }
    if own.logical_block_bytes != 0 && !release_is_at_least(6, 19) {
        bail!("it needs a kernel of 6.19 or newer to be opened for writing");
    }
    Ok(())
}

/// Of members that differ nothing is repaired before one is chosen. Of a side
/// chosen with `--leg`, nothing may be repaired as long as the other
/// one counts further: the next boot takes that one, without the repair.
fn refuse_what_would_be_lost(array: &Array) -> Result<()> {
    if let Some([one, other]) = array.differing() {
        bail!(
            "the members of {} differ; name the one to repair: --leg {} or --leg {}",
            array.name,
            one.name,
            other.name
        );
    }
    let events = |leg: &Leg| leg.superblock.events;
    let own = array.fresh_legs().map(events).max().unwrap_or(0);
    if let Some(ahead) = array.left_out().find(|leg| events(leg) > own) {
        bail!(
            "{} counts {} events, what was chosen with --leg {own}: the machine would \
             boot from the former, without the repair. Copy both disks; take {} out or \
             make it no member (mdadm --zero-superblock {}); then repair without --leg",
            ahead.name,
            events(ahead),
            ahead.disk,
            ahead.name
        );
    }
    Ok(())
}

/// True for a kernel of this release or newer.
fn release_is_at_least(major: u32, minor: u32) -> bool {
    let Ok(uname) = nix::sys::utsname::uname() else {
        return false;
    };
    let release = uname.release().to_string_lossy().into_owned();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    let mut next = || numbers.next().and_then(|n| n.parse().ok()).unwrap_or(0_u32);
    (next(), next()) >= (major, minor)
}
