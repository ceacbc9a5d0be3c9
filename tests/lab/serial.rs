//! What a virtual machine says on its serial console, as it says it.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::ChildStdout;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Instant;

use anyhow::{Context, Result};

/// The console of a running machine; everything also goes to a log file.
#[derive(Debug)]
pub struct Serial {
    incoming: Receiver<Vec<u8>>,
    text: String,
}

/// Why waiting ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard<T> {
    /// The text matched.
    Match(T),
    /// The machine closed its console: it is off.
    Closed,
    /// The deadline passed.
    Late,
}

impl Serial {
    /// Reads `console` in a thread, writing it to `log` without delay.
    pub fn new(mut console: ChildStdout, log: &Path) -> Result<Self> {
        let mut file = File::create(log).with_context(|| format!("creating {}", log.display()))?;
        let (sender, incoming) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count) = console.read(&mut buffer) {
                let bytes = &buffer[..count];
                if bytes.is_empty() || file.write_all(bytes).is_err() {
                    break;
                }
                if sender.send(bytes.to_vec()).is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            incoming,
            text: String::new(),
        })
    }

    /// Waits until `find` sees what it looks for in all the text so far.
    pub fn wait<T>(&mut self, deadline: Instant, find: impl Fn(&str) -> Option<T>) -> Heard<T> {
        loop {
            if let Some(found) = find(&self.text) {
                return Heard::Match(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.incoming.recv_timeout(left) {
                Ok(bytes) => self.text.push_str(&String::from_utf8_lossy(&bytes)),
                Err(RecvTimeoutError::Timeout) => return Heard::Late,
                Err(RecvTimeoutError::Disconnected) => return Heard::Closed,
            }
        }
    }

    /// All that was said so far.
    pub fn text(&self) -> &str {
        &self.text
    }
}
