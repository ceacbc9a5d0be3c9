//! The levels: what each needs, and how the kernel calls it.

/// A RAID level that can be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Members one after the other.
    Linear,
    /// Stripes without redundancy.
    Raid0,
    /// Mirrors.
    Raid1,
    /// Stripes with parity on the last member.
    Raid4,
    /// Stripes with parity on all members in turn.
    Raid5,
    /// Stripes with two parities.
    Raid6,
    /// Stripes of mirrors.
    Raid10,
}

impl Level {
    /// The level with this number; none for one that is not opened.
    pub fn of(number: i32) -> Option<Self> {
        Some(match number {
            -1 => Self::Linear,
            0 => Self::Raid0,
            1 => Self::Raid1,
            4 => Self::Raid4,
            5 => Self::Raid5,
            6 => Self::Raid6,
            10 => Self::Raid10,
            _ => return None,
        })
    }

    /// The kernel's name of it, in sysfs and for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Raid0 => "raid0",
            Self::Raid1 => "raid1",
            Self::Raid4 => "raid4",
            Self::Raid5 => "raid5",
            Self::Raid6 => "raid6",
            Self::Raid10 => "raid10",
        }
    }

    /// The kernel module that runs it.
    pub fn module(self) -> &'static str {
        match self {
            Self::Raid4 | Self::Raid5 | Self::Raid6 => "raid456",
            other => other.name(),
        }
    }

    /// True when a missing member is computed from parity.
    pub fn has_parity(self) -> bool {
        matches!(self, Self::Raid4 | Self::Raid5 | Self::Raid6)
    }

    /// True when the array may run with only the slots in `there` (each once)
    /// of `slots`.
    pub fn enough(self, there: &[u16], slots: u32, layout: u32) -> bool {
        let slots = usize::try_from(slots).unwrap_or(usize::MAX);
        match self {
            Self::Linear | Self::Raid0 => there.len() >= slots,
            Self::Raid1 => !there.is_empty(),
            Self::Raid4 | Self::Raid5 => there.len() + 1 >= slots,
            Self::Raid6 => there.len() + 2 >= slots,
            Self::Raid10 => Copies::of(layout).is_some_and(|copies| copies.all_in(there, slots)),
        }
    }

    /// Sectors of an array whose members have `sizes`; none when the shape
    /// makes no sense.
    pub fn sectors(self, sizes: &[u64], slots: u32, layout: u32, chunk: u32) -> Option<u64> {
        let least = *sizes.iter().min()?;
        let whole = |size: u64| size - size % u64::from(chunk.max(1));
        let slots = u64::from(slots);
        let least = if chunk == 0 { least } else { whole(least) };
        match self {
            Self::Linear => Some(sizes.iter().map(|size| whole(*size)).sum()),
            Self::Raid0 => Some(sizes.iter().map(|size| whole(*size)).sum()),
            Self::Raid1 => Some(least),
            Self::Raid4 | Self::Raid5 => least.checked_mul(slots.checked_sub(1)?),
            Self::Raid6 => least.checked_mul(slots.checked_sub(2)?),
            Self::Raid10 => {
                let copies = Copies::of(layout)?;
                // raid10_size(): chunks of a member shared by the far copies,
                // times members, shared by the near copies.
                let chunks = least / u64::from(chunk.max(1)) / copies.far;
                let chunks = chunks.checked_mul(slots)? / copies.near;
                chunks.checked_mul(u64::from(chunk))
            }
        }
    }
}

/// How often RAID10 keeps each chunk (kernel: `setup_geo`).
#[derive(Debug, Clone, Copy)]
struct Copies {
    near: u64,
    far: u64,
}

impl Copies {
    fn of(layout: u32) -> Option<Self> {
        let (near, far) = (u64::from(layout & 255), u64::from(layout >> 8 & 255));
        let known = layout >> 19 == 0 && near > 0 && far > 0;
        known.then_some(Self { near, far })
    }

    /// True when each group of neighbours that hold the same chunks has a
    /// member in `there` (kernel: `_enough` in raid10.c).
    fn all_in(self, there: &[u16], slots: usize) -> bool {
        let (Ok(near), Ok(copies)) = (
            usize::try_from(self.near),
            usize::try_from(self.near * self.far),
        ) else {
            return false;
        };
        if slots == 0 || copies > slots {
            return false;
        }
        let has = |slot: usize| there.iter().any(|there| usize::from(*there) == slot);
        let mut first = 0;
        loop {
            if !(0..copies).any(|step| has((first + step) % slots)) {
                return false;
            }
            first = (first + near) % slots;
            if first == 0 {
                return true;
            }
        }
    }
}
