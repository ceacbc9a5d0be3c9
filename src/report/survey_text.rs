//! The storage as a picture for a ticket: disks with their partitions, then
//! what stands on them layer by layer, then the systems found.

use super::legs_text::standing;
use super::{Page, health_text};
use crate::assembly::{Array, Assembly, Layer, Level, State, Volume, VolumeGroup};
use crate::date::date;
use crate::survey::{Content, Disk, Partition, Signature, Superblock, Survey};
use crate::sysroot::{Candidate, Search, SysrootInfo};

/// The picture. `systems` is none where no filesystem could be opened.
pub fn survey(survey: &Survey, assembly: &Assembly, systems: Option<&Search>) -> String {
    let mut page = Page::default();
    page.line("DISKS");
    if survey.disks.is_empty() {
        page.line("No disk is visible. Next: dmesg | grep -i -e nvme -e ata");
    }
    for disk in &survey.disks {
        disk_lines(&mut page, disk);
    }
    for line in health_text::log_lines(survey) {
        page.line(&line);
    }
    if !assembly.arrays.is_empty() {
        page.heading("ARRAYS");
    }
    for array in &assembly.arrays {
        array_lines(&mut page, array, assembly);
    }
    let loose = |v: &&Volume| v.layer == Layer::Unlocked;
    let unlocked: Vec<&Volume> = assembly.volumes.iter().filter(loose).collect();
    if !assembly.groups.is_empty() || !unlocked.is_empty() {
        page.heading("VOLUMES");
    }
    for volume in unlocked {
        page.line(&format!("{}  {}", volume.name, size(volume.source.bytes)));
        let below = format!("unlocked from {}", volume.on.join(", "));
        page.branches(&[below, content(&volume.content)]);
    }
    for group in &assembly.groups {
        group_lines(&mut page, group, assembly);
    }
    if !assembly.unopened.is_empty() {
        page.heading("NOT OPENED");
    }
    for unopened in &assembly.unopened {
        page.item("", 2, &format!("{}: {}", unopened.name, unopened.why));
    }
    page.heading("SYSTEMS");
    match systems {
        None => page.line("not looked for: only root can open disks"),
        Some(search) => system_lines(&mut page, search),
    }
    page.finish()
}

fn disk_lines(page: &mut Page, disk: &Disk) {
    let mut line = format!("{}  {}", disk.name, size(disk.source.bytes));
    for extra in [&disk.model, &disk.serial].into_iter().flatten() {
        line.push_str("  ");
        line.push_str(extra);
    }
    if let Some(table) = &disk.table {
        line.push_str(&format!("  ({table})"));
    }
    if disk.grub_boot_code {
        line.push_str("  GRUB boot code");
    }
    page.line(&line);
    let mut below = health_text::lines(disk);
    below.extend(disk.table_problem.iter().map(|why| format!("! {why}")));
    let widest = |number: fn(&Partition) -> usize| disk.partitions.iter().map(number).max();
    let names = widest(|p| p.name.len()).unwrap_or(0);
    let sizes = widest(|p| size(p.source.bytes).len()).unwrap_or(0);
    below.extend(disk.partitions.iter().map(|partition| {
        let bytes = size(partition.source.bytes);
        let holds = match &partition.content {
            Content::Unknown => String::new(),
            known => format!("  {}", content(known)),
        };
        let purpose = &partition.purpose;
        format!(
            "{:names$}  {bytes:>sizes$}  {purpose}{holds}",
            partition.name
        )
    }));
    if disk.partitions.is_empty() {
        below.push(content(&disk.content));
    }
    page.branches(&below);
}

fn array_lines(page: &mut Page, array: &Array, assembly: &Assembly) {
    let slots = array.raid_disks;
    let there = usize::try_from(slots).unwrap_or(usize::MAX);
    let there = there.saturating_sub(array.missing.len());
    let state = match &array.state {
        State::Complete => format!("complete, {slots} members"),
        State::Degraded => format!("DEGRADED, {there} of {slots} members"),
        State::Diverged => "SPLIT: its members each went on alone".to_owned(),
        State::Unusable { why } => format!("NOT USABLE: {why}"),
    };
    let level = Level::of(array.level).map_or("level not known", Level::name);
    let version = array.freshest().map_or("", |own| own.version.as_str());
    page.line(&format!("array {}  {level} {version}: {state}", array.name));
    let mut below = Vec::new();
    if let Some(claim) = &array.running {
        below.push(format!(
            "held by {} of this system ({})",
            claim.name, claim.state
        ));
    }
    below.extend(array.legs.iter().map(|leg| {
        format!(
            "{}  {}, {} events, {}",
            leg.name,
            standing(leg.standing),
            leg.superblock.events,
            date(leg.superblock.updated)
        )
    }));
    below.extend(array.warnings.iter().map(|warning| format!("! {warning}")));
    let on_it = |v: &&Volume| matches!(&v.layer, Layer::Array { uuid } if *uuid == array.uuid);
    let own = array.volume_name();
    below.extend(assembly.volumes.iter().filter(on_it).map(|volume| {
        let part = volume.name.strip_prefix(&own).unwrap_or(&volume.name);
        let bytes = size(volume.source.bytes);
        format!("holds{part} {bytes}: {}", content(&volume.content))
    }));
    page.branches(&below);
}

