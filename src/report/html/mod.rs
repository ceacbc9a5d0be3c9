//! The report as one page for a browser: nothing is loaded, no script runs,
//! and it tells the same on paper, without colour and on a narrow screen.

use super::{Change, Report};

mod chain;
mod explain;
mod findings;
mod sections;
mod storage;
mod writer;

use writer::Writer;

/// Colours and shapes of the page.
const STYLE: &str = include_str!("style.css");

/// The whole page, made at `now`; `change` is done to every text first.
pub fn html(report: &Report, now: u64, change: Change<'_>) -> String {
    let mut page = Writer::new(change);
    page.raw(concat!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
        // A name that got past the writer could still load and run nothing.
        "<meta http-equiv=\"Content-Security-Policy\" ",
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n",
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
        "<meta name=\"color-scheme\" content=\"light dark\">\n<title>"
    ));
    let word = report.verdict.kind.word().to_uppercase();
    page.text(&format!("{word}: {}", report.verdict.headline));
    page.raw("</title>\n<style>\n");
    page.raw(STYLE);
    page.raw("</style>\n</head>\n<body>\n<main>\n");
    sections::verdict(&mut page, report);
    page.raw("<div class=\"pictures\">\n");
    chain::chain(&mut page, report);
    storage::storage(&mut page, &report.facts);
    page.raw("</div>\n");
    findings::findings(&mut page, report);
    sections::plan(&mut page, &report.plan);
    sections::unknown(&mut page, &report.verdict);
    sections::timeline(&mut page, report);
    sections::log(&mut page, report);
    sections::counters(&mut page, report);
    sections::foot(&mut page, report, now);
    page.raw("</main>\n</body>\n</html>\n");
    page.finish()
}
