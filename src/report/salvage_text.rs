//! A salvage, and a machine compared with one.

use std::path::Path;

use super::Page;
use crate::date::date;
use crate::journal::encoded::encode;
use crate::salvage::Summary;
use crate::salvage::record::{Header, Tree};
use crate::salvage::verify::{Comparison, Difference, Importance};

/// Names that are shown of each kind.
const NAMES: usize = 8;

/// Differences of one kind that are shown without `--all`.
const SHOWN: usize = 12;

/// Where a directory of data is told to be mounted, and copied to.
const MOUNTED: &str = "/mnt";

/// Words of the command line, for commands to be typed next.
#[derive(Debug, Clone, Default)]
pub struct Words {
    /// The target of the salvage.
    pub target: String,
    /// The options that name the patient, each after a space.
    pub patient: String,
    /// True when it went down a pipe.
    pub is_pipe: bool,
    /// True when it is encrypted.
    pub is_encrypted: bool,
    /// Disks of the patient that the target lies on.
    pub on_disks: Vec<String>,
}

/// What a salvage came to.
pub fn salvaged(summary: &Summary, words: &Words) -> String {
    let mut page = Page::default();
    let (end, header) = (&summary.end, &summary.header);
    let host = header.host.as_deref().unwrap_or("a machine without a name");
    let place = match words.is_pipe {
        true => "sent down the pipe".to_owned(),
        false => format!("saved in {}", words.target),
    };
    page.line(&format!(
        "{host}: {} files ({}) {place}",
        end.files,
        size(end.bytes)
    ));
    page.item(
        "  ",
        2,
        &format!(
            "{} paths and {} packages noted for the comparison afterwards.",
            end.paths, summary.packages
        ),
    );
    page.item(
        "  ",
        2,
        &format!("After the new installation: {}", next(words)),
    );
    let line = "README.txt in it tells how it is put back, with tar and zstd alone.";
    page.item("  ", 2, line);
    match (words.is_encrypted, header.secrets) {
        (true, _) => page.item("  ", 2, "It is encrypted, and holds the secrets as well."),
        (false, true) => {
            let line = "It holds password hashes and private keys, and is not encrypted.";
            page.item("! ", 2, line);
        }
        (false, false) => {}
    }
    if !words.on_disks.is_empty() {
        let line = format!(
            "It lies on {}, a disk of the patient: move it away before a reformat.",
            words.on_disks.join(", ")
        );
        page.item("! ", 2, &line);
    }
    if summary.already > 0 {
        let line = format!("{} files were there already, the same.", summary.already);
        page.item("  ", 2, &line);
    }
    if !header.defaults_known {
        let line = "What the packages shipped is not known here: all of /etc was taken.";
        page.item("! ", 2, line);
    }
    left_out(&mut page, summary, words);
    faults(&mut page, summary);
    data(&mut page, &summary.trees);
    page.finish()
}

/// The command that compares it.
fn next(words: &Words) -> String {
    let name = match (words.is_pipe, words.is_encrypted) {
        (false, _) => shell_words::quote(&words.target).into_owned(),
        (true, false) => "NAME.tar.zst".to_owned(),
        (true, true) => "NAME.tar.zst.age".to_owned(),
    };
    match words.is_encrypted {
        true => format!("age -d -i KEY {name} | lifeboot verify -"),
        false => format!("lifeboot verify {name}"),
    }
}

fn left_out(page: &mut Page, summary: &Summary, words: &Words) {
    if !summary.secrets.is_empty() {
        page.heading("SECRETS THAT ARE NOT IN IT");
        names(page, &summary.secrets);
        let again = |option: &str, target: &str| {
            let command = format!("lifeboot salvage {option}{} {target}", words.patient);
            match words.is_pipe {
                true => format!("{command} | ..."),
                false => command,
            }
        };
        let [sealed, plain] = match words.is_pipe {
            true => ["-", "-"],
            false => ["NAME.tar.zst.age", "NAME.tar.zst"],
        };
        let line = format!(
            "Encrypted, with them: {}",
            again("--encrypt-to KEY", sealed)
        );
        page.item("  ", 2, &line);
        let line = format!(
            "With them, not encrypted: {}",
            again("--with-secrets", plain)
        );
        page.item("  ", 2, &line);
    }
    if !summary.too_large.is_empty() {
        page.heading("TOO LARGE TO BE IN IT");
        names(page, &summary.too_large);
        page.item("  ", 2, "They are counted with the data below.");
    }
}

