//! Lines of 80 columns, safe for a serial console.

use std::rc::Rc;

use textwrap::{Options, WordSplitter, WrapAlgorithm};

use super::Redaction;

/// Columns of a serial console.
const COLUMNS: usize = 80;

/// Text from the patient with everything taken out that a terminal obeys.
pub fn clean(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            // Marks that turn the direction of writing hide what follows.
            '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => '?',
            c if c.is_control() => '?',
            c => c,
        })
        .collect()
}

/// True for plain text that needs no wrapping: most lines, and there may be tens
/// of thousands of them.
fn fits(first: &str, text: &str) -> bool {
    let is_plain = |text: &str| text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let begins = text.bytes().next().is_some_and(|byte| byte != b' ');
    begins && first.len() + text.len() <= COLUMNS && is_plain(first) && is_plain(text)
}

/// A page of text being written.
#[derive(Debug, Default)]
pub struct Page {
    text: String,
    hidden: Option<Rc<Redaction>>,
}

impl Page {
    /// A page without what tells whose machine it is.
    pub fn hiding(hidden: Rc<Redaction>) -> Self {
        Self {
            hidden: Some(hidden),
            ..Self::default()
        }
    }

    /// Adds a paragraph, its first line after `first`, the others indented by
    /// `rest` columns.
    pub fn item(&mut self, first: &str, rest: usize, text: &str) {
        self.wrapped(first, &" ".repeat(rest), text);
    }

    fn wrapped(&mut self, first: &str, rest: &str, text: &str) {
        // Before it is wrapped: what is hidden must not be torn apart.
        let hidden = self.hidden.as_ref().map(|hidden| hidden.apply(text));
        let text = hidden.as_deref().unwrap_or(text);
        if fits(first, text) {
            self.text.push_str(first);
            self.text.push_str(text.trim_end());
            self.text.push('\n');
            return;
        }
        let options = Options::new(COLUMNS)
            .initial_indent(first)
            .subsequent_indent(rest)
            .word_splitter(WordSplitter::NoHyphenation)
            .wrap_algorithm(WrapAlgorithm::FirstFit);
        for line in textwrap::wrap(&clean(text), options) {
            self.text.push_str(line.trim_end());
            self.text.push('\n');
        }
    }

    /// Adds a line as it is.
    pub fn line(&mut self, text: &str) {
        self.item("", 2, text);
    }

    /// Adds what hangs below the line before it, as branches of a tree.
    pub fn branches(&mut self, texts: &[String]) {
        let Some((last, others)) = texts.split_last() else {
            return;
        };
        for text in others {
            self.wrapped("|- ", "|    ", text);
        }
        self.wrapped("`- ", "     ", last);
    }

    /// Adds a node of a tree: its first line after `first`, the others after
    /// `rest`.
    pub fn node(&mut self, first: &str, rest: &str, text: &str) {
        self.wrapped(first, &format!("{rest}  "), text);
    }

    /// Adds a heading after an empty line.
    pub fn heading(&mut self, text: &str) {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.line(text);
    }

    /// The page.
    pub fn finish(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_a_console_and_none_is_lost() {
        let mut page = Page::default();
        let long = "word ".repeat(100) + &"x".repeat(200);
        page.item("  - ", 4, &long);
        let text = page.finish();
        assert!(text.lines().all(|line| line.len() <= COLUMNS));
        assert_eq!(text.matches("word").count(), 100);
        assert_eq!(text.matches('x').count(), 200);
    }

    #[test]
    fn a_short_line_is_what_wrapping_makes_of_it() {
        for text in ["a  b ", "x", "`- one -> two", "word-with-hyphens 80"] {
            let options = Options::new(COLUMNS).initial_indent("|- ");
            let wrapped = textwrap::wrap(text, options).join("");
            let mut page = Page::default();
            page.item("|- ", 2, text);
            assert_eq!(page.finish(), format!("{}\n", wrapped.trim_end()));
        }
    }

    #[test]
    fn branches_end_where_the_last_one_hangs() {
        let mut page = Page::default();
        page.line("disk");
        page.branches(&["one ".repeat(30), "two".into()]);
        page.branches(&[]);
        let text = page.finish();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].starts_with("|- one") && lines[2].starts_with("|    one"));
        assert_eq!(lines[3..], ["`- two"]);
    }

    #[test]
    fn escape_sequences_of_the_patient_are_harmless() {
        assert_eq!(clean("a\x1b[2Jb\r\n"), "a?[2Jb??");
    }
}
