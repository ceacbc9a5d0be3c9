//! The report for people: the answer in the first five lines.

use std::rc::Rc;

use super::{Page, Redaction, Report};
use crate::facts::Facts;
use crate::facts::history::timeline;
use crate::finding::{Evidence, Finding};
use crate::repairs::{Download, Plan, Repair};
use crate::survey::WriteProof;
use crate::sysroot::{Origin, Search};
use crate::verdict::{Confidence, Kind, Survival, Verdict};

/// Evidence lines shown of each finding.
const EVIDENCE: usize = 8;

/// The whole report.
pub fn text(report: &Report) -> String {
    told(report, Page::default())
}

/// The same without what tells whose machine it is.
pub fn redacted_text(report: &Report, hidden: Rc<Redaction>) -> String {
    told(report, Page::hiding(hidden))
}

fn told(report: &Report, mut page: Page) -> String {
    verdict(&mut page, report);
    if !report.findings.is_empty() {
        page.heading("FINDINGS");
        for found in &report.findings {
            finding(&mut page, found, EVIDENCE);
        }
    }
    if !report.plan.repairs.is_empty() || !report.plan.refused.is_empty() {
        page.heading("PLAN");
        plan(&mut page, &report.plan);
    }
    if !report.verdict.unknown.is_empty() {
        page.heading("NOT KNOWN");
        for unknown in &report.verdict.unknown {
            let line = format!("{}: {}", unknown.what, unknown.why);
            page.item(&format!("  {:<10}  ", unknown.stage.word()), 14, &line);
        }
    }
    confidence(&mut page, &report.verdict.confidence);
    history(&mut page, report);
    earlier(&mut page, report);
    writes(&mut page, &report.writes);
    page.finish()
}

pub(super) fn verdict(page: &mut Page, report: &Report) {
    let verdict = &report.verdict;
    let word = verdict.kind.word().to_uppercase();
    page.line(&format!("{word}: {}", verdict.headline));
    page.item("  ", 2, &next(verdict, report));
    for line in verdict.decision_lines() {
        page.item("  ", 2, &line);
    }
    page.item("  ", 2, &format!("System: {}.", system(&report.facts)));
    if verdict.kind == Kind::Boots {
        let not = verdict.not_examined.join("; ");
        page.item("  ", 2, &format!("Not examined by this version: {not}."));
    }
    survival(page, verdict);
}

fn survival(page: &mut Page, verdict: &Verdict) {
    for line in survival_lines(verdict) {
        page.item("  ", 2, &line);
    }
}

/// With each disk alone; one line where the answer is the same for all.
pub(super) fn survival_lines(verdict: &Verdict) -> Vec<String> {
    let Some(first) = verdict.survival.first() else {
        return Vec::new();
    };
    let line = |disk: &str, s: &Survival| {
        let answer = match s.boots {
            Some(true) => "boots",
            Some(false) => "does not boot",
            None => "not known",
        };
        format!("With {disk} alone: {answer} ({}).", s.why)
    };
    let same = |s: &Survival| (s.boots, &s.why) == (first.boots, &first.why);
    if verdict.survival.iter().all(same) {
        return vec![line("either disk", first)];
    }
    let all = verdict.survival.iter();
    all.map(|each| line(&each.disk, each)).collect()
}

/// The next command to type.
pub(super) fn next(verdict: &Verdict, report: &Report) -> String {
    let repairs = report.plan.clone().revocable().repairs.len();
    let plan = match (verdict.minutes, verdict.risk) {
        (Some(minutes), Some(risk)) => format!(
            "{repairs} repair{}, about {minutes} min, {}, can be undone. ",
            if repairs == 1 { "" } else { "s" },
            risk.word()
        ),
        _ => String::new(),
    };
    match verdict.kind {
        Kind::Boots => "Next: reboot.".into(),
        Kind::HardwareFirst => "Next: copy the data away (ddrescue), repair nothing.".into(),
        Kind::Reformat => format!(
            "Next: lifeboot salvage DIR{} saves what is left; then reinstall",
            report.target
        ),
        _ if repairs > 0 => format!("{plan}Next: lifeboot repair{}", report.target),
        _ => match report.findings.first() {
            Some(first) => format!("Next: lifeboot explain {}", first.id),
            None => "Next: see NOT KNOWN below.".into(),
        },
    }
}

