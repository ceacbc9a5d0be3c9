//! One ELF file, as far as loading it needs.
//!
//! Only what the kernel and the loader read is read: the header, the program
//! headers and what `PT_INTERP` and `PT_DYNAMIC` lead to. Section headers may
//! be stripped and are not looked at. Format: gABI chapters 4 and 5, `elf(5)`.

use std::collections::BTreeSet;

use goblin::container::{Container, Ctx};
use goblin::elf::header::{
    self, EI_CLASS, EI_DATA, EI_OSABI, EI_VERSION, ELFCLASS32, ELFCLASS64, ELFDATA2LSB, ELFDATA2MSB,
};
use goblin::elf::program_header::{PT_DYNAMIC, PT_INTERP, PT_LOAD, ProgramHeader};
use goblin::elf::{Elf, Header};
use serde::{Deserialize, Serialize};

use super::damage::Damage;
use super::fields::Fields;
use super::image::{Bytes, Image};
pub use super::versions::VersionNeed;

pub(super) mod dynamic;

/// Longest `PT_INTERP` the kernel takes (`PATH_MAX`, `fs/binfmt_elf.c`).
const INTERPRETER_BYTES_MAX: u64 = 4096;

/// What an object asks the loader to load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Want {
    /// `DT_NEEDED`.
    Needed,
    /// `DT_FILTER`: needed too, and searched for symbols first.
    Filter,
    /// `DT_AUXILIARY`: like a filter, but may be absent.
    Auxiliary,
}

/// Which loader and which processor an object is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Machine {
    /// 64-bit file format.
    pub is_64: bool,
    /// Least significant byte first.
    pub is_little_endian: bool,
    /// `e_machine`.
    pub code: u16,
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bits = if self.is_64 { 64 } else { 32 };
        let name = header::machine_to_str(self.code);
        write!(f, "{bits}-bit {}", name.trim_start_matches("EM_"))
    }
}

/// One ELF file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Object {
    /// What it runs on.
    pub machine: Machine,
    /// `e_type`: `ET_EXEC` or `ET_DYN`.
    pub kind: u16,
    /// `EI_OSABI`.
    pub osabi: u8,
    /// `PT_INTERP`.
    pub interpreter: Option<String>,
    /// It has a dynamic section.
    pub is_dynamic: bool,
    /// The address and file offset of a segment do not fit together.
    pub is_misaligned: bool,
    /// What it asks for, in the order of its dynamic section.
    pub wants: Vec<(Want, String)>,
    /// `DT_SONAME`.
    pub soname: Option<String>,
    /// `DT_RPATH`.
    pub rpath: Option<String>,
    /// `DT_RUNPATH`; an empty one still switches `rpath` off.
    pub runpath: Option<String>,
    /// `DF_1_NODEFLIB`: no system directories.
    pub is_nodeflib: bool,
    /// `DF_1_PIE`: a program, not a library.
    pub is_pie: bool,
    /// It has relative relocations in the packed form (`DT_RELR`).
    pub has_relr: bool,
    /// Versions it needs.
    pub needs: Vec<VersionNeed>,
    /// Versions it offers; `None` when it has no version table at all.
    pub offers: Option<BTreeSet<String>>,
}

impl Object {
    /// Reads an object out of a file or bytes.
    ///
    /// # Errors
    /// [`Damage`] when neither the kernel nor the loader would map it, or when
    /// a segment reaches behind the end of the file (which the loader maps, and
    /// which then dies of `SIGBUS`).
    pub fn parse<B: Bytes + ?Sized>(source: &B) -> Result<Self, Damage> {
        let mut image = Image::new(source);
        let (header, fields) = read_header(&mut image)?;
        let segments = read_segments(&mut image, &header, fields)?;
        let mut object = Self::bare(&header, fields);
        object.is_misaligned = segments.iter().any(is_misaligned);
        let loads = || segments.iter().filter(|s| s.p_type == PT_LOAD);
        if loads().next().is_none() {
            return Err(Damage::not_loadable("no loadable segments"));
        }
        for segment in loads() {
            let expected = segment.p_offset.saturating_add(segment.p_filesz);
            let size = image.size();
            if expected > size {
                return Err(Damage::Truncated { expected, size });
            }
        }
        if let Some(segment) = segments.iter().find(|s| s.p_type == PT_INTERP) {
            object.interpreter = Some(read_interpreter(&mut image, segment)?);
        }
        // A separate debug file has a dynamic segment of no bytes.
        let mut dynamic = segments.iter().filter(|s| s.p_type == PT_DYNAMIC);
        if let Some(segment) = dynamic.next_back().filter(|s| s.p_filesz > 0) {
            object.is_dynamic = true;
            dynamic::read(&mut object, &mut image, fields, &segments, segment)?;
        }
        Ok(object)
    }

    fn bare(header: &Header, fields: Fields) -> Self {
        Self {
            machine: Machine {
                is_64: fields.is_64(),
                is_little_endian: fields.ctx.le.is_little(),
                code: header.e_machine,
            },
            kind: header.e_type,
            osabi: header.e_ident[EI_OSABI],
            interpreter: None,
            is_dynamic: false,
            is_misaligned: false,
            wants: Vec::new(),
            soname: None,
            rpath: None,
            runpath: None,
            is_nodeflib: false,
            is_pie: false,
            has_relr: false,
            needs: Vec::new(),
            offers: None,
        }
    }

