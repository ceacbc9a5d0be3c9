//! The files of packages, compared: damage by package, the boot's first.

use super::Page;
use crate::facts::integrity::{Damaged, Integrity, PackageDamage};

/// Packages, and files of one package, that are shown.
const PACKAGES_MAX: usize = 40;
const FILES_MAX: usize = 20;

/// The whole answer.
pub fn verified(integrity: &Integrity) -> String {
    let mut page = Page::default();
    let wrong: usize = integrity.damaged.iter().map(count).sum();
    page.line(&match wrong {
        0 if !integrity.database.is_empty() => {
            "not known: the list of packages itself is damaged".to_owned()
        }
        0 => format!("the files of {} packages are whole", integrity.packages),
        1 => "1 file is missing or damaged".to_owned(),
        more => format!("{more} files are missing or damaged"),
    });
    for fault in integrity.database.iter().take(3) {
        page.item("! ", 2, &format!("{}: {}", fault.path, fault.what));
    }
    let read = format!(
        "{} packages own {} paths, all looked at; {} files with a checksum were read ({} MiB).",
        integrity.packages,
        integrity.paths,
        integrity.read,
        integrity.bytes >> 20
    );
    page.item("  ", 2, &read);
    if let Some(command) = reinstall(integrity) {
        page.item("  ", 2, &format!("Bring them back: {command}"));
    }
    for package in integrity.damaged.iter().take(PACKAGES_MAX) {
        damaged(&mut page, package);
    }
    if let Some(more) = over(integrity.damaged.len(), PACKAGES_MAX) {
        page.line(&format!("and {more} packages more: --json lists them"));
    }
    modes(&mut page, integrity);
    configuration(&mut page, integrity);
    unshipped(&mut page, integrity);
    rest(&mut page, integrity);
    page.finish()
}

fn count(package: &PackageDamage) -> usize {
    package.files.len() + package.more
}

fn over(count: usize, shown: usize) -> Option<usize> {
    count.checked_sub(shown).filter(|more| *more > 0)
}

fn reinstall(integrity: &Integrity) -> Option<String> {
    let damaged = &integrity.damaged;
    let names: Vec<&str> = damaged.iter().take(8).map(|p| p.package.as_str()).collect();
    let more = if damaged.len() > names.len() {
        " ..."
    } else {
        ""
    };
    let names = names.join(" ");
    let command = integrity.manager.reinstall();
    (!names.is_empty()).then(|| format!("chroot ROOT {command} {names}{more}"))
}

fn damaged(page: &mut Page, package: &PackageDamage) {
    page.heading(&format!("{} {}", package.package, package.version));
    let shown = package.files.len().min(FILES_MAX);
    for file in &package.files[..shown] {
        page.item("  ", 4, &line(file));
    }
    if let Some(more) = over(count(package), shown) {
        page.line(&format!("  and {more} files more"));
    }
}

fn line(file: &Damaged) -> String {
    let boot = if file.is_critical {
        " (the boot needs it)"
    } else {
        ""
    };
    format!("{}: {}{boot}", file.path, file.damage.words())
}

/// Single paths with a mode or an owner that they should not have.
fn modes(page: &mut Page, integrity: &Integrity) {
    let permissions = &integrity.permissions;
    let count = permissions.lone.len() + permissions.more_lone;
    if count == 0 {
        return;
    }
    page.heading("WRONG MODES AND OWNERS");
    for lone in permissions.lone.iter().take(FILES_MAX) {
        let (seen, expected) = (lone.seen.words(), lone.expected.words());
        let line = format!("{}: {seen}; expected {expected}", lone.path);
        page.item("  ", 4, &line);
    }
    if let Some(more) = over(count, FILES_MAX) {
        page.line(&format!("  and {more} more: --json lists them"));
    }
}

fn configuration(page: &mut Page, integrity: &Integrity) {
    let files: Vec<&Damaged> = integrity
        .configuration
        .iter()
        .flat_map(|c| &c.files)
        .collect();
    if files.is_empty() {
        return;
    }
    page.heading("CONFIGURATION FILES THAT ARE NOT AS SHIPPED");
    for file in files.iter().take(FILES_MAX) {
        page.item("  ", 4, &line(file));
    }
    if let Some(more) = over(files.len(), FILES_MAX) {
        page.line(&format!("  and {more} more: --json lists them"));
    }
}

fn unshipped(page: &mut Page, integrity: &Integrity) {
    if integrity.unshipped.is_empty() {
        return;
    }
    page.heading("MODES, OWNERS AND LINKS THAT ARE NOT AS SHIPPED");
    for file in integrity.unshipped.iter().take(FILES_MAX) {
        page.item("  ", 4, &format!("{}: {}", file.path, file.what));
    }
    if let Some(more) = over(integrity.unshipped.len(), FILES_MAX) {
        page.line(&format!("  and {more} more: --json lists them"));
    }
}

fn rest(page: &mut Page, integrity: &Integrity) {
    let not_told = &integrity.not_told;
    let lines = [
        (not_told.left_out, "files left out by dpkg's path-exclude"),
        (
            not_told.documentation,
            "missing files of documentation and translations",
        ),
        (
            not_told.volatile,
            "directories missing or files changed in /var and other changing places",
        ),
        (
            not_told.hidden,
            "files behind a replaced directory or a filesystem not mounted",
        ),
        (
            not_told.between_versions,
            "files of packages that were cut off while unpacked",
        ),
        (
            integrity.without_sums.len(),
            "packages that brought no checksums",
        ),
    ];
    let lines: Vec<_> = lines.into_iter().filter(|(count, _)| *count > 0).collect();
    if lines.is_empty() && integrity.faults.is_empty() {
        return;
    }
    page.heading("NOT TOLD ABOVE");
    for (count, what) in lines {
        page.item("  ", 4, &format!("{count} {what}"));
    }
    for fault in integrity.faults.iter().take(FILES_MAX) {
        page.item("  ", 4, &format!("{}: {}", fault.path, fault.what));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::integrity::Fault;

    #[test]
    fn a_damaged_list_of_packages_is_no_whole_system() {
        let fault = Fault {
            path: "/var/lib/dpkg/status".into(),
            what: "it is empty".into(),
        };
        let damaged = Integrity {
            database: vec![fault],
            ..Integrity::default()
        };
        let said = verified(&damaged);
        assert!(said.starts_with("not known: "), "{said}");
        assert!(said.contains("/var/lib/dpkg/status: it is empty"), "{said}");
        assert!(!said.contains("are whole"), "{said}");
    }
}