pub(super) fn system(facts: &Facts) -> String {
    let Search::Found(info) = &facts.search else {
        return "none chosen".into();
    };
    let name = facts
        .tree
        .as_ref()
        .and_then(|tree| tree.os.name.clone())
        .unwrap_or_else(|| "no name".into());
    let host = facts
        .tree
        .as_ref()
        .and_then(|tree| tree.os.hostname.clone());
    let on = match info.origin {
        Origin::Disks => info
            .parts
            .first()
            .map(|part| format!("{} ({})", part.device, part.fstype))
            .unwrap_or_default(),
        _ => info.path.display().to_string(),
    };
    match host {
        Some(host) if !host.is_empty() => format!("{name}, host {host}, on {on}"),
        _ => format!("{name}, on {on}"),
    }
}

pub(super) fn finding(page: &mut Page, finding: &Finding, shown: usize) {
    page.item(
        "",
        2,
        &format!("{}  {}", finding.severity.word(), finding.id),
    );
    page.item("  ", 2, &format!("{}.", upper_first(&finding.title)));
    for evidence in finding.evidence.iter().take(shown) {
        page.item("    ", 6, &evidence_line(evidence));
    }
    if let Some(more) = finding.evidence.len().checked_sub(shown)
        && more > 0
    {
        page.item(
            "    ",
            6,
            &format!("... and {more} more (--json shows all)"),
        );
    }
    if let Some(cause) = &finding.cause {
        page.item("    ", 6, &format!("Cause: {cause}"));
    }
    if let Some(advice) = &finding.by_hand {
        page.item("    ", 6, &format!("By hand: {advice}"));
    }
}

pub(super) fn evidence_line(evidence: &Evidence) -> String {
    match &evidence.expected {
        Some(expected) => format!(
            "{}: {} (expected {expected})",
            evidence.source, evidence.seen
        ),
        None => format!("{}: {}", evidence.source, evidence.seen),
    }
}

/// The plan alone.
pub fn plan_text(plan_: &Plan) -> String {
    let mut page = Page::default();
    plan(&mut page, plan_);
    page.finish()
}

fn plan(page: &mut Page, plan: &Plan) {
    for (index, repair) in plan.repairs.iter().enumerate() {
        let first = format!("{}. {}", index + 1, upper_first(&repair.title));
        page.item("  ", 5, &format!("{first}."));
        page.item("     ", 5, &repair_line(repair));
        steps(page, repair);
        if !repair.expected.is_empty() {
            let ids: Vec<_> = repair.expected.iter().map(|key| key.id.as_str()).collect();
            page.item(
                "     ",
                5,
                &format!("should vanish with it: {}", ids.join(", ")),
            );
        }
    }
    for refused in &plan.refused {
        let line = format!("not possible here: {}: {}", refused.title, refused.why);
        page.item("  - ", 4, &line);
    }
    for key in &plan.uncovered {
        let line = format!("no repair here for {} ({})", key.id, key.subject);
        page.item("  - ", 4, &line);
    }
}

/// What a repair removes, and what it costs.
pub(super) fn repair_line(repair: &Repair) -> String {
    let undo = match &repair.work {
        Some(work) => format!("CANNOT be undone: {}", work.why_lasting()),
        None => "undo: lifeboot undo".to_owned(),
    };
    format!(
        "removes {}; {}, about {} min, {undo}",
        repair.removes.id,
        repair.risk.word(),
        repair.minutes
    )
}

pub(super) fn steps(page: &mut Page, repair: &Repair) {
    for line in step_lines(repair) {
        page.item("       ", 9, &line);
    }
}