    /// About what it takes of memory.
    pub(super) fn memory_bytes(&self) -> usize {
        /// A string, with what the allocator adds.
        const STRING_BYTES: usize = 48;
        let wants = self.wants.iter().map(|(_, name)| name.len());
        let needs = self
            .needs
            .iter()
            .map(|n| n.file.len() + n.version.len() + STRING_BYTES);
        let offers = self.offers.iter().flatten().map(String::len);
        let named = [&self.interpreter, &self.soname, &self.rpath, &self.runpath];
        let named = named.into_iter().flatten().map(String::len);
        let strings = wants.chain(needs).chain(offers).chain(named);
        size_of::<Self>() + strings.map(|length| length + STRING_BYTES).sum::<usize>()
    }

    /// `DT_NEEDED`, in order.
    pub fn needed(&self) -> impl Iterator<Item = &str> {
        self.wants
            .iter()
            .filter(|(want, _)| *want == Want::Needed)
            .map(|(_, name)| name.as_str())
    }

    /// The versions it needs, a list for each library.
    pub(super) fn need_lists(&self) -> impl Iterator<Item = &[VersionNeed]> {
        self.needs.chunk_by(|a, b| a.file == b.file)
    }

    /// Why glibc refuses to load this sound object as a library
    /// (`elf/dl-load.c`, `open_verify` and `_dl_map_object_from_fd`).
    pub fn refused_as_library(&self) -> Option<Damage> {
        let why = if !matches!(
            self.osabi,
            header::ELFOSABI_NONE | header::ELFOSABI_GNU | header::ELFOSABI_ARM_AEABI
        ) {
            "ELF file OS ABI invalid"
        } else if self.is_misaligned {
            "a segment's address and offset do not fit together"
        } else if !self.is_dynamic {
            "no dynamic section"
        } else if self.kind == header::ET_EXEC {
            "a program, not a library"
        } else if self.is_pie {
            "a position-independent program, not a library"
        } else {
            return None;
        };
        Some(Damage::not_loadable(why))
    }
}

/// The dynamic section of a sound file, with what is needed to follow it;
/// `None` without one.
pub(super) fn dynamic_of<B: Bytes + ?Sized>(
    image: &mut Image<'_, B>,
) -> Result<Option<dynamic::Dynamic>, Damage> {
    let (header, fields) = read_header(image)?;
    let segments = read_segments(image, &header, fields)?;
    dynamic::Dynamic::read(image, header.e_machine, fields, segments)
}

/// What an ELF file runs on, though the rest of it may be damaged.
pub(super) fn machine_of<B: Bytes + ?Sized>(source: &B) -> Option<Machine> {
    let (header, fields) = read_header(&mut Image::new(source)).ok()?;
    Some(Object::bare(&header, fields).machine)
}

fn read_header<B: Bytes + ?Sized>(image: &mut Image<'_, B>) -> Result<(Header, Fields), Damage> {
    let size = image.size();
    if size == 0 {
        return Err(Damage::Empty);
    }
    // The loader looks at the magic only after it has read a whole header.
    let start = image.bytes(0, usize::try_from(size.min(64)).unwrap_or(64))?;
    let is_elf = start.starts_with(header::ELFMAG);
    let class = start.get(EI_CLASS).copied().unwrap_or(0);
    let header_bytes = if class == ELFCLASS32 { 52 } else { 64 };
    if start.len() < header_bytes {
        let short = Damage::TooShort { size };
        return Err(if is_elf || size < 4 {
            short
        } else {
            Damage::NotElf
        });
    }
    if !is_elf {
        return Err(Damage::NotElf);
    }
    if !matches!(class, ELFCLASS32 | ELFCLASS64)
        || !matches!(start[EI_DATA], ELFDATA2LSB | ELFDATA2MSB)
        || start[EI_VERSION] != header::EV_CURRENT
    {
        return Err(Damage::malformed("unknown class, byte order or version"));
    }
    let header = Elf::parse_header(&start).map_err(|e| Damage::malformed(e.to_string()))?;
    let container = if class == ELFCLASS64 {
        Container::Big
    } else {
        Container::Little
    };
    let endian = goblin::container::Endian::from(start[EI_DATA] == ELFDATA2LSB);
    let fields = Fields {
        ctx: Ctx::new(container, endian),
    };
    match header.e_type {
        header::ET_DYN | header::ET_EXEC => Ok((header, fields)),
        _ => Err(Damage::not_loadable("neither a program nor a library")),
    }
}

fn read_segments<B: Bytes + ?Sized>(
    image: &mut Image<'_, B>,
    header: &Header,
    fields: Fields,
) -> Result<Vec<ProgramHeader>, Damage> {
    let each = ProgramHeader::size(fields.ctx);
    if header.e_phnum == 0 {
        return Err(Damage::not_loadable("no program headers"));
    }
    if usize::from(header.e_phentsize) != each {
        return Err(Damage::malformed("program headers of an unexpected size"));
    }
    let count = usize::from(header.e_phnum);
    let bytes = image.bytes(header.e_phoff, count * each)?;
    ProgramHeader::parse(&bytes, 0, count, fields.ctx).map_err(|e| Damage::malformed(e.to_string()))
}

fn read_interpreter<B: Bytes + ?Sized>(
    image: &mut Image<'_, B>,
    segment: &ProgramHeader,
) -> Result<String, Damage> {
    if !(2..=INTERPRETER_BYTES_MAX).contains(&segment.p_filesz) {
        return Err(Damage::malformed("PT_INTERP is no path"));
    }
    let end = segment.p_offset.saturating_add(segment.p_filesz);
    image.string(segment.p_offset, end)
}

fn is_misaligned(segment: &ProgramHeader) -> bool {
    segment.p_type == PT_LOAD
        && segment.p_align > 1
        && segment.p_vaddr.wrapping_sub(segment.p_offset) & (segment.p_align - 1) != 0
}
