//! What runs on the console: the tool, scripted or guided, and a shell.
//!
//! PID 1 leads the console's session itself and gives each child the foreground,
//! as a shell does. If the child led the session, the kernel would hang up the
//! line when it ends (`disassociate_ctty()`), and a serial port would drop what
//! was printed last.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::console::Console;
use super::supervisor::Supervisor;
use crate::sys::machine::Leave;
use crate::sys::process::{Change, spawn_in_foreground};
use crate::sys::shell;
use crate::sys::tty::{self, Settings};

/// This very program, whatever its name in the image is.
const SELF: &str = "/proc/self/exe";

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The console, and what is run on it.
#[derive(Debug)]
pub struct Session<'a> {
    /// Waits for children and signals.
    pub supervisor: &'a Supervisor,
    /// Where the operator sits.
    pub console: Console,
    settings: Option<Settings>,
}

impl<'a> Session<'a> {
    /// Takes the console as PID 1's controlling terminal.
    pub fn new(supervisor: &'a Supervisor, console: Console) -> Self {
        let mut settings = None;
        match console.open() {
            Ok(file) => {
                settings = tty::usual_settings(&file);
                if let Err(error) = tty::take_control(&file) {
                    let path = console.path().display();
                    console.say(&format!("no Ctrl-C on {path}: {error}"));
                }
                tty::take_foreground(&file, settings.as_ref());
            }
            Err(error) => console.say(&format!("opening {}: {error}", console.path().display())),
        }
        Self {
            supervisor,
            console,
            settings,
        }
    }

    /// Plain `lifeboot`: it asks its own questions.
    pub fn run_guided(&self) -> Result<(), Leave> {
        let mut command = tool(&[]);
        self.on_console("lifeboot", &mut command, None)
    }

    /// Runs each of `commands` as `lifeboot WORDS`, standard output going to
    /// `out` byte for byte. There is nobody to answer questions: standard input
    /// is empty.
    pub fn run_commands(&self, commands: &[String], out: Option<&Path>) -> Result<(), Leave> {
        let out = out.and_then(|path| self.open_output(path));
        for text in commands {
            let title = format!("\"{text}\"");
            match shell_words::split(text) {
                Ok(words) => {
                    let mut command = tool(&words);
                    self.on_console(&title, &mut command, Some(out.as_ref()))?;
                }
                Err(error) => self.console.say(&format!("{title} was not run: {error}")),
            }
        }
        Ok(())
    }

    /// A shell, if the image has one.
    pub fn run_shell(&self) -> Result<(), Leave> {
        let Some((path, arguments)) = shell::find() else {
            self.console.say("there is no shell in this image");
            return Ok(());
        };
        let mut command = Command::new(path);
        command.args(arguments).arg0("sh");
        self.on_console("the shell", &mut command, None)
    }

    fn open_output(&self, path: &Path) -> Option<File> {
        let opened = tty::open(path).and_then(|file| {
            tty::set_raw(&file)?;
            Ok(file)
        });
        match opened {
            Ok(file) => Some(file),
            Err(error) => {
                let path = path.display();
                self.console.say(&format!(
                    "output goes to the console: opening {path}: {error}"
                ));
                None
            }
        }
    }

    /// Runs `command` in the foreground of the console and tells how it ended.
    /// `scripted` is its standard output, if it is not the console.
    fn on_console(
        &self,
        title: &str,
        command: &mut Command,
        scripted: Option<Option<&File>>,
    ) -> Result<(), Leave> {
        let console = self.console.open().ok();
        let end = match self.start(command, console.as_ref(), scripted) {
            Ok(pid) => End::of(self.supervisor.wait_for_child(pid)?),
            Err(error) => End {
                words: format!("could not be started: {error}"),
                killed: false,
            },
        };
        if let Some(out) = scripted.flatten() {
            tty::drain(out);
        }
        if let Some(console) = &console {
            tty::drain(console);
            tty::take_foreground(console, self.settings.as_ref());
        }
        if end.killed {
            // It had no chance to end its own line.
            self.console.print("\n");
        }
        self.console.say(&format!("{title} {}", end.words));
        Ok(())
    }

    fn start(
        &self,
        command: &mut Command,
        console: Option<&File>,
        scripted: Option<Option<&File>>,
    ) -> io::Result<nix::unistd::Pid> {
        if let (Some(console), Some(settings)) = (console, &self.settings) {
            tty::apply(console, settings)?;
        }
        let on_console = || match console {
            Some(file) => file.try_clone().map(Stdio::from),
            None => Ok(Stdio::null()),
        };
        command
            .env_clear()
            .env("PATH", PATH)
            .env("TERM", self.console.terminal_kind())
            .env("HOME", "/root")
            .env("LIFEBOOT_RESCUE", "1")
            .current_dir("/")
            .stderr(on_console()?);
        match scripted {
            None => command.stdin(on_console()?).stdout(on_console()?),
            Some(None) => command.stdin(Stdio::null()).stdout(on_console()?),
            Some(Some(out)) => command.stdin(Stdio::null()).stdout(out.try_clone()?),
        };
        spawn_in_foreground(command)
    }
}

/// This program with `arguments`.
fn tool(arguments: &[String]) -> Command {
    let mut command = Command::new(SELF);
    command.arg0("lifeboot").args(arguments);
    command
}

/// The second half of the line that scripts look for.
struct End {
    words: String,
    killed: bool,
}

impl End {
    fn of(change: Change) -> Self {
        let words = match change {
            Change::Exited(code) => format!("ended with exit code {code}"),
            Change::Killed(signal) => format!("was killed by signal {signal}"),
            // Not an end; wait_for_child does not give it.
            Change::Stopped => "was stopped".to_owned(),
        };
        Self {
            words,
            killed: matches!(change, Change::Killed(_)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_command_is_told_in_fixed_words() {
        assert_eq!(End::of(Change::Exited(10)).words, "ended with exit code 10");
        assert_eq!(End::of(Change::Killed(9)).words, "was killed by signal 9");
    }
}
