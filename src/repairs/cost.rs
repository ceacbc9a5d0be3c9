//! What the work of a repair takes, by rates that `scripts/bench-repair` sets
//! against what it took.
//!
//! The rates are those of a slow machine: a server is told too much rather than
//! too little.

/// Packages that dpkg unpacks or configures in a minute.
const PACKAGES_PER_MINUTE: usize = 40;

/// Packages that Lifeboot itself unpacks in a minute, and dpkg then configures.
const UNPACKED_PER_MINUTE: usize = 30;

/// Bytes in a second over the network.
const BYTES_PER_SECOND: u64 = 2 << 20;

/// Minutes in which update-initramfs or dracut builds one image.
pub(super) const IMAGE: u32 = 2;

/// Minutes for `count` packages in the hands of dpkg or apt.
pub(super) fn packages(count: usize) -> u32 {
    1 + minutes(count / PACKAGES_PER_MINUTE)
}

/// Minutes for `count` packages that Lifeboot unpacks.
pub(super) fn unpacked(count: usize) -> u32 {
    1 + minutes(count.div_ceil(UNPACKED_PER_MINUTE))
}

/// Minutes for `bytes` from an archive.
pub(super) fn fetched(bytes: u64) -> u32 {
    u32::try_from(bytes / BYTES_PER_SECOND / 60).unwrap_or(u32::MAX)
}

fn minutes(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX).min(u32::MAX - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_work_takes_longer() {
        assert_eq!([0, 39, 40, 200].map(packages), [1, 1, 2, 6]);
        assert_eq!([1, 30, 31].map(unpacked), [2, 2, 3]);
        assert_eq!(fetched(600 << 20), 5);
    }
}
