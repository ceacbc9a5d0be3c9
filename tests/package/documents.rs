//! Manual pages and completions, made from the command line's own types. Kept
//! out of the program that is released.

use std::fs;
use std::io;
use std::path::Path;

use clap::CommandFactory;
use clap_complete::{Shell, generate_to};
use lifeboot::cli::Cli;

/// Writes `man1/*.1`, and `completions/` with a file for each shell, into
/// `folder`.
///
/// # Errors
/// The kernel's.
pub fn write(folder: &Path) -> io::Result<()> {
    let (manual, completions) = (folder.join("man1"), folder.join("completions"));
    fs::create_dir_all(&manual)?;
    fs::create_dir_all(&completions)?;
    // No date: the same version has the same pages.
    clap_mangen::generate_to(Cli::command().disable_help_subcommand(true), &manual)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        generate_to(shell, &mut Cli::command(), "lifeboot", &completions)?;
    }
    Ok(())
}
