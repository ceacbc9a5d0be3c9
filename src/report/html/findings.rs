//! What was found, with its evidence and its page.

use super::explain;
use super::writer::Writer;
use crate::checks::by_id;
use crate::finding::{Evidence, Finding, Severity};
use crate::report::Report;
use crate::report::text::upper_first;

/// Lines of evidence shown of each finding.
const EVIDENCE: usize = 50;

pub(super) fn findings(page: &mut Writer<'_>, report: &Report) {
    page.raw("<section id=\"findings\">\n<h2>Findings</h2>\n");
    if report.findings.is_empty() {
        page.raw("<p>Nothing was found.</p>\n");
    }
    let mut explained: Vec<&str> = Vec::new();
    for finding in &report.findings {
        // One page for all findings of an id.
        let is_first = !explained.contains(&finding.id.as_str());
        one(page, finding, report, is_first);
        explained.push(&finding.id);
    }
    page.raw("</section>\n");
}

fn one(page: &mut Writer<'_>, finding: &Finding, report: &Report, is_first: bool) {
    // Shape and word tell the same as the colour.
    page.raw(match finding.severity {
        Severity::Blocker => "<article class=\"bad\">\n<p class=\"kind\">&#10005; ",
        Severity::Unreachable => "<article class=\"bad\">\n<p class=\"kind\">&#9676; ",
        Severity::Degraded => "<article class=\"weak\">\n<p class=\"kind\">&#9651; ",
        Severity::Note => "<article class=\"open\">\n<p class=\"kind\">&#8226; ",
    });
    page.text(finding.severity.word());
    page.element(" <code>", &finding.id, "</code></p>\n");
    let title = format!("{}.", upper_first(&finding.title));
    page.element("<h3>", &title, "</h3>\n");
    if !finding.evidence.is_empty() {
        page.raw("<ul class=\"evidence\">\n");
        for each in finding.evidence.iter().take(EVIDENCE) {
            evidence(page, each);
        }
        if let Some(more) = finding
            .evidence
            .len()
            .checked_sub(EVIDENCE)
            .filter(|n| *n > 0)
        {
            let line = format!("... and {more} more (--json shows all)");
            page.element("<li class=\"quiet\">", &line, "</li>\n");
        }
        page.raw("</ul>\n");
    }
    if let Some(cause) = &finding.cause {
        page.element("<p><strong>Cause:</strong> ", cause, "</p>\n");
    }
    if let Some(advice) = &finding.by_hand {
        page.element("<p><strong>By hand:</strong> ", advice, "</p>\n");
    }
    for repair in &report.plan.repairs {
        if repair.removes.id == finding.id && repair.removes.subject == finding.subject {
            let line = format!("{}.", upper_first(&repair.title));
            page.element("<p><strong>Repair:</strong> ", &line, "</p>\n");
        }
    }
    if let Some(check) = by_id(&finding.id).filter(|_| is_first) {
        page.element("<details><summary>About ", check.id, "</summary>\n");
        explain::page(page, check.page);
        page.raw("</details>\n");
    }
    page.raw("</article>\n");
}

fn evidence(page: &mut Writer<'_>, evidence: &Evidence) {
    page.element("<li><code>", &evidence.source, "</code> ");
    page.element("<span>", &evidence.seen, "</span>");
    if let Some(expected) = &evidence.expected {
        page.element(" <em>expected: ", expected, "</em>");
    }
    page.raw("</li>\n");
}
