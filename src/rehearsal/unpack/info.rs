//! `/var/lib/dpkg/info`: the control files of a package, its list of files and
//! their checksums (`pkg_infodb_update` in dpkg's src/main/unpack.c).

use std::io::{Read, Seek};
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::files::Placed;
use super::{remove, rewrite, told};
use crate::facts::packages::control;
use crate::facts::packages::deb::{Deb, Fault, What};
use crate::facts::packages::dpkg_files::{leads_up, relative};
use crate::sys::root_dir::RootDir;
use crate::sys::write_root::WriteRoot;

/// The most bytes of one control file.
const MEMBER_MAX: u64 = 16 << 20;

/// The most bytes of all.
const ALL_MAX: usize = 64 << 20;

/// The control files of an archive.
#[derive(Debug, Default)]
pub(super) struct Members(Vec<Member>);

#[derive(Debug)]
struct Member {
    name: String,
    mode: u32,
    bytes: Vec<u8>,
}

impl Members {
    /// Reads all of them.
    pub(super) fn read<F: Read + Seek>(deb: &mut Deb<F>) -> Result<Self> {
        let mut members = Self::default();
        let mut all = 0;
        let read = deb.each_control(|entry, content| {
            let name = relative(&entry.path);
            if entry.what == What::Directory && (name.is_empty() || name == b".") {
                return Ok(true);
            }
            let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_+".contains(byte);
            if entry.what != What::File || name.is_empty() || !name.iter().all(plain) {
                let what = "its control archive has more than plain files".to_owned();
                return Err(Fault::Damaged(what));
            }
            let mut bytes = Vec::new();
            content.take(MEMBER_MAX + 1).read_to_end(&mut bytes)?;
            all += bytes.len();
            if bytes.len() as u64 != entry.size || all > ALL_MAX {
                let what = "a control file is not as long as it says".to_owned();
                return Err(Fault::Damaged(what));
            }
            members.0.push(Member {
                name: String::from_utf8_lossy(name).into_owned(),
                mode: entry.mode,
                bytes,
            });
            Ok(true)
        });
        read.map_err(told)?;
        if members.control().is_empty() {
            bail!("it has no control file");
        }
        Ok(members)
    }

    /// The one called `name`; empty when there is none.
    pub(super) fn get(&self, name: &str) -> &[u8] {
        let found = self.0.iter().find(|member| member.name == name);
        found.map_or(&[], |member| member.bytes.as_slice())
    }

    /// The control file.
    pub(super) fn control(&self) -> &[u8] {
        self.get("control")
    }

    /// The configuration files, without their leading slash
    /// (deb-conffiles(5)).
    pub(super) fn conffiles(&self) -> Vec<Vec<u8>> {
        let lines = self.get("conffiles").split(|byte| *byte == b'\n');
        let paths = lines.map(|line| relative(line.trim_ascii_end()));
        // Those with a flag are not in the archive.
        let there = paths.filter(|path| !path.is_empty() && !path.contains(&0) && !leads_up(path));
        there
            .filter(|path| !path.starts_with(b"remove-on-upgrade "))
            .map(<[u8]>::to_vec)
            .collect()
    }
}

/// What the files of a package are called before the dot.
pub(super) fn stem(root: &RootDir, home: &Path, stanza: &[u8]) -> String {
    let text = |name: &str| control::text(stanza, name).unwrap_or_default();
    let format = root.read_text(home.join("info/format"), 64);
    let by_architecture = format.is_ok_and(|format| format.trim() != "0");
    match text("Multi-Arch") == "same" && by_architecture {
        true => format!("{}:{}", text("Package"), text("Architecture")),
        false => text("Package"),
    }
}

/// What is to be written for one package.
pub(super) struct Info<'a> {
    pub(super) write: &'a WriteRoot<'a>,
    pub(super) home: &'a Path,
    pub(super) old_stem: Option<&'a str>,
    pub(super) new_stem: &'a str,
}

impl Info<'_> {
    /// Puts the files of the new version in the place of those of the old one.
    pub(super) fn put(&self, members: &Members, placed: &Placed) -> Result<()> {
        let folder = self.home.join("info");
        let entries = self.write.root().read_dir(&folder)?;
        for name in entries.iter().filter_map(|entry| entry.name.to_str()) {
            let of = |stem: &str| {
                let rest = name.strip_prefix(stem)?.strip_prefix('.')?;
                (!rest.contains('.')).then_some(())
            };
            if of(self.new_stem).or(self.old_stem.and_then(of)).is_some() {
                let path = folder.join(name);
                remove(self.write, &path).with_context(|| path.display().to_string())?;
            }
        }
        let path = |name: &str| folder.join(format!("{}.{name}", self.new_stem));
        for member in members.0.iter().filter(|member| member.name != "control") {
            rewrite(self.write, &path(&member.name), member.mode, &member.bytes)?;
        }
        let mut list = b"/.\n".to_vec();
        for listed in placed.listed.iter().chain(&placed.obsolete) {
            list.push(b'/');
            list.extend_from_slice(listed);
            list.push(b'\n');
        }
        rewrite(self.write, &path("list"), 0o644, &list)?;
        if members.get("md5sums").is_empty() && !placed.sums.is_empty() {
            rewrite(self.write, &path("md5sums"), 0o644, &sums(placed))?;
        }
        Ok(())
    }
}

/// Checksums, for a package that brings none.
fn sums(placed: &Placed) -> Vec<u8> {
    let mut bytes = Vec::new();
    for path in &placed.listed {
        let Some(sum) = placed.sums.get(path) else {
            continue;
        };
        bytes.extend_from_slice(hex::encode(sum).as_bytes());
        bytes.extend_from_slice(b"  ");
        bytes.extend_from_slice(path);
        bytes.push(b'\n');
    }
    bytes
}
