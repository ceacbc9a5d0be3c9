//! What `depmod(8)` wrote about the modules of one kernel, as text.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::alias::Aliases;

/// The modules of one kernel and what each needs.
#[derive(Debug, Default)]
pub struct Index {
    files: HashMap<String, ModuleFile>,
    built_in: HashSet<String>,
    soft: HashMap<String, SoftNeeds>,
    aliases: Aliases,
}

/// One line of `modules.dep` (modules.dep(5)).
#[derive(Debug, PartialEq, Eq)]
struct ModuleFile {
    /// Relative to the directory of the index.
    path: PathBuf,
    /// Names, in the order of the line: the last is loaded first.
    needs: Vec<String>,
}

/// What modules ask for without needing it to link (`softdep` in modprobe.d(5)).
#[derive(Debug, Default, PartialEq, Eq)]
struct SoftNeeds {
    before: Vec<String>,
    after: Vec<String>,
}

/// One module to insert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Canonical name.
    pub name: String,
    /// Without it the module that was asked for cannot be loaded.
    pub required: bool,
}

/// A module's name as the kernel writes it: `-` and `_` are the same letter.
pub fn canonical(name: &str) -> String {
    name.replace('-', "_")
}

/// The module's name from its file: `kernel/fs/ext4/ext4.ko.xz` is `ext4`.
fn name_of_file(path: &str) -> Option<String> {
    let file = path.rsplit('/').next()?;
    let (stem, _) = file.split_once(".ko")?;
    (!stem.is_empty()).then(|| canonical(stem))
}

impl Index {
    /// Reads the index files in `directory`. Only `modules.dep` must be there.
    pub fn read(directory: &Path) -> io::Result<Self> {
        let dep = read_text(&directory.join("modules.dep"))?;
        let optional = |name: &str| match read_text(&directory.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            other => other,
        };
        Ok(Self::parse(
            &dep,
            &optional("modules.builtin")?,
            &optional("modules.softdep")?,
            &optional("modules.alias")?,
        ))
    }

    /// Parses the texts of the four files; lines without sense are skipped.
    pub fn parse(dep: &str, built_in: &str, soft: &str, alias: &str) -> Self {
        Self {
            files: dep.lines().filter_map(parse_dep_line).collect(),
            built_in: built_in.lines().filter_map(name_of_file).collect(),
            soft: parse_soft(soft),
            aliases: Aliases::parse(alias),
        }
    }

    /// Whether the kernel has `name` (canonical) without loading anything.
    pub fn is_built_in(&self, name: &str) -> bool {
        self.built_in.contains(name)
    }

    /// False where nothing was said of what is built in: every kernel has some.
    pub fn knows_built_in(&self) -> bool {
        !self.built_in.is_empty()
    }

    /// The file of `name` (canonical), relative to the index.
    pub fn file(&self, name: &str) -> Option<&Path> {
        self.files.get(name).map(|file| file.path.as_path())
    }

    /// Names of all modules that are files, sorted.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.files.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    /// The modules that `word` stands for: itself, or those that claim it as
    /// an alias. Empty for what is built in and for what nobody knows.
    pub fn resolve(&self, word: &str) -> Vec<&str> {
        let name = canonical(word);
        if let Some((name, _)) = self.files.get_key_value(&name) {
            return vec![name];
        }
        if self.is_built_in(&name) {
            return Vec::new();
        }
        self.aliases.modules_for(word)
    }

    /// What to insert, in this order, to have `name` (canonical).
    pub fn plan(&self, name: &str) -> Vec<Step> {
        let mut steps = Vec::new();
        self.visit(name, true, &mut HashSet::new(), &mut steps);
        steps
    }

    fn visit(&self, name: &str, required: bool, seen: &mut HashSet<String>, steps: &mut Vec<Step>) {
        if self.is_built_in(name) {
            return;
        }
        if !seen.insert(name.to_owned()) {
            if required {
                self.raise(name, steps);
            }
            return;
        }
        let none = SoftNeeds::default();
        let soft = self.soft.get(name).unwrap_or(&none);
        for word in &soft.before {
            for module in self.resolve(word) {
                self.visit(module, false, seen, steps);
            }
        }
        if let Some(file) = self.files.get(name) {
            for need in file.needs.iter().rev() {
                self.visit(need, required, seen, steps);
            }
        }
        steps.push(Step {
            name: name.to_owned(),
            required,
        });
        for word in &soft.after {
            for module in self.resolve(word) {
                self.visit(module, false, seen, steps);
            }
        }
    }

    /// Somebody only wished for `name` before; now it is needed.
    fn raise(&self, name: &str, steps: &mut [Step]) {
        let needs = self.files.get(name).map(|file| file.needs.as_slice());
        for step in steps {
            if step.name == name || needs.is_some_and(|needs| needs.contains(&step.name)) {
                step.required = true;
            }
        }
    }
}

fn read_text(path: &Path) -> io::Result<String> {
    let bytes = fs::read(path)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn parse_dep_line(line: &str) -> Option<(String, ModuleFile)> {
    let (path, needs) = line.split_once(':')?;
    let name = name_of_file(path)?;
    let needs = needs
        .split_ascii_whitespace()
        .filter_map(name_of_file)
        .collect();
    let path = PathBuf::from(path);
    Some((name, ModuleFile { path, needs }))
}

fn parse_soft(text: &str) -> HashMap<String, SoftNeeds> {
    let mut all: HashMap<String, SoftNeeds> = HashMap::new();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        if words.next() != Some("softdep") {
            continue;
        }
        let Some(name) = words.next() else { continue };
        let needs = all.entry(canonical(name)).or_default();
        // Words before the first `pre:` or `post:` mean nothing to libkmod.
        let mut list: Option<&mut Vec<String>> = None;
        for word in words {
            match word {
                "pre:" => list = Some(&mut needs.before),
                "post:" => list = Some(&mut needs.after),
                word => {
                    if let Some(list) = &mut list {
                        list.push(word.to_owned());
                    }
                }
            }
        }
    }
    all
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
