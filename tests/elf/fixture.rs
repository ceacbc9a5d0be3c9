//! Programs and libraries made by the C compiler, and the real loader's
//! opinion of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lifeboot::facts::elf::{Closure, Loader, Problem};
use lifeboot::sys::root_dir::RootDir;

/// The loader of the machine the tests run on.
pub const REAL_LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

/// A directory for one test's files. They are looked at from the root `/`, so
/// that the real loader sees the same paths.
pub struct Fixture {
    _dir: tempfile::TempDir,
    /// The directory's path without any link.
    pub path: PathBuf,
}

impl Fixture {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().canonicalize().unwrap();
        Self { _dir: dir, path }
    }

    /// The absolute path of a file in it.
    pub fn at(&self, name: &str) -> String {
        self.path.join(name).to_str().unwrap().to_owned()
    }

    /// Compiles a library with the soname `soname`. `@` in an argument stands
    /// for the fixture's directory.
    pub fn library(&self, name: &str, soname: &str, arguments: &[&str]) {
        let soname = format!("-Wl,-soname,{soname}");
        let mut all = vec!["-shared", "-fPIC", "-nostdlib", &soname];
        all.extend(arguments);
        self.compile(name, &symbol(name), &all);
    }

    /// Compiles a program.
    pub fn program(&self, name: &str, arguments: &[&str]) {
        self.compile(name, "int main(void){return 0;}", arguments);
    }

    pub fn compile(&self, name: &str, source: &str, arguments: &[&str]) {
        let output = self.path.join(name);
        fs::create_dir_all(output.parent().unwrap()).unwrap();
        let source_file = output.with_extension("c");
        fs::write(&source_file, source).unwrap();
        let directory = self.path.to_str().unwrap();
        let done = Command::new("gcc")
            .args(["-Wl,--no-as-needed", "-Wl,--allow-shlib-undefined", "-o"])
            .arg(&output)
            .arg(&source_file)
            .args(arguments.iter().map(|a| a.replace('@', directory)))
            .output()
            .unwrap();
        let message = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{name}: {message}");
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub fn link(&self, name: &str, target: &str) {
        let path = self.path.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
    }

    pub fn remove(&self, name: &str) {
        fs::remove_file(self.path.join(name)).unwrap();
    }

    /// Our answer for a file in it.
    pub fn closure(&self, name: &str) -> Closure {
        let root = RootDir::open("/").unwrap();
        Loader::open(&root).closure(&self.at(name))
    }

    /// Like [`Fixture::agreed`], with `LD_LIBRARY_PATH`, in which `@` stands for
    /// the fixture's directory.
    pub fn agreed_told(&self, name: &str, library_path: &str) -> (Vec<String>, Vec<Problem>) {
        let library_path = library_path.replace('@', self.path.to_str().unwrap());
        let root = RootDir::open("/").unwrap();
        let closure = Loader::open(&root).closure_with(&self.at(name), &library_path);
        let real = listed_told(Path::new("/"), Path::new(&self.at(name)), &library_path);
        self.compared(closure, &real)
    }

    /// Our answer, which must be the same as the real loader's; gives the
    /// paths of the fixture's own libraries, relative to it.
    pub fn agreed(&self, name: &str) -> (Vec<String>, Vec<Problem>) {
        let closure = self.closure(name);
        let real = listed(Path::new(&self.at(name)));
        self.compared(closure, &real)
    }

    fn compared(&self, closure: Closure, real: &Listing) -> (Vec<String>, Vec<Problem>) {
        assert_agreement(&closure, real);
        let prefix = format!("{}/", self.path.to_str().unwrap());
        let own = closure.objects.iter();
        let own = own.filter_map(|object| object.path.strip_prefix(&prefix));
        (own.map(str::to_owned).collect(), closure.problems)
    }
}

/// A function that makes libraries of different names differ.
fn symbol(name: &str) -> String {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("int of_{plain}(void){{return 1;}}")
}

/// What the real loader says.
#[derive(Debug)]
pub struct Listing {
    pub succeeded: bool,
    /// (name, path) in load order; no path when not found.
    pub objects: Vec<(String, Option<String>)>,
    pub message: String,
}

/// Runs `ld.so --list` on one of this machine's own files.
pub fn listed(path: &Path) -> Listing {
    listed_in(Path::new("/"), path)
}

/// Runs a root's own `ld.so --list` in that root.
pub fn listed_in(root: &Path, path: &Path) -> Listing {
    listed_told(root, path, "")
}

