//! Corrects lines of interfaces(5) for which ifupdown refuses all of its files.

use std::collections::BTreeSet;

use super::Risk;
use super::edit::{Edit, EditKind, Edits};
use crate::facts::Facts;
use crate::facts::reach::network::ifupdown::METHODS;
use crate::facts::reach::network::{Invalid, Network, Stack};
use crate::facts::text_file::TextFile;
use crate::finding::Finding;

pub(super) const KIND: EditKind = EditKind {
    name: "correct-interfaces",
    removes: &["reach/network-config-invalid"],
    plan,
};

/// Words that begin a stanza (interfaces(5)), beside those with `allow-`.
const BEGINS: [&str; 12] = [
    "iface",
    "auto",
    "mapping",
    "source",
    "source-directory",
    "template",
    "rename",
    "noauto",
    "no-auto",
    "no-auto-down",
    "no-scripts",
    "allow-auto",
];

fn plan(facts: &Facts, finding: &Finding) -> Option<Edits> {
    let network = &facts.tree.as_ref()?.reach.network;
    let first = network.invalid.first()?;
    let all_own = network
        .invalid
        .iter()
        .all(|one| one.stack == Stack::Ifupdown);
    if !all_own || first.path != finding.subject {
        return None;
    }
    let mut lines = Vec::new();
    let mut titles = Vec::new();
    // Lines in a stanza that becomes a comment were dealt with.
    let mut gone: BTreeSet<(&str, usize)> = BTreeSet::new();
    for refused in &network.invalid {
        if gone.contains(&(refused.path.as_str(), refused.line)) {
            continue;
        }
        let file = network
            .invalid_files
            .iter()
            .find(|f| f.path == refused.path)?;
        let old = file.text.lines().nth(refused.line.checked_sub(1)?)?;
        if old.split_whitespace().next() != Some("iface") {
            // It may be a misspelt `iface` of the only card.
            if !has_another_card(network, refused, 0..0) {
                return None;
            }
            lines.push(Edit::comment(file, refused.line)?);
            titles.push(format!("line {} becomes a comment", refused.line));
        } else if let Some(edit) = Edit::line(file, refused.line, respelled) {
            titles.push(format!(
                "line {} gets the method that is meant",
                refused.line
            ));
            lines.push(edit);
        } else {
            let stanza = stanza(file, refused.line);
            if !has_another_card(network, refused, stanza.clone()) {
                return None;
            }
            for line in stanza {
                gone.insert((refused.path.as_str(), line));
                if has_words(file, line) {
                    lines.push(Edit::comment(file, line)?);
                }
            }
            titles.push(format!(
                "the stanza at line {} becomes comments",
                refused.line
            ));
        }
    }
    Some(Edits {
        title: format!("correct {}: {}", first.path, titles.join(", ")),
        // What the lines were meant to set is not set.
        risk: Risk::Medium,
        lines,
    })
}

/// The lines of the stanza that begins at `first`, up to the next one.
fn stanza(file: &TextFile, first: usize) -> std::ops::Range<usize> {
    let lines = file.text.lines().enumerate().skip(first);
    let begins = |line: &str| {
        let word = line.split_whitespace().next().unwrap_or_default();
        BEGINS.contains(&word) || word.starts_with("allow-")
    };
    let mut next = lines.filter(|(_, line)| begins(line));
    let end = next
        .next()
        .map_or(file.text.lines().count() + 1, |(index, _)| index + 1);
    first..end
}

fn has_words(file: &TextFile, line: usize) -> bool {
    let line = line.checked_sub(1).and_then(|at| file.text.lines().nth(at));
    line.is_some_and(|line| !matches!(line.trim_start().chars().next(), None | Some('#')))
}

/// True when a card stays that a stanza without a fault sets up at the boot.
fn has_another_card(network: &Network, refused: &Invalid, stanza: std::ops::Range<usize>) -> bool {
    let mut cards = network.interfaces.iter().filter(|i| i.is_card && i.at_boot);
    cards.any(|card| {
        let (file, line) = card
            .place
            .split_once(" line ")
            .unwrap_or((&card.place, "0"));
        let line: usize = line.parse().unwrap_or(0);
        let is_refused = network
            .invalid
            .iter()
            .any(|one| one.path == file && one.line == line);
        let is_gone = file == refused.path && stanza.contains(&line);
        card.stack == Stack::Ifupdown && !is_refused && !is_gone
    })
}

/// `iface NAME FAMILY METHOD` with the one method of that family that differs
/// in one letter.
fn respelled(line: &str) -> Option<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [_, _, family, method] = words[..] else {
        return None;
    };
    let (_, methods) = METHODS.iter().find(|(name, _)| *name == family)?;
    let mut near = methods.iter().filter(|known| is_near(known, method));
    let meant = near.next().filter(|_| near.next().is_none())?;
    let (before, after) = line.rsplit_once(method)?;
    Some(format!("{before}{meant}{after}"))
}

/// True for words of the same length or one letter more or less that are equal
/// but for one letter, or for two neighbours that changed places.
fn is_near(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let same = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let (one, other) = (
        one.get(same..).unwrap_or_default(),
        other.get(same..).unwrap_or_default(),
    );
    match (one, other) {
        ([a, b, one @ ..], [c, d, other @ ..]) if (a, b) == (d, c) && one == other => true,
        ([_, one @ ..], [_, other @ ..]) if one == other => true,
        ([_, one @ ..], other) if one == other => true,
        (one, [_, other @ ..]) if one == other => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_with_one_wrong_letter_is_known() {
        let line = "  iface enp0s3  inet statik ";
        assert_eq!(
            respelled(line).as_deref(),
            Some("  iface enp0s3  inet static ")
        );
        assert_eq!(
            respelled("iface a inet sattic").as_deref(),
            Some("iface a inet static")
        );
        assert_eq!(
            respelled("iface a inet dhc").as_deref(),
            Some("iface a inet dhcp")
        );
        assert_eq!(
            respelled("iface a inet6 dhcp6").as_deref(),
            Some("iface a inet6 dhcp")
        );
        for unclear in [
            "iface a inet dhcpcd",
            "iface a ipv4 dhcp",
            "iface a inet",
            "iface a inet x y",
        ] {
            assert_eq!(respelled(unclear), None, "{unclear}");
        }
    }
}
