//! A picture of the storage: disks with their partitions, what is made of
//! them, and where that is mounted.

use super::writer::Writer;
use crate::assembly::{Array, State, Volume};
use crate::facts::Facts;
use crate::report::legs_text::standing;
use crate::report::survey_text::{content, size};
use crate::survey::health::Judgement;
use crate::survey::{Content, Disk};
use crate::sysroot::Search;

const BOX_WIDTH: usize = 224;
const BOX_HEIGHT: usize = 44;
/// Between two boxes, one above the other.
const GAP: usize = 10;
/// Between two columns.
const AISLE: usize = 48;
/// The name of a disk above its partitions.
const HEAD: usize = 46;
/// Letters that fit into a box.
const LETTERS: usize = 30;
/// Of each kind no more are drawn.
const MOST: usize = 24;

/// A box.
struct Node {
    name: String,
    title: String,
    words: String,
    /// Something is wrong with it.
    is_bad: bool,
    column: usize,
    y: usize,
    /// The names of what it stands on.
    on: Vec<String>,
}

/// The frame around a disk.
struct Frame<'f> {
    disk: &'f Disk,
    y: usize,
    height: usize,
}

pub(super) fn storage(page: &mut Writer<'_>, facts: &Facts) {
    page.raw("<section id=\"storage\">\n<h2>Disks and what stands on them</h2>\n");
    if facts.survey.disks.is_empty() {
        page.raw("<p>No disks were looked at: only a directory was given.</p>\n</section>\n");
        return;
    }
    let (mut nodes, frames) = partitions(facts);
    volumes(facts, &mut nodes);
    mounts(facts, &mut nodes);
    let columns = nodes.iter().map(|node| node.column).max().unwrap_or(0) + 1;
    let below = nodes.iter().map(|node| node.y + BOX_HEIGHT).max();
    let frame = frames.iter().map(|frame| frame.y + frame.height).max();
    let height = below.max(frame).unwrap_or(0) + 12;
    let width = columns * (BOX_WIDTH + AISLE) - AISLE + 24;
    page.raw("<div class=\"scroll\"><svg role=\"img\" aria-label=\"Disks, arrays, mounts\"");
    page.raw(" viewBox=\"0 0 ");
    page.number(width);
    page.raw(" ");
    page.number(height);
    page.raw("\"");
    page.numbers(&[("width", width), ("height", height)]);
    page.raw(">\n");
    for frame in &frames {
        draw_frame(page, frame, facts);
    }
    for node in &nodes {
        for below in nodes.iter().filter(|below| node.on.contains(&below.name)) {
            draw_line(page, below, node);
        }
    }
    for node in &nodes {
        draw_box(page, node);
    }
    page.raw("</svg></div>\n");
    let more = facts.survey.disks.len().saturating_sub(MOST);
    if more > 0 {
        page.element(
            "<p>",
            &format!("{more} more disks are not drawn."),
            "</p>\n",
        );
    }
    page.raw("</section>\n");
}

/// The first column: disks, each with its partitions.
fn partitions(facts: &Facts) -> (Vec<Node>, Vec<Frame<'_>>) {
    let (mut nodes, mut frames) = (Vec::new(), Vec::new());
    let mut y = 6;
    for disk in facts.survey.disks.iter().take(MOST) {
        let top = y;
        y += HEAD;
        let mut add = |name: &str, bytes: u64, words: String| {
            // The line to its array tells what is on a member.
            let (words, is_bad) = match leg(facts, name) {
                Some((standing, is_bad)) => (standing, is_bad),
                None => (words, false),
            };
            let words = format!("{}, {words}", size(bytes));
            nodes.push(Node {
                name: name.to_owned(),
                title: name.strip_prefix("/dev/").unwrap_or(name).to_owned(),
                words,
                is_bad,
                column: 0,
                y,
                on: Vec::new(),
            });
            y += BOX_HEIGHT + GAP;
        };
        for part in disk.partitions.iter().take(MOST) {
            let on_it = match &part.content {
                Content::Unknown => part.purpose.clone(),
                known => content(known),
            };
            add(&part.name, part.source.bytes, on_it);
        }
        if disk.partitions.is_empty() {
            add(
                &volume_of(facts, disk),
                disk.source.bytes,
                content(&disk.content),
            );
        }
        frames.push(Frame {
            disk,
            y: top,
            height: y - top,
        });
        y += GAP + 6;
    }
    (nodes, frames)
}