fn listed_told(root: &Path, path: &Path, library_path: &str) -> Listing {
    let mut command = Command::new(REAL_LOADER);
    if root != Path::new("/") {
        command = Command::new("/usr/sbin/chroot");
        command.arg(root).arg(REAL_LOADER);
    }
    let done = command
        .arg("--list")
        .arg(path)
        .env_clear()
        .env("LD_LIBRARY_PATH", library_path)
        .current_dir("/")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&done.stdout);
    let objects = text.lines().filter_map(listed_object).collect();
    Listing {
        succeeded: done.status.success(),
        objects,
        message: String::from_utf8_lossy(&done.stderr).into_owned(),
    }
}

fn listed_object(line: &str) -> Option<(String, Option<String>)> {
    let line = line.strip_prefix('\t')?;
    let without_address = line.rsplit_once(" (0x").map_or(line, |(front, _)| front);
    let (name, path) = match without_address.split_once(" => ") {
        Some((name, "not found")) => (name, None),
        Some((name, path)) => (name, Some(path)),
        None => (without_address, Some(without_address)),
    };
    let is_kernels = name.starts_with("linux-vdso") || name == "statically linked";
    (!is_kernels).then(|| (name.to_owned(), path.map(str::to_owned)))
}

/// (library's file name, version, file name of what needs it) of each line
/// "LIB: version `V' not found (required by PROGRAM)".
fn lacking_versions(message: &str) -> BTreeSet<(String, String, String)> {
    let lacking = message.lines().filter_map(|line| {
        let (front, rest) = line.split_once(": version `")?;
        let (version, rest) = rest.split_once("' not found (required by ")?;
        let library = front.rsplit_once(": ").map_or(front, |(_, path)| path);
        Some((
            base(library),
            version.to_owned(),
            base(rest.strip_suffix(')')?),
        ))
    });
    lacking.collect()
}

fn base(path: &str) -> String {
    path.rsplit('/').next().unwrap().to_owned()
}

/// The same of our answer, by the names the loader opened.
fn our_lacking_versions(ours: &Closure) -> BTreeSet<(String, String, String)> {
    let opened = |real_path: &String| {
        let mut objects = ours.objects.iter();
        let object = objects.find(|object| &object.real_path == real_path);
        base(object.map_or(real_path, |object| &object.path))
    };
    let lacking = ours.problems.iter().filter_map(|problem| match problem {
        Problem::VersionMissing {
            path,
            version,
            needed_by,
            ..
        } => Some((opened(path), version.clone(), opened(needed_by))),
        _ => None,
    });
    lacking.collect()
}

/// Both found the same paths for the same names in the same order, miss the
/// same names, and agree on whether the program starts.
pub fn assert_agreement(ours: &Closure, real: &Listing) {
    if let Err(difference) = agreement(ours, real) {
        panic!("{}: {difference}", ours.program);
    }
}

pub fn agreement(ours: &Closure, real: &Listing) -> Result<(), String> {
    let missing = |name: &String| {
        ours.problems.iter().any(|problem| match problem {
            Problem::LibraryMissing { name: ours, .. } => ours == name,
            Problem::WrongMachine { name: ours, .. } => ours == name,
            Problem::LinkLoop { path, .. } => path.ends_with(&format!("/{name}")),
            _ => false,
        })
    };
    for (name, path) in &real.objects {
        if path.is_none() && !missing(name) {
            return Err(format!("{name} is not found by the real loader"));
        }
    }
    // It lists a program that lacks a version, too, and exits with 0.
    let lacks_version = real.message.lines().any(|line| {
        line.contains(" version `") && line.contains("' not found") && !line.contains(" weak ")
    });
    let lacks_library = real.objects.iter().any(|(_, path)| path.is_none());
    let starts = real.succeeded && !lacks_version && !lacks_library;
    if starts != ours.starts() {
        let message = &real.message;
        return Err(format!(
            "starts {starts} {message:?}, we say {:#?}",
            ours.problems
        ));
    }
    let (their_versions, our_versions) =
        (lacking_versions(&real.message), our_lacking_versions(ours));
    // What it says about a file that it refuses, it says instead.
    if real.succeeded && their_versions != our_versions {
        return Err(format!(
            "lacks {their_versions:#?}, we say {our_versions:#?}"
        ));
    }
    // A file that it refuses makes the real loader stop without a list.
    let is_stopped = real.objects.is_empty() && !real.succeeded;
    let found = real
        .objects
        .iter()
        .filter_map(|(name, path)| Some((name, path.as_ref()?)));
    let found: Vec<_> = found.collect();
    let objects = ours.objects.iter();
    let mut objects: Vec<_> = objects.map(|object| (&object.name, &object.path)).collect();
    // It does not list itself where nothing asks for it.
    if found.len() < objects.len() && objects.last().is_some_and(|(name, path)| name == path) {
        objects.pop();
    }
    if !is_stopped && found != objects {
        return Err(format!("real loader: {found:#?}\nwe: {objects:#?}"));
    }
    Ok(())
}
