//! What is wrong with a superblock, in words.

/// Why bytes that begin like a superblock are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Defect {
    /// Fewer bytes than the superblock says it has.
    Truncated,
    /// The checksum does not fit the content.
    Checksum {
        /// Computed.
        computed: u32,
        /// Stored.
        stored: u32,
    },
    /// A field holds what no array can have.
    Nonsense(&'static str),
    /// It says that it lies elsewhere (a copy of another place).
    Elsewhere(u64),
    /// Another major version.
    Version(u32),
    /// A format that is known and not opened, with what to do.
    NotOpened(String),
}

impl std::fmt::Display for Defect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Truncated => f.write_str("the RAID superblock is cut off"),
            Self::Checksum { computed, stored } => write!(
                f,
                "the RAID superblock's checksum is {stored:08x}, \
                 its content gives {computed:08x}"
            ),
            Self::Nonsense(field) => write!(f, "the RAID superblock's {field} makes no sense"),
            Self::Elsewhere(sector) => write!(
                f,
                "the RAID superblock says that it lies at sector {sector}"
            ),
            Self::Version(major) => write!(f, "RAID metadata version {major} is not known"),
            Self::NotOpened(what) => f.write_str(what),
        }
    }
}