fn names(page: &mut Page, paths: &[std::path::PathBuf]) {
    for path in paths.iter().take(NAMES) {
        page.item("  ", 4, &encode(path));
    }
    if let Some(more) = paths.len().checked_sub(NAMES).filter(|more| *more > 0) {
        page.item("  ", 4, &format!("and {more} more: --json lists them"));
    }
}

fn faults(page: &mut Page, summary: &Summary) {
    if summary.end.unread > 0 {
        page.heading("COULD NOT BE READ");
        for unread in summary.unread.iter().take(NAMES) {
            let line = format!("{}: {}", encode(&unread.path), unread.why);
            page.item("  ", 4, &line);
        }
        let shown = summary.unread.len().min(NAMES) as u64;
        if summary.end.unread > shown {
            let more = summary.end.unread - shown;
            page.item(
                "  ",
                4,
                &format!("and {more} more: the manifest lists them"),
            );
        }
    }
    if !summary.lost.is_empty() {
        page.heading("THE TARGET DOES NOT TAKE ALL OF IT");
        for (path, why) in summary.lost.iter().take(NAMES) {
            page.item("  ", 4, &format!("{path}: {why}"));
        }
        if let Some(more) = summary.lost.len().checked_sub(NAMES).filter(|n| *n > 0) {
            page.item("  ", 4, &format!("and {more} more: --json lists them"));
        }
        let line = "A file NAME.tar.zst, or a folder on ext4 or xfs, does.";
        page.item("  ", 2, line);
    }
}

/// What is left to be copied, and how.
fn data(page: &mut Page, trees: &[Tree]) {
    if trees.is_empty() {
        return;
    }
    page.heading("DATA THAT IS NOT IN IT: copy it before the reformat");
    for tree in trees.iter().take(NAMES) {
        let line = format!(
            "{:>9}  {:>7} files  {}",
            size(tree.bytes),
            tree.files,
            encode(&tree.path)
        );
        page.item("  ", 4, &line);
    }
    if let Some(more) = trees.len().checked_sub(NAMES).filter(|more| *more > 0) {
        page.item("  ", 4, &format!("and {more} more: --json lists them"));
    }
    let line = format!("With the patient mounted read-only on {MOUNTED}, for example:");
    page.item("  ", 2, &line);
    if let Some(first) = trees.first() {
        for command in copies(&first.path) {
            page.item("    ", 6, &command);
        }
    }
}

/// The commands that copy a directory, with owners, links and attributes.
fn copies(path: &Path) -> [String; 2] {
    let relative = path.strip_prefix("/").unwrap_or(path).to_string_lossy();
    let relative = shell_words::quote(&relative).into_owned();
    [
        format!("rsync -aHAXS --numeric-ids --relative {MOUNTED}/./{relative} HOST:/DIR/"),
        format!(
            "tar -C {MOUNTED} -cS --acls --xattrs {relative} | zstd | ssh HOST 'cat > data.tar.zst'"
        ),
    ]
}

fn size(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut whole = bytes;
    let mut unit = 0;
    while whole >= 10 * 1024 && unit + 1 < units.len() {
        whole /= 1024;
        unit += 1;
    }
    format!("{whole} {}", units[unit])
}

/// A machine compared with its salvage; `command` compares it again.
pub fn verified(found: &Comparison, command: &str, all: bool) -> String {
    let mut page = Page::default();
    page.line(&first_line(found));
    page.item("  ", 2, &source(&found.header));
    if let Some(why) = &found.cut_off {
        let line = format!("the salvage is not whole ({why}); what it has was compared");
        page.item("! ", 2, &line);
    }
    page.item(
        "  ",
        2,
        &format!(
            "{} paths, {} users and groups and {} packages were compared.",
            found.paths, found.accounts, found.packages
        ),
    );
    if found.unread_then > 0 {
        let line = format!(
            "{} paths could not be read when it was saved; nothing is known of these.",
            found.unread_then
        );
        page.item("! ", 2, &line);
    }
    let fixable = found.fixes.len();
    if fixable > 0 {
        let line = format!("Set {fixable} modes and owners right: {command} --fix-permissions");
        page.item("  ", 2, &line);
    }
    for importance in Importance::ALL {
        let of_it = |one: &&Difference| one.importance == importance;
        let list: Vec<_> = found.differences.iter().filter(of_it).collect();
        differences(&mut page, &importance.word().to_uppercase(), &list, all);
    }
    if found.more > 0 {
        page.line(&format!("and {} differences more", found.more));
    }
    unread(&mut page, found);
    let notes: Vec<_> = found.notes.iter().collect();
    differences(
        &mut page,
        "AS A NEW INSTALLATION BRINGS IT (no differences)",
        &notes,
        all,
    );
    page.finish()
}

