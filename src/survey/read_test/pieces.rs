//! Which parts of a disk are read.

use super::Mode;

/// Length of a piece.
pub(super) const PIECE: u64 = 1 << 20;

/// Pieces of a sample between the first and the last.
const SAMPLES: u64 = 256;

/// A stretch of a disk: where it begins and its length in bytes.
pub(super) type Piece = (u64, u64);

/// The pieces of a disk of `bytes`, in order, none twice.
pub(super) fn pieces(bytes: u64, mode: Mode) -> Box<dyn Iterator<Item = Piece>> {
    let count = bytes.div_ceil(PIECE);
    let piece = move |number: u64| (number * PIECE, PIECE.min(bytes - number * PIECE));
    // First and last included; all of a disk that is not larger than that.
    if mode == Mode::Full || count <= SAMPLES + 2 {
        return Box::new((0..count).map(piece));
    }
    let last = u128::from(count - 1);
    let steps = u128::from(SAMPLES + 1);
    Box::new((0..=SAMPLES + 1).map(move |step| {
        let number = last * u128::from(step) / steps;
        piece(u64::try_from(number).unwrap_or(0))
    }))
}

/// Their bytes together.
pub(super) fn bytes(bytes: u64, mode: Mode) -> u64 {
    match mode {
        Mode::Full => bytes,
        Mode::Sample => pieces(bytes, mode).map(|(_, length)| length).sum(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_sample_has_the_first_the_last_and_256_between() {
        let disk = 2_000_398_934_016;
        let all: Vec<Piece> = pieces(disk, Mode::Sample).collect();
        assert_eq!(all.len(), 258);
        assert_eq!(all[0], (0, PIECE));
        let last = all.last().unwrap();
        assert_eq!(last.0 + last.1, disk);
    }

    #[test]
    fn a_small_disk_is_read_wholly_and_an_empty_one_not_at_all() {
        assert_eq!(bytes(64 << 20, Mode::Sample), 64 << 20);
        assert_eq!(pieces(PIECE + 1, Mode::Full).last(), Some((PIECE, 1)));
        assert_eq!(pieces(0, Mode::Sample).count(), 0);
    }

    proptest! {
        #[test]
        fn pieces_lie_in_order_inside_of_the_disk(disk in prop_oneof![0..u64::MAX, 0..1_u64 << 32]) {
            let mut end = 0;
            for (offset, length) in pieces(disk, Mode::Sample) {
                prop_assert!(offset >= end && length > 0 && length <= PIECE);
                end = offset.checked_add(length).unwrap();
                prop_assert!(end <= disk);
            }
            prop_assert_eq!(end, disk);
        }
    }
}
