//! The parts of the page that are plain lists.

use super::writer::Writer;
use crate::date::date;
use crate::facts::history::timeline::{chosen, summary, when};
use crate::finding::Unknown;
use crate::repairs::{Plan, Repair};
use crate::report::Report;
use crate::report::text::{
    next, repair_line, step_lines, survival_lines, system, upper_first, write_line,
};
use crate::verdict::{Kind, Verdict};

/// Events shown of the history.
const EVENTS: usize = 40;

/// The answer, large.
pub(super) fn verdict(page: &mut Writer<'_>, report: &Report) {
    let verdict = &report.verdict;
    page.raw(match verdict.kind {
        Kind::Boots => "<header id=\"verdict\" class=\"good\">\n",
        Kind::Repairable => "<header id=\"verdict\" class=\"weak\">\n",
        Kind::Undetermined => "<header id=\"verdict\" class=\"open\">\n",
        Kind::Reformat | Kind::HardwareFirst => "<header id=\"verdict\" class=\"bad\">\n",
    });
    let word = verdict.kind.word().to_uppercase();
    page.element("<p class=\"word\">", &word, "</p>\n");
    page.element("<h1>", &upper_first(&verdict.headline), "</h1>\n");
    page.element("<p class=\"next\">", &next(verdict, report), "</p>\n");
    let system = format!("System: {}.", system(&report.facts));
    page.element("<p>", &system, "</p>\n");
    for line in verdict
        .decision_lines()
        .iter()
        .chain(&survival_lines(verdict))
    {
        page.element("<p>", line, "</p>\n");
    }
    page.raw("</header>\n");
}

/// What would be done.
pub(super) fn plan(page: &mut Writer<'_>, plan: &Plan) {
    page.raw("<section id=\"plan\">\n<h2>Plan</h2>\n");
    if plan.repairs.is_empty() {
        page.raw("<p>There is nothing here that Lifeboot would repair.</p>\n");
    } else {
        page.raw("<ol class=\"plan\">\n");
        for repair in &plan.repairs {
            planned(page, repair);
        }
        page.raw("</ol>\n");
    }
    if !plan.refused.is_empty() || !plan.uncovered.is_empty() {
        page.raw("<ul>\n");
        for refused in &plan.refused {
            let line = format!("Not possible here: {}: {}", refused.title, refused.why);
            page.element("<li>", &line, "</li>\n");
        }
        for key in &plan.uncovered {
            let line = format!("No repair here for {} ({})", key.id, key.subject);
            page.element("<li>", &line, "</li>\n");
        }
        page.raw("</ul>\n");
    }
    page.raw("</section>\n");
}

fn planned(page: &mut Writer<'_>, repair: &Repair) {
    let title = format!("{}.", upper_first(&repair.title));
    page.element("<li><p><strong>", &title, "</strong></p>\n");
    page.element("<p class=\"quiet\">", &repair_line(repair), "</p>\n");
    page.raw("<ul class=\"steps\">\n");
    for step in step_lines(repair) {
        page.element("<li><code>", &step, "</code></li>\n");
    }
    page.raw("</ul>\n");
    if !repair.expected.is_empty() {
        let ids: Vec<_> = repair.expected.iter().map(|key| key.id.as_str()).collect();
        let line = format!("Should vanish with it: {}", ids.join(", "));
        page.element("<p class=\"quiet\">", &line, "</p>\n");
    }
    page.raw("</li>\n");
}

/// What could not be examined.
pub(super) fn unknown(page: &mut Writer<'_>, verdict: &Verdict) {
    page.raw("<section id=\"unknown\">\n<h2>Not known</h2>\n<ul>\n");
    for Unknown { stage, what, why } in &verdict.unknown {
        page.element("<li><strong>", stage.word(), "</strong>: ");
        page.element("", &format!("{what}: {why}"), "</li>\n");
    }
    for not in verdict.not_examined {
        page.element(
            "<li class=\"quiet\">Not examined by this version: ",
            not,
            "</li>\n",
        );
    }
    page.raw("</ul>\n");
    let lines = verdict.confidence.lines();
    if !lines.is_empty() {
        page.raw("<h3>How sure this is</h3>\n<ul>\n");
        for line in lines {
            page.element("<li>", &line, "</li>\n");
        }
        page.raw("</ul>\n");
    }
    page.raw("</section>\n");
}

/// What happened before.
pub(super) fn timeline(page: &mut Writer<'_>, report: &Report) {
    let Some(tree) = &report.facts.tree else {
        return;
    };
    let (told, events) = (summary(&tree.history), chosen(&tree.history, EVENTS));
    page.raw("<section id=\"timeline\">\n<h2>Timeline (UTC)</h2>\n");
    if events.is_empty() && told.is_empty() {
        page.raw("<p>Its logs tell nothing.</p>\n");
    }
    for line in told {
        page.element("<p>", &line, "</p>\n");
    }
    if !events.is_empty() {
        page.raw("<ol class=\"time\">\n");
        for event in &events {
            page.element("<li><time>", &when(event.time), "</time> <span>");
            page.element("", &event.text, "</span></li>\n");
        }
        page.raw("</ol>\n");
    }
    let more = tree.history.events.len().saturating_sub(events.len());
    if more > 0 {
        let line = format!("{more} more events: lifeboot history --all");
        page.element("<p class=\"quiet\">", &line, "</p>\n");
    }
    page.raw("</section>\n");
}

/// The repairs that stand.
pub(super) fn log(page: &mut Writer<'_>, report: &Report) {
    let earlier = report.facts.tree.as_ref().map(|tree| &tree.earlier);
    let Some(earlier) = earlier.filter(|e| !e.repairs.is_empty() || e.unreadable.is_some()) else {
        return;
    };
    page.raw("<section id=\"log\">\n<h2>Repairs that were made</h2>\n<ul>\n");
    for repair in &earlier.repairs {
        page.element("<li><code>", &repair.id, "</code> ");
        let ended = match (&repair.damaged, repair.interrupted) {
            (Some(why), _) => format!("; its journal is damaged: {why}"),
            (None, true) => "; it did not come to its end".to_owned(),
            (None, false) => String::new(),
        };
        let (done, all) = (repair.done, repair.changes);
        let line = format!("{} ({done} of {all} changes stand){ended}", repair.what);
        page.element("", &line, "</li>\n");
    }
    if let Some(why) = &earlier.unreadable {
        page.element("<li>Its journal cannot be read: ", why, "</li>\n");
    }
    page.raw("</ul>\n</section>\n");
}

/// What the kernel counted as written while it was looked at.
pub(super) fn counters(page: &mut Writer<'_>, report: &Report) {
    if report.writes.is_empty() {
        return;
    }
    page.raw("<section id=\"counters\">\n<h2>Written meanwhile, by the kernel's counters</h2>\n");
    page.raw("<ul>\n");
    for proof in &report.writes {
        page.element("<li>", &write_line(proof), "</li>\n");
    }
    page.raw("</ul>\n</section>\n");
}

/// What made the page, and when.
pub(super) fn foot(page: &mut Writer<'_>, report: &Report, now: u64) {
    let line = format!(
        "lifeboot {}, {} UTC, {}",
        report.lifeboot,
        date(now),
        report.schema
    );
    page.element("<footer><p>", &line, "</p></footer>\n");
}
