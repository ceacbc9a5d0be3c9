//! Runs the patient's own programs where they can do no harm: in the patient's
//! tree (an overlay over it, normally), with processes, mounts, host name,
//! messages and network of their own.
//!
//! This program starts itself again as `lifeboot-contained`. That process
//! moves into namespaces (namespaces(7)), gives the tree `/dev`, `/run` and
//! `/tmp` of its own, and starts itself a third time as process 1 of the
//! patient's processes, which mounts `/proc` and `/sys`, makes the tree its
//! root (pivot_root(2), so that nothing of the rescue system is left above
//! it), gives up the rights that reach beyond it, and runs the program. When
//! process 1 ends, the kernel ends every process that the program left.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::process::wait_readable;

mod inside;

pub use inside::{is_our_role, play};

/// The name under which this program starts itself.
const ROLE: &str = "lifeboot-contained";

/// Bytes of one line of output that are kept.
const LINE_BYTES: usize = 4096;

/// How often it is looked whether the time is up.
const LOOK_MILLISECONDS: u16 = 1000;

/// What the programs of the patient see: nothing of the operator's settings,
/// and nobody who could answer a question.
const ENVIRONMENT: [(&str, &str); 9] = [
    (
        "PATH",
        "/run/lifeboot:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ),
    ("HOME", "/root"),
    ("SHELL", "/bin/sh"),
    ("TERM", "dumb"),
    ("LANG", "C"),
    ("LC_ALL", "C"),
    ("DEBIAN_FRONTEND", "noninteractive"),
    ("DEBCONF_NONINTERACTIVE_SEEN", "true"),
    // systemctl(1): do what can be done to files, ask no manager.
    ("SYSTEMD_OFFLINE", "1"),
];

/// A program to run in the patient's tree.
#[derive(Debug, Clone)]
pub struct Program {
    /// Its words; the first is looked for in the patient's PATH.
    pub words: Vec<OsString>,
    /// Names of programs that do nothing while this one runs, when they are
    /// called by their name.
    pub left_out: Vec<String>,
    /// The longest time without a word from it.
    pub silence: Duration,
}

impl Program {
    /// A program that may be silent for ten minutes.
    pub fn new<W: AsRef<OsStr>>(words: impl IntoIterator<Item = W>) -> Self {
        let words = words.into_iter().map(|word| word.as_ref().to_owned());
        Self {
            words: words.collect(),
            left_out: Vec::new(),
            silence: Duration::from_secs(600),
        }
    }
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// With this exit code.
    Code(u8),
    /// It said nothing for too long and was killed.
    Silent,
    /// The container could not be made, or was killed from outside.
    Broken,
}

/// Runs `program` in the tree that is mounted at `root`, and hands out each
/// line that it prints.
///
/// # Errors
/// This program cannot be started again; not being root.
pub fn run(root: &Path, program: &Program, line: &mut dyn FnMut(&str)) -> io::Result<Ended> {
    let mut command = Command::new("/proc/self/exe");
    command
        .arg0(ROLE)
        .arg("outer")
        .arg(root)
        .arg(program.left_out.join(":"))
        .args(&program.words)
        .env_clear()
        .envs(ENVIRONMENT)
        .current_dir("/")
        .stdin(Stdio::null())
        // Away from the terminal's Ctrl-C: who started this decides.
        .process_group(0);
    let (mut output, ours) = io::pipe()?;
    command.stdout(ours.try_clone()?).stderr(ours);
    let mut child = Running(command.spawn()?);
    // Its ends of the pipe, so that the output ends with the last writer.
    drop(command);
    let mut lines = Lines::default();
    let mut heard = Instant::now();
    let mut buffer = [0; 8192];
    loop {
        if wait_readable(&[output.as_fd()], LOOK_MILLISECONDS)[0] {
            match output.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => {
                    lines.take(&buffer[..count], line);
                    heard = Instant::now();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        } else if heard.elapsed() > program.silence {
            lines.end(line);
            child.stop()?;
            return Ok(Ended::Silent);
        }
    }
    lines.end(line);
    let status = child.0.wait()?;
    Ok(match (status.code(), status.signal()) {
        (Some(code), _) if code == inside::BROKEN => Ended::Broken,
        (Some(code), _) => Ended::Code(u8::try_from(code).unwrap_or(1)),
        (None, _) => Ended::Broken,
    })
}

/// The process that made the namespaces. When it dies, process 1 of the
/// patient's processes dies with it (`PR_SET_PDEATHSIG`), and all of them.
struct Running(Child);

impl Running {
    fn stop(&mut self) -> io::Result<()> {
        self.0.kill()?;
        self.0.wait().map(drop)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            let _ = self.stop();
        }
    }
}

/// Output, line by line; also what a progress bar writes over itself.
#[derive(Debug, Default)]
struct Lines(Vec<u8>);

impl Lines {
    fn take(&mut self, bytes: &[u8], line: &mut dyn FnMut(&str)) {
        for byte in bytes {
            match byte {
                b'\n' | b'\r' => self.end(line),
                _ if self.0.len() < LINE_BYTES => self.0.push(*byte),
                _ => {}
            }
        }
    }

    fn end(&mut self, line: &mut dyn FnMut(&str)) {
        let text = String::from_utf8_lossy(&self.0);
        let text = text.trim_end();
        if !text.is_empty() {
            line(text);
        }
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_told_line_by_line() {
        let mut said = Vec::new();
        let mut lines = Lines::default();
        let mut keep = |text: &str| said.push(text.to_owned());
        lines.take(b"one\ntw", &mut keep);
        lines.take(b"o\r\n\n  50%\r 100%", &mut keep);
        lines.take(&[b'x'; 2 * LINE_BYTES], &mut keep);
        lines.end(&mut keep);
        assert_eq!(said[..3], ["one", "two", "  50%"]);
        assert_eq!(said[3].len(), LINE_BYTES);
        assert_eq!(said.len(), 4);
    }
}
