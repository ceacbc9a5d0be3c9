//! An upgrade that runs in a tree, heard by dpkg's log, and killed.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A moment of an upgrade.
#[derive(Debug, Clone, Copy)]
pub enum Moment {
    /// dpkg's log holds these words.
    Words(&'static str),
    /// dpkg's log has grown by so many lines.
    Lines(usize),
}

impl Moment {
    fn is_reached(self, log: &str) -> bool {
        match self {
            Self::Words(words) => log.contains(words),
            Self::Lines(count) => log.lines().count() >= count,
        }
    }
}

/// Seconds without a line in dpkg's log after which something hangs: while an
/// initramfs is made there is none for a while.
const SILENCE: usize = 300;

/// No service starts, and no device of this host is within reach.
pub const UPGRADE: &str = r#"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
exec chroot . apt-get -q -y -o Dpkg::Use-Pty=0 \
    -o Dpkg::Options::=--force-confold full-upgrade
"#;

/// An upgrade that runs.
#[derive(Debug)]
pub struct Upgrading {
    process: Child,
    log: File,
    watch: Inotify,
    /// What dpkg has logged since the start.
    text: String,
}

impl Upgrading {
    /// Starts it in the tree `patient`; what it says goes to `dir`.
    pub fn start(patient: &Path, dir: &Path) -> Result<Self> {
        let log_path = patient.join("var/log/dpkg.log");
        let mut log =
            File::open(&log_path).with_context(|| format!("opening {}", log_path.display()))?;
        log.seek(SeekFrom::End(0))?;
        let watch = Inotify::init(InitFlags::IN_NONBLOCK).context("starting inotify")?;
        watch
            .add_watch(&log_path, AddWatchFlags::IN_MODIFY)
            .with_context(|| format!("watching {}", log_path.display()))?;
        let said = dir.join("upgrade.log");
        let said_file =
            File::create(&said).with_context(|| format!("creating {}", said.display()))?;
        // In a process namespace of its own: when its first process dies, the
        // kernel kills all others in the same moment.
        let process = Command::new("unshare")
            .args(["--mount", "--pid", "--fork", "--kill-child"])
            .args(["bash", "-euo", "pipefail", "-c", UPGRADE])
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("LC_ALL", "C")
            .current_dir(patient)
            .stdin(Stdio::null())
            .stdout(said_file.try_clone()?)
            .stderr(said_file)
            .spawn()
            .context("starting the upgrade")?;
        Ok(Self {
            process,
            log,
            watch,
            text: String::new(),
        })
    }

    /// Waits until dpkg has logged what the moment needs; false when the
    /// upgrade came to its end before.
    pub fn reach(&mut self, moment: Moment) -> Result<bool> {
        let mut silence = 0;
        loop {
            let before = self.text.len();
            self.log
                .read_to_string(&mut self.text)
                .context("reading dpkg's log")?;
            if moment.is_reached(&self.text) {
                return Ok(true);
            }
            if self.text.len() > before {
                silence = 0;
                continue;
            }
            if let Some(status) = self.process.try_wait()? {
                ensure!(status.success(), "the upgrade ended with {status}");
                return Ok(false);
            }
            let mut events = [PollFd::new(self.watch.as_fd(), PollFlags::POLLIN)];
            if poll(&mut events, PollTimeout::from(1000_u16))? == 0 {
                silence += 1;
                ensure!(
                    silence < SILENCE,
                    "dpkg logged nothing for {SILENCE} s, waiting for {moment:?}"
                );
                continue;
            }
            self.watch.read_events().context("reading inotify events")?;
        }
    }

    /// The first process of the upgrade's namespace.
    fn first(&self) -> Result<i32> {
        let id = self.process.id();
        let list = format!("/proc/{id}/task/{id}/children");
        let children = fs::read_to_string(&list).with_context(|| format!("reading {list}"))?;
        let first = children.split_whitespace().next();
        let first = first.with_context(|| format!("{list} is empty"))?;
        first.parse().with_context(|| format!("reading {list}"))
    }

    /// SIGKILL to the first process of the namespace, thus to all.
    pub fn kill(mut self) -> Result<()> {
        // It is gone when the upgrade came to its end.
        if self.process.try_wait()?.is_none() {
            kill(Pid::from_raw(self.first()?), Signal::SIGKILL).context("killing the upgrade")?;
        }
        self.process
            .wait()
            .context("waiting for the killed upgrade")?;
        Ok(())
    }
}
