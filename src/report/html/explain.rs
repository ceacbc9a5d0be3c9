//! The page of a finding: the little of Markdown that these pages use.

use super::writer::Writer;

/// The page without its title.
pub(super) fn page(page: &mut Writer<'_>, markdown: &str) {
    let blocks = markdown.split("\n\n");
    let mut open_list = false;
    for block in blocks.map(|block| block.trim_end_matches('\n')) {
        let mut rest = block;
        while let Some((head, after)) = heading(rest) {
            close(page, &mut open_list);
            page.element("<h4>", head, "</h4>\n");
            rest = after;
        }
        if rest.trim().is_empty() || rest.starts_with("# ") {
            continue;
        }
        if rest.lines().all(|line| line.starts_with("    ")) {
            close(page, &mut open_list);
            page.raw("<pre>");
            for line in rest.lines() {
                page.element("", line.get(4..).unwrap_or_default(), "\n");
            }
            page.raw("</pre>\n");
        } else {
            lines(page, rest, &mut open_list);
        }
    }
    close(page, &mut open_list);
}

fn close(page: &mut Writer<'_>, open_list: &mut bool) {
    if std::mem::take(open_list) {
        page.raw("</ul>\n");
    }
}

/// A heading at the start, and what follows it.
fn heading(block: &str) -> Option<(&str, &str)> {
    let rest = block.strip_prefix("## ")?;
    Some(rest.split_once('\n').unwrap_or((rest, "")))
}

/// A paragraph, and items of a list in it.
fn lines(page: &mut Writer<'_>, block: &str, open_list: &mut bool) {
    let mut parts: Vec<(bool, String)> = Vec::new();
    for line in block.lines() {
        match (line.strip_prefix("- "), parts.last_mut()) {
            (Some(item), _) => parts.push((true, item.to_owned())),
            (None, Some((_, text))) => {
                text.push(' ');
                text.push_str(line.trim_start());
            }
            (None, None) => parts.push((false, line.to_owned())),
        }
    }
    for (is_item, text) in parts {
        if is_item && !*open_list {
            page.raw("<ul>\n");
            *open_list = true;
        } else if !is_item {
            close(page, open_list);
        }
        page.raw(if is_item { "<li>" } else { "<p>" });
        spans(page, &text);
        page.raw(if is_item { "</li>\n" } else { "</p>\n" });
    }
}

/// Text with code between backticks.
fn spans(page: &mut Writer<'_>, text: &str) {
    for (index, part) in text.split('`').enumerate() {
        if index % 2 == 1 {
            page.element("<code>", part, "</code>");
        } else {
            page.text(part);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::checks::CHECKS;

    #[test]
    fn every_page_is_told_whole() {
        let same = |text: &str| text.to_owned();
        for check in CHECKS {
            let mut writer = Writer::new(&same);
            page(&mut writer, check.page);
            let html = writer.finish();
            assert_eq!(html.matches("<h4>").count(), 6, "{}", check.id);
            for tag in ["p", "ul", "li", "code", "pre", "h4"] {
                let open = html.matches(&format!("<{tag}>")).count();
                assert_eq!(
                    open,
                    html.matches(&format!("</{tag}>")).count(),
                    "{}",
                    check.id
                );
            }
            let words = |text: &str| -> Vec<String> {
                let letters = text.chars().filter(|c| c.is_alphanumeric());
                vec![letters.collect()]
            };
            let mut plain = html.clone();
            for tag in ["p", "ul", "li", "code", "pre", "h4"] {
                plain = plain
                    .replace(&format!("<{tag}>"), " ")
                    .replace(&format!("</{tag}>"), " ");
            }
            for (entity, letter) in [
                ("&lt;", "<"),
                ("&gt;", ">"),
                ("&quot;", "\""),
                ("&#39;", "'"),
            ] {
                plain = plain.replace(entity, letter);
            }
            let plain = plain.replace("&amp;", "&");
            let (_, own) = check.page.split_once('\n').unwrap();
            assert_eq!(words(&plain), words(own), "{}", check.id);
        }
    }
}
