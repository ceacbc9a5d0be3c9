//! How far long work is: a bar on a terminal that can draw one, and plain lines
//! elsewhere.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::say;
use crate::journal::Progress as Step;

/// Between two of many steps.
const BETWEEN_STEPS: Duration = Duration::from_secs(5);

/// Between two lines where there is no terminal to draw on.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// Steps that are told one by one; of more, one is told now and then.
const TOLD_ALL: usize = 100;

/// Says which step of a repair is done, or taken back.
pub(super) fn steps() -> impl FnMut(&Step<'_>) {
    let mut told: Option<Instant> = None;
    let started = Instant::now();
    move |step| {
        let is_last = step.index + 1 == step.total;
        let due = told.is_none_or(|at| at.elapsed() >= BETWEEN_STEPS);
        if step.total > TOLD_ALL && !due && !is_last {
            return;
        }
        told = Some(Instant::now());
        let back = if step.undo { "back: " } else { "" };
        let left = left(started.elapsed(), step.index, step.total);
        say(&format!(
            "[{}/{}{left}] {back}{}",
            step.index + 1,
            step.total,
            step.action
        ));
    }
}

/// What the steps left take, by those that are done: nothing where that is soon.
fn left(elapsed: Duration, done: usize, total: usize) -> String {
    let left = elapsed.as_secs() * total.saturating_sub(done) as u64;
    match left.checked_div(done as u64) {
        Some(seconds) if seconds >= BETWEEN_STEPS.as_secs() => format!(", about {seconds} s left"),
        _ => String::new(),
    }
}

/// Work that is counted in bytes.
pub(super) struct Progress {
    what: String,
    started: Instant,
    display: Option<Display>,
}

enum Display {
    Bar(ProgressBar),
    Lines { told: Instant },
}

impl Progress {
    /// Nothing is shown before the first [`Progress::show`].
    pub(super) fn of(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            started: Instant::now(),
            display: None,
        }
    }

    /// Shows that `done` of `total` bytes are done; `note` is what else is to
    /// be known, or nothing.
    pub(super) fn show(&mut self, done: u64, total: u64, note: &str) {
        let line = || line(&self.what, [done, total], self.started.elapsed(), note);
        match &mut self.display {
            None => {
                let new = display(&self.what, total);
                if let Display::Lines { .. } = new {
                    say(&line());
                }
                self.display = Some(new);
            }
            Some(Display::Bar(bar)) => {
                bar.set_message(note.to_owned());
                bar.set_position(done);
            }
            Some(Display::Lines { told }) => {
                if told.elapsed() >= BETWEEN_LINES {
                    *told = Instant::now();
                    say(&line());
                }
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(Display::Bar(bar)) = &self.display {
            bar.finish_and_clear();
        }
    }
}

fn display(what: &str, total: u64) -> Display {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    let style = ProgressStyle::with_template(
        "{prefix}\n{bar:24} {percent:>3}%  {bytes}/{total_bytes}  {bytes_per_sec}  ETA {eta}  {msg}",
    );
    match style {
        Ok(style) if io::stderr().is_terminal() && !dumb => {
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
            bar.set_style(style.progress_chars("#>-"));
            bar.set_prefix(what.to_owned());
            Display::Bar(bar)
        }
        _ => Display::Lines {
            told: Instant::now(),
        },
    }
}

/// `read test: 512 of 2048 MiB, 100 MiB/s, about 15 s left, 1 bad place(s)`
fn line(what: &str, [done, total]: [u64; 2], elapsed: Duration, note: &str) -> String {
    let (done, total) = (done >> 20, total >> 20);
    let speed = done.checked_div(elapsed.as_secs()).unwrap_or(0);
    let mut text = format!("{what}: {done} of {total} MiB, {speed} MiB/s");
    if let Some(left) = total.saturating_sub(done).checked_div(speed) {
        text.push_str(&format!(", about {left} s left"));
    }
    if !note.is_empty() {
        text.push_str(&format!(", {note}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_tell_what_is_left_of_long_work() {
        let left = |seconds, done| super::left(Duration::from_secs(seconds), done, 1000);
        assert_eq!(left(0, 0), "");
        assert_eq!(left(10, 100), ", about 90 s left");
        assert_eq!(left(100, 999), "");
    }

    #[test]
    fn a_line_tells_speed_time_left_and_the_note() {
        let line = |done: u64, seconds, note| {
            let bytes = [done << 20, 2048 << 20];
            super::line("read test", bytes, Duration::from_secs(seconds), note)
        };
        assert_eq!(
            line(512, 5, "2 bad"),
            "read test: 512 of 2048 MiB, 102 MiB/s, about 15 s left, 2 bad"
        );
        assert_eq!(line(0, 0, ""), "read test: 0 of 2048 MiB, 0 MiB/s");
    }
}
