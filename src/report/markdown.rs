//! The report for a ticket, as Markdown (CommonMark, no extension needed).
//!
//! Names and contents of files come from the patient: nothing of them may
//! become markup, HTML or a link. It stays readable where nobody renders it.

use super::text::{next, repair_line, step_lines, survival_lines, system, upper_first, write_line};
use super::{Change, Report, clean};
use crate::facts::history::timeline::{chosen, summary, when};
use crate::finding::{Evidence, Finding};
use crate::repairs::Plan;

/// Events shown of the history.
const EVENTS: usize = 15;

/// Lines of evidence shown of each finding.
const EVIDENCE: usize = 20;

/// The whole report, made at `now`; `change` is done to every text first.
pub fn markdown(report: &Report, now: u64, change: Change<'_>) -> String {
    let mut page = Markdown {
        text: String::new(),
        change,
    };
    verdict(&mut page, report);
    if !report.findings.is_empty() {
        page.heading("Findings");
        for each in &report.findings {
            finding(&mut page, each);
        }
    }
    plan(&mut page, &report.plan);
    unknown(&mut page, report);
    history(&mut page, report);
    counters(&mut page, report);
    let made = format!(
        "lifeboot {}, {} UTC, {}",
        report.lifeboot,
        crate::date::date(now),
        report.schema
    );
    page.heading("Report");
    page.item(0, &page.escaped(&made));
    page.text
}

/// Markdown being written.
struct Markdown<'a> {
    text: String,
    change: Change<'a>,
}

impl Markdown<'_> {
    fn heading(&mut self, text: &'static str) {
        self.text.push_str("\n## ");
        self.text.push_str(text);
        self.text.push_str("\n\n");
    }

    /// An item of a list; what is in it is Markdown already.
    fn item(&mut self, depth: usize, markdown: &str) {
        self.text.push_str(&"  ".repeat(depth));
        self.text.push_str("- ");
        self.text.push_str(markdown);
        self.text.push('\n');
    }

    /// Text of the patient as plain text.
    fn escaped(&self, text: &str) -> String {
        escape(&clean(&(self.change)(text)))
    }

    /// Text of the patient as code.
    fn code(&self, text: &str) -> String {
        code(&clean(&(self.change)(text)))
    }
}

/// Plain text in which nothing is markup.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    let letters: Vec<char> = text.trim().chars().collect();
    let wordy = |at: Option<usize>| {
        at.and_then(|at| letters.get(at))
            .is_some_and(|c| c.is_alphanumeric())
    };
    for (at, &letter) in letters.iter().enumerate() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            // Forges call people by it.
            '@' => escaped.push_str("&#64;"),
            // Inside of a word it is no markup, and reads better as it is.
            '_' if wordy(at.checked_sub(1)) && wordy(at.checked_add(1)) => escaped.push('_'),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' => {
                escaped.push('\\');
                escaped.push(letter);
            }
            // What begins a line may make it a heading, a list or a rule.
            '#' | '+' | '-' | '=' | ':' if at == 0 => {
                escaped.push('\\');
                escaped.push(letter);
            }
            '.' | ')' if at > 0 && letters[..at].iter().all(char::is_ascii_digit) => {
                escaped.push('\\');
                escaped.push(letter);
            }
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// A span of code, fenced by more backticks than are in it.
fn code(text: &str) -> String {
    let runs = text.split(|c| c != '`').map(str::len);
    let fence = "`".repeat(runs.max().unwrap_or_default() + 1);
    match text {
        "" => "(empty)".to_owned(),
        // One space on each side is taken off again.
        text if text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) => {
            format!("{fence} {text} {fence}")
        }
        text => format!("{fence}{text}{fence}"),
    }
}

fn verdict(page: &mut Markdown<'_>, report: &Report) {
    let verdict = &report.verdict;
    let headline = page.escaped(&verdict.headline);
    let word = verdict.kind.word().to_uppercase();
    page.text.push_str(&format!("# {word}: {headline}\n\n"));
    let lines = [
        next(verdict, report),
        format!("System: {}.", system(&report.facts)),
    ];
    let decision = verdict.decision_lines();
    for line in lines
        .iter()
        .chain(&decision)
        .chain(&survival_lines(verdict))
    {
        let line = page.escaped(line);
        page.item(0, &line);
    }
    if let Some(stage) = verdict.first_broken {
        let line = format!("First broken link of the boot chain: {}.", stage.word());
        page.item(0, &line);
    }
}

