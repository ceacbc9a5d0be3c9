//! Numbers in ELF records, in the file's own byte order and word size.

use goblin::container::{Container, Ctx};

/// How one file writes its numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields {
    pub(super) ctx: Ctx,
}

impl Fields {
    pub(super) fn is_64(self) -> bool {
        self.ctx.container == Container::Big
    }

    /// Size of an address.
    pub(super) fn address_bytes(self) -> usize {
        if self.is_64() { 8 } else { 4 }
    }

    /// `Elf_Half`; what lies outside the record reads as zero.
    pub(super) fn half(self, record: &[u8], at: usize) -> u16 {
        let raw = array::<2>(record, at);
        if self.ctx.le.is_little() {
            u16::from_le_bytes(raw)
        } else {
            u16::from_be_bytes(raw)
        }
    }

    /// `Elf_Word`.
    pub(super) fn word(self, record: &[u8], at: usize) -> u32 {
        let raw = array::<4>(record, at);
        if self.ctx.le.is_little() {
            u32::from_le_bytes(raw)
        } else {
            u32::from_be_bytes(raw)
        }
    }

    /// `Elf_Addr` and everything else as wide as an address.
    pub(super) fn address(self, record: &[u8], at: usize) -> u64 {
        if !self.is_64() {
            return self.word(record, at).into();
        }
        let raw = array::<8>(record, at);
        if self.ctx.le.is_little() {
            u64::from_le_bytes(raw)
        } else {
            u64::from_be_bytes(raw)
        }
    }
}

fn array<const N: usize>(record: &[u8], at: usize) -> [u8; N] {
    record
        .get(at..at.saturating_add(N))
        .and_then(|part| part.try_into().ok())
        .unwrap_or([0; N])
}
