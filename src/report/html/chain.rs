//! A picture of the boot chain, with the link at which it breaks.

use super::writer::Writer;
use crate::finding::{Finding, Severity, Stage};
use crate::report::Report;
use crate::report::text::upper_first;

/// The links, in the order in which a machine passes them.
const LINKS: [Stage; 9] = [
    Stage::Firmware,
    Stage::Bootloader,
    Stage::Kernel,
    Stage::Initramfs,
    Stage::Storage,
    Stage::Root,
    Stage::Init,
    Stage::Services,
    Stage::Reach,
];

/// From one link to the next.
const STEP: usize = 54;
/// Where the marks stand.
const LEFT: usize = 22;
/// The first link.
const TOP: usize = 30;
const WIDTH: usize = 430;
/// Letters that fit beside a mark.
const LETTERS: usize = 56;

/// How a link stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Good,
    Later,
    Weak,
    Open,
    Bad,
}

pub(super) fn chain(page: &mut Writer<'_>, report: &Report) {
    page.raw("<section id=\"chain\">\n<h2>Boot chain</h2>\n<svg role=\"img\"");
    page.raw(" aria-label=\"The links of the boot chain\"");
    let height = TOP + (LINKS.len() - 1) * STEP + 30;
    page.raw(" viewBox=\"0 0 430 ");
    page.number(height);
    page.raw("\"");
    page.numbers(&[("width", WIDTH), ("height", height)]);
    page.raw(">\n");
    let broken = report.verdict.first_broken;
    let broken = LINKS.iter().position(|stage| Some(*stage) == broken);
    for index in 1..LINKS.len() {
        joint(page, index, broken);
    }
    for (index, stage) in LINKS.iter().enumerate() {
        let is_reached = broken.is_none_or(|at| index <= at);
        link(page, index, *stage, report, is_reached);
    }
    page.raw("</svg>\n</section>\n");
}

/// What joins a link with the one before it.
fn joint(page: &mut Writer<'_>, index: usize, broken: Option<usize>) {
    let (from, to) = (TOP + (index - 1) * STEP + 11, TOP + index * STEP - 11);
    let line = |page: &mut Writer<'_>, class: &'static str, from: usize, to: usize| {
        page.raw(class);
        page.numbers(&[("x1", LEFT), ("y1", from), ("x2", LEFT), ("y2", to)]);
        page.raw("/>\n");
    };
    match broken {
        Some(at) if at == index => {
            let middle = from.midpoint(to);
            line(page, "<line class=\"joint\"", from, middle - 7);
            line(page, "<line class=\"joint\"", middle + 7, to);
            // Two strokes across the gap.
            for y in [middle - 5, middle + 5] {
                page.raw("<line class=\"cut\"");
                page.numbers(&[
                    ("x1", LEFT - 9),
                    ("y1", y + 3),
                    ("x2", LEFT + 9),
                    ("y2", y - 3),
                ]);
                page.raw("/>\n");
            }
            page.raw("<text class=\"stop\"");
            page.numbers(&[("x", LEFT + 22), ("y", middle + 8)]);
            page.raw(">the chain breaks here</text>\n");
        }
        Some(at) if index > at => line(page, "<line class=\"joint after\"", from, to),
        _ => line(page, "<line class=\"joint\"", from, to),
    }
}

fn link(page: &mut Writer<'_>, index: usize, stage: Stage, report: &Report, is_reached: bool) {
    let (mark, words) = standing(stage, report);
    let y = TOP + index * STEP;
    let mark = match mark {
        // What a machine does not come to is not called good.
        Mark::Good if !is_reached => Mark::Later,
        mark => mark,
    };
    page.raw(match mark {
        Mark::Later => "<g class=\"link open\">",
        Mark::Good => "<g class=\"link good\">",
        Mark::Weak => "<g class=\"link weak\">",
        Mark::Open => "<g class=\"link open\">",
        Mark::Bad => "<g class=\"link bad\">",
    });
    page.element("<title>", &format!("{}: {words}", stage.word()), "</title>");
    shape(page, mark, y);
    page.raw("<text class=\"name\"");
    page.numbers(&[("x", LEFT + 22), ("y", y - 1)]);
    page.element(">", stage.word(), "</text>");
    page.raw("<text class=\"words\"");
    page.numbers(&[("x", LEFT + 22), ("y", y + 14)]);
    page.raw(">");
    let words = match is_reached {
        true => words,
        false => format!("not reached; {words}"),
    };
    page.short(&words, LETTERS);
    page.raw("</text></g>\n");
}