fn first_line(found: &Comparison) -> String {
    if found.is_equal() {
        return "ALL IS AS IT WAS: nothing is missing, and nothing differs.".into();
    }
    let count = found.differences.len() + found.more;
    let mut kinds = Vec::new();
    for importance in Importance::ALL {
        let of_it = found.differences.iter();
        let number = of_it.filter(|one| one.importance == importance).count();
        if number > 0 {
            kinds.push(format!("{number} {}", importance.word()));
        }
    }
    let kinds = match kinds.is_empty() {
        true => String::new(),
        false => format!(": {}", kinds.join(", ")),
    };
    match count {
        0 => "NOT KNOWN whether all is as it was".into(),
        1 => format!("1 DIFFERENCE{kinds}"),
        more => format!("{more} DIFFERENCES{kinds}"),
    }
}

fn source(header: &Header) -> String {
    format!(
        "Salvage of {}, {}, made {} UTC.",
        header.host.as_deref().unwrap_or("a machine without a name"),
        header
            .system
            .as_deref()
            .unwrap_or("a system without a name"),
        date(header.time)
    )
}

fn differences(page: &mut Page, heading: &str, list: &[&Difference], all: bool) {
    if list.is_empty() {
        return;
    }
    page.heading(heading);
    let shown = if all { list.len() } else { SHOWN };
    for one in list.iter().take(shown) {
        let mut line = format!("{}: {}", one.subject, one.what.join("; "));
        if one.below > 0 {
            line.push_str(&format!(" (with {} paths below it)", one.below));
        }
        page.item("  ", 4, &line);
    }
    if let Some(more) = list.len().checked_sub(shown).filter(|more| *more > 0) {
        page.item("  ", 4, &format!("and {more} more: --all shows them"));
    }
}

fn unread(page: &mut Page, found: &Comparison) {
    if found.unread_now.is_empty() {
        return;
    }
    page.heading("COULD NOT BE COMPARED");
    for (path, why) in found.unread_now.iter().take(SHOWN) {
        page.item("  ", 4, &format!("{path}: {why}"));
    }
    let more = found.unread_now.len().checked_sub(SHOWN);
    if let Some(more) = more.filter(|more| *more > 0) {
        page.item("  ", 4, &format!("and {more} more: --json lists them"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_says_how_much_is_wrong() {
        let mut found = Comparison::default();
        assert!(verified(&found, "x", false).starts_with("ALL IS AS IT WAS"));
        let one = |importance, subject: &str| Difference {
            importance,
            subject: subject.into(),
            what: vec!["missing".into()],
            below: 3,
            can_be_fixed: false,
        };
        found.differences = vec![
            one(Importance::Login, "/etc/ssh/sshd_config"),
            one(Importance::Data, "/srv/\u{1b}[2J"),
        ];
        let text = verified(&found, "x", false);
        assert!(
            text.starts_with("2 DIFFERENCES: 1 login, 1 data\n"),
            "{text}"
        );
        assert!(text.contains("missing (with 3 paths below it)"), "{text}");
        assert!(!text.contains('\u{1b}'));
        found.differences.clear();
        found.cut_off = Some("it ends".into());
        assert!(verified(&found, "x", false).starts_with("NOT KNOWN"));
    }

    #[test]
    fn secrets_left_out_are_told_with_the_command() {
        let summary = Summary {
            secrets: vec!["/etc/shadow".into()],
            trees: vec![Tree {
                path: "/srv".into(),
                files: 2,
                bytes: 5 << 30,
            }],
            ..Summary::default()
        };
        let words = Words {
            target: "/mnt/a b.tar.zst".into(),
            patient: " --root /x".into(),
            is_pipe: false,
            is_encrypted: false,
            on_disks: vec!["sda".into()],
        };
        let text = salvaged(&summary, &words);
        assert!(text.contains("! It lies on sda, a disk"), "{text}");
        assert!(
            text.contains("lifeboot verify '/mnt/a b.tar.zst'"),
            "{text}"
        );
        assert!(text.contains("salvage --with-secrets --root /x"), "{text}");
        assert!(text.contains("5120 MiB"), "{text}");
        assert!(text.contains("rsync -aHAXS"), "{text}");
        assert!(text.lines().all(|line| line.len() <= 80), "{text}");
    }
}
