//! Packages that the way forward needs and this root's cache lacks, found in
//! the cache of another system on the same disks.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::facts::packages::Dpkg;
use crate::facts::packages::apt::{Conf, archives};
use crate::sys::root_dir::RootDir;

/// What another system has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Elsewhere {
    /// Where that system lies: `/dev/sdb2`.
    pub place: String,
    /// What to give to a command to look at it: `--leg /dev/sdb2`.
    pub arguments: String,
    /// The folder in it.
    pub folder: String,
    /// The files that are needed and whole.
    pub files: Vec<String>,
    /// So many were needed.
    pub of: usize,
}

/// True when packages are lacking, so that another system is worth a look.
pub fn is_lacking(dpkg: &Dpkg) -> bool {
    !lacking(dpkg).is_empty()
}

/// Looks into the cache of another system and notes what is useful there.
pub fn search(dpkg: &mut Dpkg, place: &str, arguments: &str, root: &RootDir) {
    let lacking = lacking(dpkg);
    let mut cache = archives::collect(root, Conf::of(root).archives());
    cache.archives.retain(|archive| {
        let key = (archive.package.clone(), archive.version.clone());
        lacking.contains(&key) && archives::open(root, archive).is_ok()
    });
    if cache.archives.is_empty() {
        return;
    }
    let files = cache.archives.into_iter().map(|archive| archive.file);
    let found = Elsewhere {
        place: place.to_owned(),
        arguments: arguments.to_owned(),
        folder: cache.folder,
        files: files.collect(),
        of: lacking.len(),
    };
    dpkg.standing.elsewhere.push(found);
}

/// Names and versions of what is missing or damaged on the way forward.
fn lacking(dpkg: &Dpkg) -> HashSet<(String, String)> {
    let Some(way) = &dpkg.standing.forward else {
        return HashSet::new();
    };
    let missing = way.missing.iter().filter_map(|said| said.split_once(' '));
    let missing = missing.map(|(name, version)| (name.to_owned(), version.to_owned()));
    let archives = dpkg.apt.cache.archives.iter();
    let damaged = archives.filter(|archive| way.damaged.contains(&archive.file));
    let damaged = damaged.map(|archive| (archive.package.clone(), archive.version.clone()));
    missing.chain(damaged).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;
    use std::path::Path;
    use std::process::Command;

    use super::*;
    use crate::facts::packages::standing::Way;

    /// A package made by dpkg-deb.
    fn package(file: &Path) {
        let tree = tempfile::tempdir().unwrap();
        fs::create_dir_all(tree.path().join("DEBIAN")).unwrap();
        let control = "Package: lab\nVersion: 1:2-3\nArchitecture: all\n\
            Maintainer: x <x@example.org>\nDescription: x\n";
        fs::write(tree.path().join("DEBIAN/control"), control).unwrap();
        let made = Command::new("dpkg-deb")
            .args(["--root-owner-group", "-b"])
            .args([tree.path(), file])
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
    }

    #[test]
    fn what_is_lacking_is_found_whole_in_another_system() {
        let other = tempfile::tempdir().unwrap();
        let folder = other.path().join("srv/debs");
        fs::create_dir_all(&folder).unwrap();
        fs::create_dir_all(other.path().join("etc/apt/apt.conf.d")).unwrap();
        let conf = other.path().join("etc/apt/apt.conf.d/50cache");
        fs::write(conf, "Dir { Cache { archives \"/srv/debs\"; }; };\n").unwrap();
        let file = folder.join("lab_1%3a2-3_all.deb");
        package(&file);
        let mut dpkg = Dpkg::default();
        dpkg.standing.forward = Some(Way {
            unpack: 2,
            missing: vec!["lab 1:2-3".into(), "more 1".into()],
            ..Way::default()
        });
        assert!(is_lacking(&dpkg));
        let root = RootDir::open(other.path()).unwrap();
        search(&mut dpkg, "/dev/sdb2", "--leg /dev/sdb2", &root);
        let found = &dpkg.standing.elsewhere[0];
        assert_eq!(found.files, ["/srv/debs/lab_1%3a2-3_all.deb"]);
        assert_eq!((found.place.as_str(), found.of), ("/dev/sdb2", 2));
        // One that is cut off is none.
        let bytes = fs::read(&file).unwrap();
        fs::write(&file, &bytes[..bytes.len() - 10]).unwrap();
        search(&mut dpkg, "/dev/sdc2", "", &root);
        assert_eq!(dpkg.standing.elsewhere.len(), 1);
    }
}