/// Each mark has a shape of its own.
fn shape(page: &mut Writer<'_>, mark: Mark, y: usize) {
    match mark {
        Mark::Good => {
            page.raw("<circle r=\"9\"");
            page.numbers(&[("cx", LEFT), ("cy", y)]);
            page.raw("/><path class=\"sign\" d=\"M18 ");
            page.number(y);
            page.raw(" l3 4 l6 -8\"/>");
        }
        Mark::Later => {
            page.raw("<circle r=\"6\" class=\"hollow\"");
            page.numbers(&[("cx", LEFT), ("cy", y)]);
            page.raw("/>");
        }
        Mark::Open => {
            page.raw("<circle r=\"9\" class=\"hollow\"");
            page.numbers(&[("cx", LEFT), ("cy", y)]);
            page.raw("/>");
            letter(page, "?", y);
        }
        Mark::Weak => {
            page.raw("<path d=\"M22 ");
            page.number(y - 11);
            page.raw(" l11 20 h-22 z\"/>");
            letter(page, "!", y + 2);
        }
        Mark::Bad => {
            page.raw("<rect width=\"20\" height=\"20\"");
            page.numbers(&[("x", LEFT - 10), ("y", y - 10)]);
            page.raw("/><path class=\"sign\" d=\"M17 ");
            page.number(y - 5);
            page.raw(" l10 10 m0 -10 l-10 10\"/>");
        }
    }
}

fn letter(page: &mut Writer<'_>, letter: &'static str, y: usize) {
    page.raw("<text class=\"letter\"");
    page.numbers(&[("x", LEFT), ("y", y + 5)]);
    page.raw(">");
    page.raw(letter);
    page.raw("</text>");
}

/// How a link stands, and why.
fn standing(stage: Stage, report: &Report) -> (Mark, String) {
    let mut own = report.findings.iter().filter(|f| f.stage == stage);
    let worst: Option<&Finding> = own.clone().max_by_key(|f| f.severity);
    let first = worst.and_then(|worst| own.find(|f| f.severity == worst.severity));
    let mut unknown = report.verdict.unknown.iter().filter(|u| u.stage == stage);
    match (first, unknown.next()) {
        (Some(finding), _) if finding.severity == Severity::Blocker => {
            (Mark::Bad, format!("BROKEN: {}", finding.title))
        }
        (Some(finding), _) if finding.severity == Severity::Unreachable => {
            (Mark::Bad, format!("NOBODY GETS IN: {}", finding.title))
        }
        (_, Some(unknown)) => (Mark::Open, format!("not known: {}", unknown.what)),
        (Some(finding), _) if finding.severity == Severity::Degraded => {
            (Mark::Weak, upper_first(&finding.title))
        }
        (Some(finding), _) => (Mark::Good, format!("note: {}", finding.title)),
        (None, None) if !was_seen(stage, report) => (Mark::Open, "not looked at".to_owned()),
        (None, None) => (Mark::Good, "nothing found".to_owned()),
    }
}

/// Without a tree nothing is known of what lies in it, and without disks nothing
/// of what lies on them.
fn was_seen(stage: Stage, report: &Report) -> bool {
    match stage {
        Stage::Firmware | Stage::Bootloader | Stage::Storage => report.facts.has_disks(),
        _ => report.facts.tree.is_some(),
    }
}
