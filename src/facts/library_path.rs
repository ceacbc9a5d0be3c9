//! `LD_LIBRARY_PATH` as a unit or a script gives it to a program.
//!
//! Source: ld.so(8).

use super::elf::{Closure, Loader, Problem};

/// The directories that a program is told to look in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LibraryPath {
    /// With colons between them.
    pub value: String,
    /// False when some of it is decided elsewhere, or by what happens: it is
    /// what the path may be.
    pub is_clear: bool,
}

impl LibraryPath {
    /// True when it says nothing.
    pub fn is_empty(&self) -> bool {
        self.value.is_empty() && self.is_clear
    }

    /// What starting `program` with it loads. Where it is not clear, a library
    /// that is not found is no fault, but not known.
    pub fn closure(&self, loader: &Loader<'_>, program: &str) -> Closure {
        let mut closure = loader.closure_with(program, &self.value);
        if self.is_clear || !closure.problems.iter().any(depends) {
            return closure;
        }
        let path = closure.path.clone().unwrap_or_else(|| program.to_owned());
        closure.problems.retain(|problem| !depends(problem));
        closure.problems.push(Problem::Unexamined {
            path,
            why: "its LD_LIBRARY_PATH is decided while it is started".to_owned(),
        });
        closure
    }
}

/// True when another search path could mend it.
fn depends(problem: &Problem) -> bool {
    matches!(
        problem,
        Problem::LibraryMissing { .. }
            | Problem::LibraryDamaged { .. }
            | Problem::VersionMissing { .. }
            | Problem::WrongMachine { .. }
    )
}
