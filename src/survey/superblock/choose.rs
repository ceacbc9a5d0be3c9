//! Several superblocks on one device: which of them is the device's own.

use super::{Member, Superblock};

/// Takes the device's own superblock; what earlier arrays left goes to `also`.
/// `all` are those found, each place by itself; at least one.
pub(super) fn choose(mut all: Vec<Vec<Superblock>>) -> Member {
    let mut best = 0;
    for other in 1..all.len() {
        if wins(&all[other], &all[best]) {
            best = other;
        }
    }
    let arrays = all.swap_remove(best);
    let also = all
        .into_iter()
        .flatten()
        .filter(|other| !arrays.iter().any(|own| inside(other, own)))
        .collect();
    Member { arrays, also }
}

/// True when `one` is the device's own rather than `other`.
fn wins(one: &[Superblock], other: &[Superblock]) -> bool {
    let (Some(a), Some(b)) = (one.first(), other.first()) else {
        return !one.is_empty();
    };
    if inside(b, a) || inside(a, b) {
        return inside(b, a);
    }
    // Like mdadm: the newer one was written over the older one's device.
    a.created > b.created
}

/// True when `inner` belongs to what lies on the array of `outer`: an array on
/// an array, which shows through where the data begins at the start. It was
/// made for a device that ends before the outer superblock.
fn inside(inner: &Superblock, outer: &Superblock) -> bool {
    let shows_through = outer.at_end() && outer.data_offset == 0;
    let end = inner.data_offset.saturating_add(inner.data_size);
    let data_end = outer.data_offset.saturating_add(outer.used());
    shows_through && !inner.at_end() && inner.created >= outer.created && end <= data_end
}
