//! Each loader with the C library that it loads. Both are built together and
//! share data without any version on it, so they must be of one release.

use goblin::elf::header::{EM_386, EM_AARCH64, EM_ARM, EM_PPC64, EM_RISCV, EM_S390, EM_X86_64};
use serde::{Deserialize, Serialize};

use crate::facts::elf::constants::{Libc, release_version, usual_interpreter};
use crate::facts::elf::loader::Loader;
use crate::facts::elf::object::Machine;
use crate::facts::elf::problem::Closure;
use crate::facts::elf::search::{Member, Outcome, Trail};

/// Most bytes of a C library that are looked through; real ones have 2 MiB.
const LIBC_BYTES_MAX: u64 = 16 * 1024 * 1024;

const LIBC: &str = "libc.so.6";

/// Machines whose loaders may stand side by side in one root.
pub(super) const MACHINES: [Machine; 8] = [
    machine(EM_X86_64, true),
    machine(EM_386, false),
    machine(EM_AARCH64, true),
    machine(EM_ARM, false),
    machine(EM_RISCV, true),
    machine(EM_PPC64, true),
    Machine {
        is_64: true,
        is_little_endian: false,
        code: EM_S390,
    },
    machine(EM_X86_64, false),
];

const fn machine(code: u16, is_64: bool) -> Machine {
    Machine {
        is_64,
        is_little_endian: true,
        code,
    }
}

/// A loader and its C library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Pair {
    /// The loader's path as programs name it.
    pub loader: String,
    /// The same without links.
    pub real_loader: String,
    /// The release it is of: (2, 36).
    pub loader_version: Option<(u32, u32)>,
    /// The C library that it loads, without links.
    pub libc: String,
    /// The release that is of.
    pub libc_version: Option<(u32, u32)>,
    /// What both run on.
    pub machine: Machine,
    /// True for the pair that starts PID 1.
    pub starts_pid1: bool,
}

impl Pair {
    /// The two releases, where both are known and are not the same.
    pub fn mismatch(&self) -> Option<((u32, u32), (u32, u32))> {
        let (loader, libc) = (self.loader_version?, self.libc_version?);
        (loader != libc).then_some((loader, libc))
    }
}

/// The pair of PID 1 first, then those of other machines.
pub(super) fn collect(loader: &Loader<'_>, pid1: &Closure) -> Vec<Pair> {
    let own = of_pid1(loader, pid1);
    let others = MACHINES.iter().filter_map(|&machine| {
        if own.as_ref().is_some_and(|pair| pair.machine == machine) {
            return None;
        }
        let interpreter = usual_interpreter(machine)?;
        let opened = loader.files.open(interpreter).ok()?;
        if opened.machine != Some(machine) {
            return None;
        }
        let asking = [Member::alone(interpreter, opened)];
        let libc = loader.ask(interpreter, machine, |search| {
            match search.find(&asking, 0, LIBC, &mut Trail::default()) {
                Outcome::Found { opened, .. } => Some(opened.real_path.clone()),
                _ => None,
            }
        })?;
        pair(loader, interpreter, machine, libc, false)
    });
    let others: Vec<Pair> = others.collect();
    own.into_iter().chain(others).collect()
}

fn of_pid1(loader: &Loader<'_>, pid1: &Closure) -> Option<Pair> {
    let opened = loader.files.open(pid1.path.as_deref()?).ok()?;
    let object = opened.object.as_ref().as_ref().ok()?;
    let libc = pid1.objects.iter().find(|loaded| loaded.name == LIBC)?;
    let interpreter = object.interpreter.as_deref()?;
    pair(
        loader,
        interpreter,
        object.machine,
        libc.real_path.clone(),
        true,
    )
}

fn pair(
    loader: &Loader<'_>,
    interpreter: &str,
    machine: Machine,
    libc: String,
    starts_pid1: bool,
) -> Option<Pair> {
    let real_loader = loader.files.open(interpreter).ok()?.real_path.clone();
    let compiled_in = loader.ask(interpreter, machine, |search| {
        (search.constants.libc == Libc::Glibc).then_some(search.constants.version)
    })?;
    let bytes = loader.files.root.read(&libc, LIBC_BYTES_MAX).ok();
    Some(Pair {
        loader: interpreter.to_owned(),
        // Before 2.33 the loader does not say, but its file is named for it.
        loader_version: compiled_in.or_else(|| named_version(&real_loader, "ld-")),
        real_loader,
        libc_version: bytes
            .and_then(|bytes| release_version(&bytes))
            .or_else(|| named_version(&libc, "libc-")),
        libc,
        machine,
        starts_pid1,
    })
}

/// From `/lib/x86_64-linux-gnu/ld-2.31.so`.
fn named_version(path: &str, before: &str) -> Option<(u32, u32)> {
    let name = path.rsplit('/').next()?;
    let (major, minor) = name
        .strip_prefix(before)?
        .strip_suffix(".so")?
        .split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_files_are_named_for_their_release() {
        for (path, expected) in [
            ("/lib/x86_64-linux-gnu/ld-2.31.so", Some((2, 31))),
            ("/lib/ld-2.so", None),
            ("/lib64/ld-linux-x86-64.so.2", None),
            ("/lib/ld-2.31.so.dpkg-new", None),
        ] {
            assert_eq!(named_version(path, "ld-"), expected, "{path}");
        }
        assert_eq!(named_version("/lib/libc-2.17.so", "libc-"), Some((2, 17)));
    }
}
