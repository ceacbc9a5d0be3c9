//! A terminal with somebody at it: tmux, with a `/run` of its own that outlives
//! a dropped line.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// The longest time until what is waited for is on the screen.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Terminal {
    socket: PathBuf,
    folder: PathBuf,
}

impl Terminal {
    /// Opens one of 80 columns and 24 lines, of this kind.
    pub fn open(folder: &Path, kind: &str) -> Result<Self> {
        let run = folder.join("run");
        std::fs::create_dir_all(&run)?;
        // The path of a socket must be short (unix(7)).
        let socket = std::env::temp_dir().join(format!("terminal-{}", unique(folder)));
        let terminal = Self {
            socket,
            folder: folder.to_owned(),
        };
        let script = "mount --bind \"$1\" /run && exec tmux -S \"$2\" -f /dev/null \
                      new-session -d -x 80 -y 24 -s it env TERM=\"$3\" PS1='# ' sh";
        let opened = Command::new("unshare")
            .args([
                "--mount",
                "--propagation",
                "private",
                "sh",
                "-c",
                script,
                "sh",
            ])
            .arg(&run)
            .arg(&terminal.socket)
            .arg(kind)
            .env("LC_ALL", "C.UTF-8")
            .status()
            .context("starting tmux")?;
        ensure!(opened.success(), "tmux: {opened}");
        Ok(terminal)
    }

    fn tmux(&self, words: &[&str]) -> Result<String> {
        let output = Command::new("tmux")
            .arg("-S")
            .arg(&self.socket)
            .args(words)
            .output()
            .context("starting tmux")?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "tmux {words:?}: {complaint}");
        Ok(said)
    }

    /// Types a line, on a screen that shows nothing of the past.
    pub fn enter(&self, line: &str) -> Result<()> {
        self.tmux(&["clear-history", "-t", "it"])?;
        self.tmux(&["send-keys", "-t", "it", "-l", line])?;
        self.tmux(&["send-keys", "-t", "it", "Enter"])?;
        Ok(())
    }

    /// Ctrl-C.
    pub fn interrupt(&self) -> Result<()> {
        self.tmux(&["send-keys", "-t", "it", "C-c"]).map(drop)
    }

    /// What is on the screen and has just left it, when `words` are there.
    pub fn wait_for(&self, words: &str) -> Result<String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let screen = self.tmux(&["capture-pane", "-p", "-J", "-S", "-", "-t", "it"])?;
            if screen.contains(words) {
                return Ok(screen);
            }
            if Instant::now() > deadline {
                bail!("{words:?} did not come:\n{screen}");
            }
            // tmux tells nobody that its screen changed.
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub fn resize(&self, columns: u32, lines: u32) -> Result<()> {
        let (columns, lines) = (columns.to_string(), lines.to_string());
        self.tmux(&["resize-window", "-t", "it", "-x", &columns, "-y", &lines])
            .map(drop)
    }

    /// The file that gets every byte which is sent to it from now on.
    pub fn record(&self) -> Result<PathBuf> {
        let file = self.folder.join("bytes");
        let _ = std::fs::remove_file(&file);
        let command = format!("cat > {}", file.display());
        self.tmux(&["pipe-pane", "-t", "it", "-o", &command])?;
        Ok(file)
    }

    /// The line drops: whoever sits at it gets SIGHUP. Waits for the end of
    /// what ran there.
    pub fn hang_up(&self) -> Result<()> {
        let pid = self.tmux(&["display-message", "-p", "-t", "it", "#{pane_pid}"])?;
        self.tmux(&["kill-server"])?;
        let shell = PathBuf::from(format!("/proc/{}", pid.trim()));
        let deadline = Instant::now() + PATIENCE;
        while shell.exists() {
            ensure!(Instant::now() < deadline, "what ran there goes on");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.tmux(&["kill-server"]);
        let _ = std::fs::remove_file(&self.socket);
    }
}

/// A name for what belongs to `folder`, and to this run.
fn unique(folder: &Path) -> String {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    format!("{}-{name}", std::process::id())
}
