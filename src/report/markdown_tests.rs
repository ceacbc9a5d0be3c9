//! Read back by a parser of Markdown, hostile text is text.

use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag};

use super::*;

/// The text that a reader sees; none when something is not plain text or code.
fn seen(markdown: &str) -> Option<String> {
    let mut text = String::new();
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    for event in Parser::new_ext(markdown, options) {
        match event {
            Event::Text(part) | Event::Code(part) => text.push_str(&part),
            Event::Start(Tag::List(_) | Tag::Item | Tag::Paragraph) | Event::End(_) => {}
            _ => return None,
        }
    }
    Some(text)
}

const HOSTILE: [&str; 14] = [
    "a`b``c",
    "`",
    "x | y | z",
    "<script>alert(1)</script>",
    "<b>&amp;",
    "[a](http://b)",
    "![a](b)",
    "# heading",
    "- item",
    "1. item",
    "***",
    "__init__",
    "~~gone~~ \\* C:\\x",
    "--- a\nb",
];

#[test]
fn hostile_text_stays_text() {
    for text in HOSTILE {
        let expected = clean(text);
        assert_eq!(
            seen(&format!("- {}\n", escape(&expected))).as_deref(),
            Some(&*expected)
        );
        assert_eq!(
            seen(&format!("- {}: x\n", code(&expected))).as_deref(),
            Some(&*format!("{expected}: x"))
        );
    }
    assert_eq!(escape("/etc/mdadm_conf is 5.10"), "/etc/mdadm_conf is 5.10");
}

proptest! {
    #[test]
    fn any_text_stays_text(text in "[ -~]{0,40}") {
        let text = clean(text.trim());
        if !text.is_empty() {
            let shown = seen(&format!("- {}\n", escape(&text)));
            prop_assert_eq!(shown.as_deref(), Some(&*text));
            let shown = seen(&format!("- {}: x\n", code(&text)));
            prop_assert_eq!(shown, Some(format!("{text}: x")));
        }
    }
}
