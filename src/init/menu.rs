//! The question at the end: what next?

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;

use super::session::Session;
use crate::sys::machine::Leave;

/// Nothing is typed for this long: the terminal is opened again, in case it
/// was hung up. The question is not repeated.
const LOOK_MILLISECONDS: u16 = 60_000;

/// The terminal is gone or at its end: wait this long before asking again.
const GONE_MILLISECONDS: u16 = 5_000;

const QUESTION: &str = "\nWhat next?  [l] lifeboot again  [s] shell  [r] reboot  [p] power off\n> ";

/// What was answered.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Tool,
    Shell,
    Leave(Leave),
    Unclear,
}

/// What reading a line gave.
enum Line {
    Text(String),
    Silence,
    Gone,
}

/// Asks and does as answered until the answer is to leave.
pub fn ask(session: &Session<'_>) -> Result<Leave, Leave> {
    let mut asked = false;
    loop {
        if !asked {
            session.console.print(QUESTION);
        }
        asked = false;
        match read_line(session)? {
            Line::Text(text) => match understand(&text) {
                Answer::Tool => session.run_guided()?,
                Answer::Shell => session.run_shell()?,
                Answer::Leave(leave) => return Ok(leave),
                Answer::Unclear => {}
            },
            Line::Silence => asked = true,
            Line::Gone => session.supervisor.pause(GONE_MILLISECONDS)?,
        }
    }
}

fn read_line(session: &Session<'_>) -> Result<Line, Leave> {
    let Ok(mut console) = session.console.open() else {
        return Ok(Line::Gone);
    };
    if !session
        .supervisor
        .wait_for_input(console.as_fd(), LOOK_MILLISECONDS)?
    {
        return Ok(Line::Silence);
    }
    Ok(take_line(&mut console))
}

/// The terminal hands over a whole line at a time.
fn take_line(console: &mut File) -> Line {
    let mut bytes = [0; 256];
    match console.read(&mut bytes) {
        Ok(0) | Err(_) => Line::Gone,
        Ok(count) => Line::Text(String::from_utf8_lossy(&bytes[..count]).into_owned()),
    }
}

fn understand(line: &str) -> Answer {
    match line.trim().to_ascii_lowercase().as_str() {
        "l" | "lifeboot" => Answer::Tool,
        "s" | "shell" => Answer::Shell,
        "r" | "reboot" => Answer::Leave(Leave::Reboot),
        "p" | "power off" | "poweroff" => Answer::Leave(Leave::PowerOff),
        _ => Answer::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_clear_answers_count() {
        for (line, expected) in [
            ("l\n", Answer::Tool),
            (" S \r\n", Answer::Shell),
            ("r", Answer::Leave(Leave::Reboot)),
            ("poweroff\n", Answer::Leave(Leave::PowerOff)),
            ("\n", Answer::Unclear),
            ("", Answer::Unclear),
            ("rp\n", Answer::Unclear),
            ("\u{fffd}\n", Answer::Unclear),
        ] {
            assert_eq!(understand(line), expected, "{line:?}");
        }
    }
}