/// What a repair does, step by step. Long lists of the same kind of move are
/// shortened.
pub(super) fn step_lines(repair: &Repair) -> Vec<String> {
    const SHOWN: usize = 6;
    let mut lines = Vec::new();
    let edits = repair.edits.iter().map(ToString::to_string);
    let actions = repair.actions.iter().map(ToString::to_string);
    for line in edits.chain(actions).take(SHOWN) {
        lines.push(line);
    }
    let all = repair.edits.len() + repair.actions.len();
    if let Some(more) = all.checked_sub(SHOWN)
        && more > 0
    {
        lines.push(format!("... and {more} more steps"));
    }
    for loader in &repair.loaders {
        let line = format!(
            "write GRUB's core and 440 bytes of boot code of {} to {}",
            loader.from.name(),
            loader.to
        );
        lines.push(line);
    }
    if let Some(work) = &repair.esp {
        for put in work.files.iter().take(SHOWN) {
            let line = format!("write {}:{} ({} bytes)", work.name, put.path, put.bytes);
            lines.push(line);
        }
        if let Some(more) = work.files.len().checked_sub(SHOWN).filter(|n| *n > 0) {
            lines.push(format!("... and {more} more files"));
        }
    }
    for package in repair.unpack.iter().take(SHOWN) {
        let known = match (&package.fetched, package.checked) {
            (Some(fetched), _) => format!(", {}", fetched.words()),
            (None, true) => String::new(),
            (None, false) => ", not checked: apt's index does not know it".to_owned(),
        };
        let what = match package.files.as_slice() {
            [] => format!("unpack {}", package.label()),
            [one] => format!("{one} of {}", package.label()),
            several => format!("{} files of {}", several.len(), package.label()),
        };
        let line = format!("{what} from {}{known}", package.place());
        lines.push(line);
    }
    if let Some(more) = repair.unpack.len().checked_sub(SHOWN).filter(|n| *n > 0) {
        lines.push(format!("... and {more} more packages"));
    }
    let fetched = repair.unpack.iter().filter(|one| one.fetched.is_some());
    let (fetched, all) = (fetched.count(), repair.unpack.len());
    if fetched > 0 {
        let line = format!("the network was used: {fetched} of {all} packages were fetched");
        lines.push(line);
    }
    if repair.unpack.iter().any(|package| package.files.is_empty()) {
        lines.push("their preinst scripts are not run".into());
    }
    if let Some(download) = &repair.download {
        lines.push(lacking(download));
    }
    for program in &repair.programs {
        let line = format!("rehearse in the patient: {}", shortened(&program.line()));
        lines.push(line);
    }
    lines
}

/// What apt lacks, and how it comes there.
fn lacking(download: &Download) -> String {
    let Download {
        packages,
        offered,
        bytes,
    } = download;
    format!(
        "{packages} packages are not in apt's cache, or damaged there (its index offers {offered}, \
         {} MiB): repair --network fetches them in the rehearsal, without it apt fails",
        bytes.div_ceil(1 << 20)
    )
}

/// A command with many files in it is shortened.
fn shortened(line: &str) -> String {
    const SHOWN: usize = 160;
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{} ...", &line[..end]),
        None => line.to_owned(),
    }
}

/// What the verdict stands on.
fn confidence(page: &mut Page, confidence: &Confidence) {
    let lines = confidence.lines();
    if !lines.is_empty() {
        page.heading("HOW SURE THIS IS");
    }
    for line in lines {
        page.item("  ", 4, &line);
    }
}

/// What happened last, where a system that does not boot tells it.
fn history(page: &mut Page, report: &Report) {
    let Some(tree) = &report.facts.tree else {
        return;
    };
    if report.verdict.kind == Kind::Boots || !timeline::is_telling(&tree.history) {
        return;
    }
    page.heading("HISTORY (UTC)");
    for line in timeline::summary(&tree.history) {
        page.item("  ", 4, &line);
    }
    let more = format!("More: lifeboot history{}", report.target);
    page.item("  ", 2, &more);
}

fn earlier(page: &mut Page, report: &Report) {
    let Some(tree) = &report.facts.tree else {
        return;
    };
    if tree.earlier.repairs.is_empty() {
        return;
    }
    page.heading("EARLIER REPAIRS");
    for repair in &tree.earlier.repairs {
        page.item("  ", 4, &format!("{}  {}", repair.id, repair.what));
    }
    let undo = format!("Take the newest back: lifeboot undo{}", report.target);
    page.item("  ", 2, &undo);
}

fn writes(page: &mut Page, writes: &[WriteProof]) {
    if writes.is_empty() {
        return;
    }
    page.heading("WRITTEN MEANWHILE (the kernel's counters)");
    for proof in writes {
        page.item("  ", 4, &write_line(proof));
    }
}

/// What the kernel counted on one disk.
pub(super) fn write_line(proof: &WriteProof) -> String {
    let sectors = proof.after.sectors.saturating_sub(proof.before.sectors);
    format!(
        "{}: {sectors} sectors (before {}, after {})",
        proof.disk, proof.before.sectors, proof.after.sectors
    )
}

pub(super) fn upper_first(text: &str) -> String {
    // Names of devices and files stay as they are spelled.
    let word = text.split(' ').next().unwrap_or_default();
    if !word.chars().all(|c| c.is_ascii_lowercase()) {
        return text.to_owned();
    }
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}
