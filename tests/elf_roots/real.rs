//! A root's own loader, and whether it says the same.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow, bail, ensure};
use goblin::elf::Elf;
use goblin::elf::header::{EM_386, EM_X86_64, ET_DYN, ET_EXEC};
use lifeboot::facts::elf::{Closure, Problem};
use walkdir::WalkDir;

/// The loaders that can be asked here.
const LOADERS: [(u16, &str); 2] = [
    (EM_X86_64, "/lib64/ld-linux-x86-64.so.2"),
    (EM_386, "/lib/ld-linux.so.2"),
];

/// A dynamic file, and the loader to ask about it.
pub struct ElfFile {
    pub path: String,
    loader: &'static str,
}

/// Every dynamic file of `root` for which it has the loader, whatever its name
/// and mode.
pub fn elf_files(root: &Path) -> Result<Vec<ElfFile>> {
    let mut found = Vec::new();
    for entry in WalkDir::new(root).sort_by_file_name() {
        let entry = entry?;
        if !entry.file_type().is_file() {
            continue;
        }
        let bytes = fs::read(entry.path())?;
        if !bytes.starts_with(b"\x7fELF") {
            continue;
        }
        let Ok(elf) = Elf::parse(&bytes) else {
            continue;
        };
        if let Some(loader) = loader(root, &elf) {
            let inside = entry.path().strip_prefix(root)?;
            let path = inside.to_str().context("a name that is no UTF-8")?;
            found.push(ElfFile {
                path: format!("/{path}"),
                loader,
            });
        }
    }
    Ok(found)
}

/// The loader of `root` that loads `elf`; none for a file of musl's, which has
/// a loader that tells less.
fn loader(root: &Path, elf: &Elf<'_>) -> Option<&'static str> {
    let header = &elf.header;
    let is_dynamic = header.e_type == ET_DYN || header.e_type == ET_EXEC;
    let mut loaders = LOADERS.iter();
    let (_, loader) = loaders.find(|(machine, _)| *machine == header.e_machine)?;
    let is_its_own = elf.interpreter.is_none_or(|named| named == *loader)
        && !elf.libraries.iter().any(|name| name.contains("musl"));
    // It may be a link that leads on only inside the root.
    let is_there = fs::symlink_metadata(root.join(loader.trim_start_matches('/'))).is_ok();
    (is_dynamic && !elf.libraries.is_empty() && is_its_own && is_there).then_some(*loader)
}

/// What the loader said.
#[derive(Debug)]
pub struct Listing {
    code: Option<i32>,
    found: Vec<(String, String)>,
    missing: BTreeSet<String>,
    versions: BTreeSet<(String, String, String)>,
    ignored: BTreeSet<String>,
    message: String,
}

/// The helper, compiled once.
fn helper() -> Result<&'static Path> {
    static HELPER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let made = HELPER.get_or_init(|| {
        let source = crate::lab::repo().join("tests/elf_roots/trace.c");
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("elf-trace");
        let mut gcc = Command::new("gcc");
        gcc.args(["-static", "-O1", "-o"]).arg(&program).arg(source);
        match crate::lab::run::output("compiling the helper", &mut gcc) {
            Ok(_) => Ok(program),
            Err(error) => Err(format!("{error:#}")),
        }
    });
    made.as_ref()
        .map(PathBuf::as_path)
        .map_err(|error| anyhow!("{error}"))
}

/// Asks as ldd(1) does: it goes on after the first library it misses.
pub fn ask(root: &Path, file: &ElfFile) -> Result<Listing> {
    let output = Command::new(helper()?)
        .arg(root)
        .args([file.loader, &file.path])
        .output()
        .context("starting the helper")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    let mut listing = Listing {
        code: output.status.code(),
        found: Vec::new(),
        missing: BTreeSet::new(),
        versions: format!("{said}{message}")
            .lines()
            .filter_map(version)
            .collect(),
        ignored: message.lines().filter_map(ignored).collect(),
        message,
    };
    for line in said.lines().filter_map(|line| line.strip_prefix('\t')) {
        let line = line.rsplit_once(" (0x").map_or(line, |(front, _)| front);
        match line.split_once(" => ") {
            Some((name, "not found")) => {
                listing.missing.insert(name.to_owned());
            }
            // A library that is also in ld.so.preload lists itself.
            None if line == file.path => {}
            Some((name, path)) => listing.found.push((name.to_owned(), path.to_owned())),
            None if line.starts_with("linux-vdso") || line.starts_with("linux-gate") => {}
            None => listing.found.push((line.to_owned(), line.to_owned())),
        }
    }
    Ok(listing)
}