/// The volume that a disk without partitions is.
fn volume_of(facts: &Facts, disk: &Disk) -> String {
    let own = |volume: &&Volume| volume.on.is_empty() && volume.disks == [disk.name.clone()];
    let volume = facts.assembly.volumes.iter().find(own);
    volume.map_or_else(|| disk.name.clone(), |volume| volume.name.clone())
}

/// How a member of an array stands, and whether that is bad.
fn leg(facts: &Facts, name: &str) -> Option<(String, bool)> {
    let mut legs = facts.assembly.arrays.iter().flat_map(|array| &array.legs);
    let leg = legs.find(|leg| leg.name == name)?;
    Some((standing(leg.standing), !leg.is_fresh()))
}

/// Arrays, logical volumes, opened containers.
fn volumes(facts: &Facts, nodes: &mut Vec<Node>) {
    let assembly = &facts.assembly;
    for volume in &assembly.volumes {
        if volume.on.is_empty() || nodes.iter().any(|node| node.name == volume.name) {
            continue;
        }
        let array = assembly
            .arrays
            .iter()
            .find(|a| a.volume_name() == volume.name);
        let (state, is_bad) = array.map_or((String::new(), false), state);
        let words = format!(
            "{state}{}: {}",
            size(volume.source.bytes),
            content(&volume.content)
        );
        place(nodes, &volume.name, words, is_bad, volume.on.clone());
    }
    for array in &assembly.arrays {
        let name = array.volume_name();
        if !nodes.iter().any(|node| node.name == name) {
            let on = array.legs.iter().map(|leg| leg.name.clone()).collect();
            place(nodes, &name, state(array).0, true, on);
        }
    }
}

fn state(array: &Array) -> (String, bool) {
    match &array.state {
        State::Complete => ("complete; ".into(), false),
        State::Degraded => {
            let missing = array.missing.len();
            (format!("DEGRADED, {missing} missing; "), true)
        }
        State::Diverged => ("SPLIT: members went on alone".into(), true),
        State::Unusable { why } => (format!("NOT USABLE: {why}"), true),
    }
}

/// Where it is mounted, and what could not be.
fn mounts(facts: &Facts, nodes: &mut Vec<Node>) {
    let Search::Found(info) = &facts.search else {
        return;
    };
    for part in info.parts.iter().take(MOST) {
        let target = part.target.display().to_string();
        let words = format!("{} from {}", part.fstype, part.choice());
        place(nodes, &target, words, false, vec![part.device.clone()]);
    }
    for part in info.missing.iter().take(MOST) {
        let target = part.target.display().to_string();
        let words = format!("NOT MOUNTED: {}: {}", part.spec, part.why);
        place(nodes, &target, words, true, Vec::new());
    }
}

/// Puts a box to the right of what it stands on, at about the same height.
fn place(nodes: &mut Vec<Node>, name: &str, words: String, is_bad: bool, on: Vec<String>) {
    let below: Vec<&Node> = nodes
        .iter()
        .filter(|node| on.contains(&node.name))
        .collect();
    let column = below.iter().map(|node| node.column).max().unwrap_or(0) + 1;
    let sum: usize = below.iter().map(|node| node.y).sum();
    let mut y = sum.checked_div(below.len()).unwrap_or(6);
    // The first free place from there on.
    let mut taken: Vec<usize> = nodes
        .iter()
        .filter(|n| n.column == column)
        .map(|n| n.y)
        .collect();
    taken.sort_unstable();
    for other in taken {
        if y.abs_diff(other) < BOX_HEIGHT + GAP {
            y = other + BOX_HEIGHT + GAP;
        }
    }
    nodes.push(Node {
        name: name.to_owned(),
        title: name.to_owned(),
        words,
        is_bad,
        column,
        y,
        on,
    });
}

