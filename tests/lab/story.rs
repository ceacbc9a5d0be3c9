//! What happened to one server of the demo, told in one piece at the end.

use super::progress;

/// The lines of one server's story, and its summary.
#[derive(Debug)]
pub struct Story {
    name: &'static str,
    heading: String,
    lines: Vec<String>,
    summary: String,
}

impl Story {
    /// An empty story; `name` stands before its progress lines.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            heading: String::new(),
            lines: Vec::new(),
            summary: String::new(),
        }
    }

    /// What the story is about.
    pub fn heading(&mut self, text: &str) {
        self.heading = text.to_owned();
    }

    /// Does a long step of the story with a progress line.
    pub fn step<T>(&self, what: &str, work: impl FnOnce() -> T) -> T {
        progress::step(&format!("{}: {what}", self.name), work)
    }

    /// Adds the lab's own words.
    pub fn says(&mut self, text: &str) {
        self.lines.extend(text.lines().map(str::to_owned));
    }

    /// Adds what the patient's screen showed.
    pub fn quotes(&mut self, text: &str) {
        let lines = text.trim().lines();
        self.lines
            .extend(lines.map(|line| format!("  | {}", line.trim_end())));
    }

    /// What the end of the demo says about it.
    pub fn sums_up(&mut self, text: &str) {
        self.summary = text.to_owned();
    }

    /// The whole story.
    pub fn text(&self) -> String {
        format!("\n== {} ==\n{}", self.heading, self.lines.join("\n"))
    }

    /// The summary under the heading.
    pub fn summary(&self) -> String {
        let mut text = format!("{}\n", self.heading);
        for line in self.summary.lines() {
            text.push_str(&format!("    {line}\n"));
        }
        text
    }
}