fn finding(page: &mut Markdown<'_>, finding: &Finding) {
    let id = page.code(&finding.id);
    let title = page.escaped(&upper_first(&finding.title));
    page.item(
        0,
        &format!("**{}** {id}: {title}.", finding.severity.word()),
    );
    for each in finding.evidence.iter().take(EVIDENCE) {
        let line = evidence(page, each);
        page.item(1, &line);
    }
    if let Some(more) = finding
        .evidence
        .len()
        .checked_sub(EVIDENCE)
        .filter(|n| *n > 0)
    {
        page.item(1, &format!("... and {more} more (--json shows all)"));
    }
    if let Some(cause) = &finding.cause {
        let line = format!("Cause: {}", page.escaped(cause));
        page.item(1, &line);
    }
    if let Some(advice) = &finding.by_hand {
        let line = format!("By hand: {}", page.code(advice));
        page.item(1, &line);
    }
}

fn evidence(page: &Markdown<'_>, evidence: &Evidence) -> String {
    let (source, seen) = (page.code(&evidence.source), page.escaped(&evidence.seen));
    match &evidence.expected {
        Some(expected) => format!("{source}: {seen} (expected {})", page.escaped(expected)),
        None => format!("{source}: {seen}"),
    }
}

fn plan(page: &mut Markdown<'_>, plan: &Plan) {
    if plan.repairs.is_empty() && plan.refused.is_empty() && plan.uncovered.is_empty() {
        return;
    }
    page.heading("Plan");
    for (index, repair) in plan.repairs.iter().enumerate() {
        let title = page.escaped(&upper_first(&repair.title));
        let line = page.escaped(&repair_line(repair));
        page.item(0, &format!("Repair {}: {title} ({line})", index + 1));
        for step in step_lines(repair) {
            let step = page.code(&step);
            page.item(1, &step);
        }
    }
    for refused in &plan.refused {
        let line = page.escaped(&format!("{}: {}", refused.title, refused.why));
        page.item(0, &format!("Not possible here: {line}"));
    }
    for key in &plan.uncovered {
        let (id, subject) = (page.code(&key.id), page.escaped(&key.subject));
        page.item(0, &format!("No repair here for {id} ({subject})"));
    }
}

fn unknown(page: &mut Markdown<'_>, report: &Report) {
    page.heading("Not known");
    for unknown in &report.verdict.unknown {
        let line = page.escaped(&format!("{}: {}", unknown.what, unknown.why));
        page.item(0, &format!("**{}**: {line}", unknown.stage.word()));
    }
    for not in report.verdict.not_examined {
        let line = page.escaped(not);
        page.item(0, &format!("Not examined by this version: {line}"));
    }
    let lines = report.verdict.confidence.lines();
    if !lines.is_empty() {
        page.heading("How sure this is");
    }
    for line in lines {
        let line = page.escaped(&line);
        page.item(0, &line);
    }
}

fn history(page: &mut Markdown<'_>, report: &Report) {
    let Some(tree) = &report.facts.tree else {
        return;
    };
    let (told, events) = (summary(&tree.history), chosen(&tree.history, EVENTS));
    if !told.is_empty() || !events.is_empty() {
        page.heading("Timeline (UTC)");
        for line in told {
            let line = page.escaped(&line);
            page.item(0, &line);
        }
        for event in events {
            let line = page.escaped(&event.text);
            page.item(0, &format!("{} {line}", when(event.time)));
        }
    }
    if !tree.earlier.repairs.is_empty() {
        page.heading("Earlier repairs");
        for repair in &tree.earlier.repairs {
            let line = page.escaped(&repair.what);
            let id = page.code(&repair.id);
            page.item(0, &format!("{id} {line}"));
        }
    }
}

fn counters(page: &mut Markdown<'_>, report: &Report) {
    if report.writes.is_empty() {
        return;
    }
    page.heading("Written meanwhile (the kernel's counters)");
    for proof in &report.writes {
        let line = page.escaped(&write_line(proof));
        page.item(0, &line);
    }
}

#[cfg(test)]
#[path = "markdown_tests.rs"]
#[allow(clippy::unwrap_used)]
mod tests;
