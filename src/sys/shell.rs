//! A shell for the operator, in the rescue system.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

/// Where shells are looked for, with the arguments they need.
const SHELLS: &[(&str, &[&str])] = &[
    ("/bin/sh", &[]),
    ("/usr/bin/sh", &[]),
    ("/bin/busybox", &["sh"]),
];

/// A shell of the rescue system, and its arguments; none in an image without.
pub fn find() -> Option<(PathBuf, &'static [&'static str])> {
    SHELLS
        .iter()
        .map(|(path, arguments)| (PathBuf::from(path), *arguments))
        .find(|(path, _)| path.is_file())
}

/// Runs it on this terminal until its end, with `at` as its working directory.
///
/// # Errors
/// There is none, or it cannot be started.
pub fn run(at: &Path) -> io::Result<ExitStatus> {
    let (path, arguments) =
        find().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "there is no shell here"))?;
    Command::new(path)
        .args(arguments)
        .arg0("sh")
        .env("PS1", "lifeboot (exit: back)# ")
        .current_dir(at)
        .status()
}
