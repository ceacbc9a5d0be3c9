//! A program with somebody at its terminal.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

/// Runs a command on a terminal of its own (script(1)) and types `keys`.
pub fn on_a_terminal(command: &str, keys: &str) -> String {
    let mut child = Command::new("script")
        .args(["-qec", command, "/dev/null"])
        .env("TERM", "dumb")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(keys.as_bytes()).unwrap();
    // The pipe stays open until the end: a closed one would hang up.
    let mut output = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut output)
        .unwrap();
    child.wait().unwrap();
    drop(input);
    output
}
