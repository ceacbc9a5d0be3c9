//! `cargo run --example documents -- DIR`: see `scripts/package`.

use std::path::PathBuf;
use std::process::ExitCode;

mod documents;

fn main() -> ExitCode {
    let Some(folder) = std::env::args_os().nth(1).map(PathBuf::from) else {
        return ExitCode::from(2);
    };
    match documents::write(&folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
