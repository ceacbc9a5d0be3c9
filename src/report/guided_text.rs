//! The guided session: a first screen that fits one, and one decision at a time.

use super::text;
use super::{Page, Report};
use crate::finding::{Finding, Severity};
use crate::repairs::Repair;

/// Findings that the first screen names.
const NAMED: usize = 8;

/// The verdict and what it rests on, for a console of 24 lines; the rest is
/// shown when it is asked for.
pub fn first_screen(report: &Report) -> String {
    let mut page = Page::default();
    text::verdict(&mut page, report);
    for finding in report.findings.iter().take(NAMED) {
        let title = text::upper_first(&finding.title);
        let severity = finding.severity.word();
        page.item(&format!("  {severity:<12} "), 15, &format!("{title}."));
    }
    let stops = |finding: &&Finding| finding.severity >= Severity::Degraded;
    let more = report.findings.iter().skip(NAMED).filter(stops).count();
    let unknown = report.verdict.unknown.len();
    if more + unknown > 0 {
        let line = format!("Further findings: {more}; not known: {unknown}. [r] shows all.");
        page.item("  ", 2, &line);
    }
    page.finish()
}

/// The question about `repair`, which removes `finding`, as `number` of so many;
/// `before` is how it was answered earlier in the session.
pub fn question_text(
    finding: Option<&Finding>,
    repair: &Repair,
    (number, of): (usize, usize),
    before: Option<&str>,
) -> String {
    let mut page = Page::default();
    page.heading(&format!("DECISION {number} of {of}"));
    if let Some(finding) = finding {
        let title = text::upper_first(&finding.title);
        page.item("  Broken:  ", 11, &format!("{title}."));
    }
    let title = text::upper_first(&repair.title);
    page.item("  Repair:  ", 11, &format!("{title}."));
    text::steps(&mut page, repair);
    let undo = match &repair.work {
        Some(work) => format!("CANNOT be undone: {}", work.why_lasting()),
        None => "lifeboot undo takes it back; nothing has been written so far".to_owned(),
    };
    let line = format!(
        "{}, about {} min; {undo}.",
        repair.risk.word(),
        repair.minutes
    );
    page.item("  Risk:    ", 11, &line);
    if let Some(before) = before {
        page.item("  Before:  ", 11, &format!("you said {before}."));
    }
    page.finish()
}

/// The evidence of a finding, all of it.
pub fn finding_text(finding: &Finding) -> String {
    let mut page = Page::default();
    text::finding(&mut page, finding, usize::MAX);
    page.item("    ", 6, &format!("More: lifeboot explain {}", finding.id));
    page.finish()
}