fn left(column: usize) -> usize {
    12 + column * (BOX_WIDTH + AISLE)
}

fn draw_frame(page: &mut Writer<'_>, frame: &Frame<'_>, facts: &Facts) {
    let disk = frame.disk;
    let failing = disk
        .health
        .as_ref()
        .is_some_and(|h| h.judged() == Judgement::Failing);
    let mut logs = facts.survey.kernel_log.disks.iter();
    let errors = logs.any(|log| log.name == disk.name && log.is_failing());
    let is_bad = failing || errors || disk.table_problem.is_some();
    page.raw(match is_bad {
        true => "<g class=\"disk bad\"><rect x=\"4\" rx=\"6\"",
        false => "<g class=\"disk\"><rect x=\"4\" rx=\"6\"",
    });
    let width = BOX_WIDTH + 16;
    page.numbers(&[("y", frame.y), ("width", width), ("height", frame.height)]);
    page.raw("/><text class=\"name\" x=\"14\"");
    page.numbers(&[("y", frame.y + 19)]);
    page.raw(">");
    page.short(&disk.name, LETTERS);
    page.raw("</text><text class=\"words\" x=\"14\"");
    page.numbers(&[("y", frame.y + 35)]);
    page.raw(">");
    let mut words = vec![size(disk.source.bytes)];
    words.extend(failing.then(|| "FAILING".to_owned()));
    words.extend(errors.then(|| "READ ERRORS".to_owned()));
    words.extend(
        disk.table_problem
            .as_ref()
            .map(|_| "TABLE DAMAGED".to_owned()),
    );
    words.extend(disk.table.clone());
    words.extend(disk.model.clone());
    page.short(&words.join(", "), LETTERS + 4);
    page.raw("</text></g>\n");
}

fn draw_line(page: &mut Writer<'_>, from: &Node, to: &Node) {
    let (x1, x2) = (left(from.column) + BOX_WIDTH, left(to.column));
    let (y1, y2) = (from.y + BOX_HEIGHT / 2, to.y + BOX_HEIGHT / 2);
    let middle = x1.midpoint(x2);
    page.raw(match from.is_bad {
        true => "<path class=\"wire bad\" d=\"M",
        false => "<path class=\"wire\" d=\"M",
    });
    let curve = [
        (x1, " "),
        (y1, " C"),
        (middle, " "),
        (y1, " "),
        (middle, " "),
        (y2, " "),
    ];
    for (number, after) in curve.into_iter().chain([(x2, " "), (y2, "\"/>\n")]) {
        page.number(number);
        page.raw(after);
    }
}

fn draw_box(page: &mut Writer<'_>, node: &Node) {
    let x = left(node.column);
    page.raw(match node.is_bad {
        true => "<g class=\"box bad\">",
        false => "<g class=\"box\">",
    });
    page.element(
        "<title>",
        &format!("{}: {}", node.title, node.words),
        "</title>",
    );
    page.raw("<rect rx=\"4\"");
    page.numbers(&[
        ("x", x),
        ("y", node.y),
        ("width", BOX_WIDTH),
        ("height", BOX_HEIGHT),
    ]);
    page.raw("/><text class=\"name\"");
    page.numbers(&[("x", x + 10), ("y", node.y + 18)]);
    page.raw(if node.is_bad { ">! " } else { ">" });
    page.short(&node.title, LETTERS - 2);
    page.raw("</text><text class=\"words\"");
    page.numbers(&[("x", x + 10), ("y", node.y + 34)]);
    page.raw(">");
    page.short(&node.words, LETTERS + 4);
    page.raw("</text></g>\n");
}
