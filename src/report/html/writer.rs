//! HTML being written. Only the program's own words get in as they are:
//! whatever is not a constant is escaped.

use crate::report::{Change, clean};

/// A page of HTML.
pub(super) struct Writer<'a> {
    html: String,
    change: Change<'a>,
}

impl<'a> Writer<'a> {
    pub(super) fn new(change: Change<'a>) -> Self {
        Self {
            html: String::new(),
            change,
        }
    }

    /// Markup of the program's own.
    pub(super) fn raw(&mut self, markup: &'static str) {
        self.html.push_str(markup);
    }

    /// Text, also inside of a quoted attribute.
    pub(super) fn text(&mut self, text: &str) {
        let text = clean(&(self.change)(text));
        escape(&mut self.html, &text);
    }

    /// The same, at most `most` letters of it.
    pub(super) fn short(&mut self, text: &str, most: usize) {
        let text = clean(&(self.change)(text));
        match text.char_indices().nth(most) {
            Some(_) => {
                let kept: String = text.chars().take(most.saturating_sub(3)).collect();
                escape(&mut self.html, &kept);
                self.html.push_str("...");
            }
            None => escape(&mut self.html, &text),
        }
    }

    /// A number, such as a place in a picture.
    pub(super) fn number(&mut self, number: usize) {
        self.html.push_str(&number.to_string());
    }

    /// ` name="number"` for each.
    pub(super) fn numbers(&mut self, attributes: &[(&'static str, usize)]) {
        for (name, number) in attributes {
            self.raw(" ");
            self.raw(name);
            self.raw("=\"");
            self.number(*number);
            self.raw("\"");
        }
    }

    /// `<tag>text</tag>`
    pub(super) fn element(&mut self, open: &'static str, text: &str, close: &'static str) {
        self.raw(open);
        self.text(text);
        self.raw(close);
    }

    pub(super) fn finish(self) -> String {
        self.html
    }
}

fn escape(html: &mut String, text: &str) {
    for letter in text.chars() {
        match letter {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            letter => html.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_text_wherever_it_stands() {
        let same = |text: &str| text.to_owned();
        let mut page = Writer::new(&same);
        page.raw("<p title=\"");
        page.text("\"><script>alert('x')</script>&amp;\x1b[2J\u{202e}");
        page.raw("\">");
        page.short("abcdefghij<", 8);
        page.short("abc", 3);
        assert_eq!(
            page.finish(),
            "<p title=\"&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;amp;?[2J?\">\
             abcde...abc"
        );
    }
}
