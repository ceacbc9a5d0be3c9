//! Archives that apt wants in a rehearsal: from the folders of `--packages`, and,
//! where the network may be used, from the patient's archives.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::{fetch, say};
use crate::cli::RepairArgs;
use crate::facts::Tree;
use crate::facts::sha256_sum;
use crate::rehearsal::supply::Asked;
use crate::sys::root_dir::{Kind, RootDir};

/// Brings what it can.
pub(super) fn bring(
    args: &RepairArgs,
    patient: (&RootDir, &Tree),
    asked: &[Asked],
) -> Vec<(Asked, PathBuf)> {
    let mut brought = Vec::new();
    for folder in &args.packages {
        let there: HashSet<&str> = brought
            .iter()
            .map(|(one, _): &(Asked, _)| &*one.sha256)
            .collect();
        let still = asked.iter().filter(|one| !there.contains(&*one.sha256));
        let found = in_folder(folder, &still.collect::<Vec<_>>());
        if !found.is_empty() {
            let (count, folder) = (found.len(), folder.display());
            say(&format!("lifeboot: {count} of them are in {folder}"));
        }
        brought.extend(found);
    }
    let there: HashSet<&str> = brought.iter().map(|(one, _)| &*one.sha256).collect();
    let still = asked.iter().filter(|one| !there.contains(&*one.sha256));
    let still: Vec<Asked> = still.cloned().collect();
    if args.in_rehearsal && !still.is_empty() {
        brought.extend(fetch::for_rehearsal(args, patient, &still));
    }
    brought
}

/// Those with the size and the digest that apt's index tells, whatever they are
/// called.
fn in_folder(folder: &Path, asked: &[&Asked]) -> Vec<(Asked, PathBuf)> {
    let Ok(root) = RootDir::open(folder) else {
        return Vec::new();
    };
    let sizes: HashSet<u64> = asked.iter().map(|one| one.bytes).collect();
    let mut found: Vec<(Asked, PathBuf)> = Vec::new();
    for entry in root.read_dir("/").unwrap_or_default() {
        let path = Path::new("/").join(&entry.name);
        let is_wanted = |bytes: u64| sizes.contains(&bytes);
        if entry.kind != Kind::File || !root.metadata(&path).is_ok_and(|meta| is_wanted(meta.size))
        {
            continue;
        }
        let Ok(own) = root.open_file(&path).and_then(sha256_sum::of) else {
            continue;
        };
        let is = |one: &&&Asked| one.sha256 == own;
        let known = found.iter().any(|(one, _)| one.sha256 == own);
        if let Some(one) = asked.iter().find(is).filter(|_| !known) {
            found.push(((*one).clone(), folder.join(&entry.name)));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;
    use crate::journal;

    #[test]
    fn only_what_has_the_right_digest_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let of = |text: &str| Asked {
            wanted: crate::repairs::Wanted::default(),
            file: "a_1_all.deb".into(),
            bytes: 4,
            sha256: journal::digest(text.as_bytes()),
        };
        for (name, text) in [
            ("x.deb", "good"),
            ("a_1_all.deb", "evil"),
            ("long", "longer"),
        ] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        std::os::unix::fs::symlink("x.deb", folder.path().join("0.deb")).unwrap();
        let good = of("good");
        let found = in_folder(folder.path(), &[&good, &of("none")]);
        assert_eq!(found, [(good, folder.path().join("x.deb"))]);
        assert!(in_folder(Path::new("/nowhere"), &[&of("good")]).is_empty());
    }
}
