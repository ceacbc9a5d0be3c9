//! QEMU's monitor (QMP, `docs/interop/qmp-spec.rst` of QEMU): what can be done to
//! a machine while it runs.

use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use serde_json::{Value, json};

/// How long an answer may take on a busy host.
const ANSWER: Duration = Duration::from_secs(300);

/// The line to a machine's monitor.
#[derive(Debug)]
pub struct Monitor {
    line: BufReader<UnixStream>,
    /// QEMU's end of it, until QEMU has started.
    far_end: Option<UnixStream>,
}

impl Monitor {
    /// A line that nobody listens to yet.
    pub fn new() -> Result<Self> {
        let (near, far) = UnixStream::pair().context("making a line to the monitor")?;
        near.set_read_timeout(Some(ANSWER))?;
        // The child inherits it under the same number.
        fcntl(&far, FcntlArg::F_SETFD(FdFlag::empty())).context("handing the line on")?;
        Ok(Self {
            line: BufReader::new(near),
            far_end: Some(far),
        })
    }

    /// Has QEMU listen to it.
    pub fn give_to(&self, qemu: &mut Command) -> Result<()> {
        let far = self.far_end.as_ref().context("the line is in use")?;
        qemu.arg("-chardev")
            .arg(format!("socket,id=monitor,fd={}", far.as_raw_fd()))
            .args(["-mon", "chardev=monitor,mode=control"]);
        Ok(())
    }

    /// The first words, after QEMU has started.
    pub fn begin(&mut self) -> Result<()> {
        self.far_end = None;
        self.execute("qmp_capabilities", &json!({}))
    }

    /// Runs one command of the monitor and waits for its end.
    pub fn execute(&mut self, command: &str, arguments: &Value) -> Result<()> {
        let line = json!({ "execute": command, "arguments": arguments });
        writeln!(self.line.get_mut(), "{line}").with_context(|| format!("saying {line}"))?;
        loop {
            let mut answer = String::new();
            let got = self.line.read_line(&mut answer);
            if got.with_context(|| format!("no answer to {line}"))? == 0 {
                bail!("QEMU ended at {line}");
            }
            let answer: Value = serde_json::from_str(&answer)
                .with_context(|| format!("no answer of a monitor: {answer:?}"))?;
            if answer.get("return").is_some() {
                return Ok(());
            }
            if let Some(error) = answer.get("error") {
                bail!("{line}: {error}");
            }
            // The greeting and events.
        }
    }
}
