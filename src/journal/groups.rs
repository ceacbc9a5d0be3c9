//! Which steps are brought to the disk together.

use std::ops::Range;

use super::areas::is_area;
use super::record::Step;

/// So many steps are brought to the disk one by one.
const ALONE: usize = 8;

/// So many of the others together.
pub(super) const TOGETHER: usize = 64;

/// Steps that are brought to the disk together: the first few alone, so that a
/// small repair is as far as can be at every moment, then many at once. A boot
/// area stays alone: it lies on another disk than all that is before it.
pub(super) fn groups(all: &[Step], steps: Range<usize>) -> Vec<Range<usize>> {
    let mut groups = Vec::new();
    let mut start = steps.start;
    while start < steps.end {
        let size = if start < ALONE { 1 } else { TOGETHER };
        let end = steps.end.min(start + size);
        let end = match (start..end).find(|at| is_area(&all[*at].action)) {
            Some(at) if at == start => at + 1,
            Some(at) => at,
            None => end,
        };
        groups.push(start..end);
        start = end;
    }
    groups
}