fn group_lines(page: &mut Page, group: &VolumeGroup, assembly: &Assembly) {
    let mut line = format!("volume group {}  on {}", group.name, group.on.join(", "));
    if group.exported {
        line.push_str("  exported");
    }
    page.line(&line);
    let missing = group.missing.iter();
    let mut below: Vec<String> = missing.map(|part| format!("! missing: {part}")).collect();
    let copies = group.copies.iter();
    below.extend(copies.map(|part| format!("! there twice: {part}")));
    for logical in &group.volumes {
        let holds = match (&logical.closed, assembly.volume(&logical.name)) {
            (Some(why), _) => format!("closed: {why}"),
            (None, Some(volume)) => content(&volume.content),
            // A partition table on it: each partition is a volume.
            (None, None) => "divided".to_owned(),
        };
        let bytes = size(logical.bytes);
        below.push(format!(
            "{}  {bytes}  {}  {holds}",
            logical.name, logical.kind
        ));
        let parts = format!("{} partition ", logical.name);
        let parts = assembly
            .volumes
            .iter()
            .filter(|v| v.name.starts_with(&parts));
        below.extend(parts.map(|v| {
            let bytes = size(v.source.bytes);
            format!("{}  {bytes}  {}", v.name, content(&v.content))
        }));
    }
    page.branches(&below);
}

fn system_lines(page: &mut Page, search: &Search) {
    match search {
        Search::Found(info) => found_lines(page, info),
        Search::Several { candidates } => {
            for one in candidates {
                candidate_lines(page, one, &[format!("/ from {}", one.name)]);
            }
        }
        Search::None { looked_at } => {
            page.line("none found");
            let seen = looked_at.iter();
            let seen: Vec<String> = seen.map(|l| format!("{}: {}", l.name, l.why)).collect();
            page.branches(&seen);
        }
    }
}

fn found_lines(page: &mut Page, info: &SysrootInfo) {
    let mut parts: Vec<String> = info
        .parts
        .iter()
        .map(|part| format!("{} from {}", part.target.display(), part.choice()))
        .collect();
    let missing = info.missing.iter();
    parts.extend(missing.map(|part| {
        let target = part.target.display();
        format!("! {target} from {}: {}", part.spec, part.why)
    }));
    match &info.candidate {
        Some(candidate) => candidate_lines(page, candidate, &parts),
        None => page.branches(&parts),
    }
}

fn candidate_lines(page: &mut Page, candidate: &Candidate, parts: &[String]) {
    page.line(&candidate.description());
    page.branches(parts);
}

pub(super) fn content(content: &Content) -> String {
    match content {
        Content::Unknown => "nothing known on it".into(),
        Content::Signature(found) => signature(found),
        Content::RaidMember(member) => {
            let of = |s: &Superblock| format!("RAID member {} of {}", s.version, s.name);
            let all: Vec<String> = member.arrays.iter().map(of).collect();
            all.join(", ")
        }
        Content::PhysicalVolume(physical) => match (&physical.group, &physical.problem) {
            (Some(group), _) => format!("LVM2 physical volume of {}", group.name),
            (None, Some(problem)) => format!("LVM2 physical volume: {problem}"),
            (None, None) => "LVM2 physical volume".into(),
        },
        Content::RaidUnusable { why } | Content::Unreadable { why, .. } => format!("! {why}"),
    }
}

fn signature(found: &Signature) -> String {
    let mut text = found.format.clone();
    for extra in [&found.label, &found.uuid].into_iter().flatten() {
        text.push(' ');
        text.push_str(extra);
    }
    if let Some(detail) = &found.detail {
        text.push_str(&format!(" ({detail})"));
    }
    if found.dirty {
        text.push_str(" (journal to be replayed)");
    }
    if found.errors {
        text.push_str(" (has errors)");
    }
    text
}

/// A size in the units that disks are sold by.
pub(super) fn size(bytes: u64) -> String {
    let units = [
        (1_000_000_000_000, "TB"),
        (1_000_000_000, "GB"),
        (1_000_000, "MB"),
    ];
    for (unit, name) in units {
        if bytes >= unit {
            return format!("{}.{} {name}", bytes / unit, bytes % unit / (unit / 10));
        }
    }
    format!("{} kB", bytes / 1000)
}