/// (library, version, what needs it) of "LIB: version `V' not found (required
/// by FILE)".
fn version(line: &str) -> Option<(String, String, String)> {
    let (front, rest) = line.split_once(": version `")?;
    let (version, rest) = rest.split_once("' not found (required by ")?;
    let library = front.rsplit_once(": ").map_or(front, |(_, path)| path);
    let by = rest.strip_suffix(')')?;
    Some((library.to_owned(), version.to_owned(), by.to_owned()))
}

/// The library of "object 'LIB' from FILE cannot be preloaded (WHY): ignored.".
fn ignored(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("ld.so: object '")?;
    let (library, rest) = rest.split_once("' from ")?;
    rest.contains("cannot be preloaded")
        .then(|| library.to_owned())
}

/// Fails with the first thing on which the two do not agree.
pub fn agreement(ours: &Closure, real: &Listing) -> Result<()> {
    let mut missing = BTreeSet::new();
    let mut refused = Vec::new();
    let mut passed_over = BTreeSet::new();
    for problem in &ours.problems {
        match problem {
            Problem::LibraryMissing { name, .. } | Problem::WrongMachine { name, .. } => {
                missing.insert(name.clone());
            }
            Problem::LinkLoop { path, .. } => {
                missing.insert(path.rsplit('/').next().unwrap_or(path).to_owned());
            }
            Problem::LibraryDamaged { path, .. } => refused.push(path.as_str()),
            Problem::PreloadIgnored { name, .. } => {
                passed_over.insert(name.clone());
            }
            // The loader needs no execute bit of a file it is given.
            Problem::VersionMissing { .. } | Problem::NotExecutable { .. } => {}
            other => bail!("unexpected: {other}; the loader: {real:?}"),
        }
    }
    ensure!(
        passed_over == real.ignored,
        "ignored {passed_over:?}; the loader {:?}",
        real.ignored
    );
    // A file that it refuses makes the loader stop without a list.
    if real.found.is_empty() && real.missing.is_empty() {
        ensure!(
            real.code == Some(127),
            "it neither listed nor refused: {real:?}"
        );
        let named = refused.iter().any(|path| real.message.contains(path));
        ensure!(named, "refused {refused:?}; the loader: {}", real.message);
        return Ok(());
    }
    ensure!(
        refused.is_empty(),
        "refused {refused:?}; the loader: {real:?}"
    );
    ensure!(
        missing == real.missing,
        "missing {missing:?}; the loader {:?}",
        real.missing
    );
    let (found, versions) = (paths(ours), lacking(ours));
    ensure!(
        versions == real.versions,
        "lacking {versions:?}; the loader {:?}",
        real.versions
    );
    let mut found: Vec<_> = found;
    // Ours names the loader also where nothing asks for it.
    if found.len() == real.found.len() + 1 && found.last().is_some_and(|(n, p)| n == p) {
        found.pop();
    }
    ensure!(
        found == real.found,
        "found {found:?}\nthe loader {:?}",
        real.found
    );
    Ok(())
}

fn paths(ours: &Closure) -> Vec<(String, String)> {
    let objects = ours.objects.iter();
    objects
        .map(|object| (object.name.clone(), object.path.clone()))
        .collect()
}

/// Our version errors by the paths that were opened.
fn lacking(ours: &Closure) -> BTreeSet<(String, String, String)> {
    let opened = |real: &String| {
        let mut objects = ours.objects.iter();
        let object = objects.find(|object| &object.real_path == real);
        object.map_or(real, |object| &object.path).clone()
    };
    let versions = ours.problems.iter().filter_map(|problem| match problem {
        Problem::VersionMissing {
            path,
            version,
            needed_by,
            ..
        } => Some((opened(path), version.clone(), opened(needed_by))),
        _ => None,
    });
    versions.collect()
}
