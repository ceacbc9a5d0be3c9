//! Why a module could not be loaded, in words that lead to the next step.

use std::fmt;
use std::io;
use std::path::PathBuf;

use nix::errno::Errno;

/// A module that could not be loaded.
#[derive(Debug)]
pub struct Error {
    /// The module that failed; it may be one that the wanted module needs.
    pub module: String,
    /// The module's file, when one was found.
    pub file: Option<PathBuf>,
    /// What went wrong.
    pub cause: Cause,
}

/// What went wrong.
#[derive(Debug)]
pub enum Cause {
    /// No module of this name, no alias, and not built in.
    Unknown,
    /// The file could not be read or unpacked.
    File(io::Error),
    /// The kernel refused it.
    Refused(Errno),
}

impl Error {
    /// The kernel took the module, but it found no device or is not for this
    /// processor: usual for modules found by alias.
    pub fn is_no_device(&self) -> bool {
        matches!(
            self.cause,
            Cause::Refused(Errno::ENODEV | Errno::ENXIO | Errno::EOPNOTSUPP)
        )
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "module {}: ", self.module)?;
        if let Some(file) = &self.file {
            write!(out, "{}: ", file.display())?;
        }
        match &self.cause {
            Cause::Unknown => write!(out, "not among this kernel's modules and not built in"),
            Cause::File(error) => write!(out, "{error}"),
            Cause::Refused(errno) => write!(out, "the kernel says {errno:?}: {}", meaning(*errno)),
        }
    }
}

impl std::error::Error for Error {}

/// What an error of `finit_module(2)` usually means.
fn meaning(errno: Errno) -> &'static str {
    match errno {
        Errno::ENOENT => "it uses a symbol or an algorithm that nothing loaded so far provides",
        Errno::EKEYREJECTED | Errno::ENOKEY => {
            "its signature is not trusted (Secure Boot lockdown, or built for another kernel)"
        }
        Errno::ENOEXEC => "it is damaged or was built for another kernel (vermagic)",
        Errno::EINVAL => "a parameter or the module itself is not valid",
        Errno::EPERM => "loading modules needs root and is not allowed here",
        Errno::ENODEV | Errno::ENXIO => "there is no such device here",
        Errno::ENOMEM => "not enough memory",
        Errno::EBUSY => "something else holds what it drives",
        Errno::ENOSYS => "this kernel cannot load modules",
        _ => errno.desc(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_module_file_and_meaning() {
        let error = Error {
            module: "raid456".to_owned(),
            file: Some(PathBuf::from("/lib/modules/x/raid456.ko")),
            cause: Cause::Refused(Errno::ENOEXEC),
        };
        assert_eq!(
            error.to_string(),
            "module raid456: /lib/modules/x/raid456.ko: the kernel says ENOEXEC: \
             it is damaged or was built for another kernel (vermagic)"
        );
    }
}
