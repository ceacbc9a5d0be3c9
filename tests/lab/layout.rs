//! A layout: disks as a hoster or an accident leaves them, made by the real
//! tools, and what must be said about them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use super::boot::Boot;
use super::qemu::Machine;
use super::suite::Suite;
use super::{cache, disks, repo, tools};

const PATIENCE: Duration = Duration::from_secs(120);

/// One pair of files in `tests/layouts`: `NAME.toml`, and `NAME.sh` unless the
/// disks are those of a server that really ran.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layout {
    /// The file's name without its ending.
    #[serde(skip)]
    pub name: String,
    /// The layout in one sentence.
    pub title: String,
    /// The size of each disk in MiB.
    #[serde(default)]
    pub disks: Vec<u64>,
    /// Instead of a script: boot the lab's healthy server once for each
    /// element, with only the disks that it lists.
    #[serde(default)]
    pub boots: Vec<Vec<usize>>,
    /// Tried by every run of the tests, not only by `scripts/corpus`.
    #[serde(default)]
    pub ci: bool,
    /// What is seen with which disks.
    pub case: BTreeMap<String, Expected>,
}

/// What must be said about the disks of a layout, or some of them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expected {
    /// Which disks the machine has, when not all.
    pub disks: Option<Vec<usize>>,
    /// What the root calls itself; absent: no single root is opened.
    pub root: Option<String>,
    /// How the search ends; by default `found` with a root, else `none`.
    pub search: Option<String>,
    /// Exactly these finding ids of the stages storage, hardware and root.
    pub findings: Vec<String>,
    /// What the text of `survey` must contain, in this order.
    #[serde(default)]
    pub survey: Vec<String>,
    /// More arguments for `diagnose`.
    #[serde(default)]
    pub arguments: String,
    /// Whether the root has exactly the packages of the lab's own tree.
    #[serde(default = "yes")]
    pub packages: bool,
    /// Bash that a foreign rescue system, one with the builder's tools, runs
    /// before Lifeboot is started in it.
    pub before: Option<String>,
    /// The foreign rescue system itself changes the disks.
    #[serde(default)]
    pub changes: bool,
}

fn yes() -> bool {
    true
}

impl Layout {
    /// All layouts, by name.
    pub fn all() -> Result<Vec<Self>> {
        let folder = repo().join("tests/layouts");
        let mut layouts = Vec::new();
        let entries =
            fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == "toml") {
                layouts.push(Self::read(&path)?);
            }
        }
        layouts.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(layouts)
    }

    fn read(path: &Path) -> Result<Self> {
        let text =
            fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        let mut layout: Self =
            toml::from_str(&text).with_context(|| format!("parsing {}", path.display()))?;
        let name = path.file_stem().unwrap_or_default();
        layout.name = name.to_string_lossy().into_owned();
        ensure!(
            layout.disks.is_empty() != layout.boots.is_empty(),
            "{}: either disks or boots",
            path.display()
        );
        Ok(layout)
    }

    /// Its disk images, made when they are not cached. Not to be changed.
    pub fn images(&self) -> Result<Vec<PathBuf>> {
        if self.boots.is_empty() {
            self.built()
        } else {
            self.booted()
        }
    }

    fn built(&self) -> Result<Vec<PathBuf>> {
        let path = repo().join(format!("tests/layouts/{}.sh", self.name));
        let script =
            fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let tools = tools::tools()?;
        let builder = tools.initramfs.display().to_string();
        let sizes = format!("{:?}", self.disks);
        let inputs = [builder.as_str(), &script, &sizes];
        let entry = cache::entry(&format!("layout-{}", self.name), &inputs, |dir| {
            self.build(&tools, &script, dir)
        })?;
        Ok(self.files(&entry))
    }

    fn files(&self, dir: &Path) -> Vec<PathBuf> {
        (0..self.disks.len())
            .map(|number| dir.join(format!("disk{number}.img")))
            .collect()
    }

    fn build(&self, tools: &tools::Tools, script: &str, dir: &Path) -> Result<()> {
        let files = self.files(dir);
        for (path, mebibytes) in files.iter().zip(&self.disks) {
            File::create(path)
                .and_then(|file| file.set_len(mebibytes << 20))
                .with_context(|| format!("creating {}", path.display()))?;
        }
        let machine = tools.machine(&files, &self.name, &[("layout", script.as_bytes())], dir)?;
        let console = machine.start(dir, "build")?.power_off(PATIENCE)?;
        ensure!(
            console.contains("LAB-DONE"),
            "{} was not made, see {}",
            self.name,
            dir.join("build.log").display()
        );
        tools::forget(dir)
    }

    /// The healthy server's disks after it ran on some of them and was cut off.
    fn booted(&self) -> Result<Vec<PathBuf>> {
        let source = disks::healthy(Suite::Bookworm)?;
        let name = format!("{:?}", source.disks());
        let boots = format!("{:?}", self.boots);
        let entry = cache::entry(&format!("layout-{}", self.name), &[&name, &boots], |dir| {
            let files = source.copy_to(dir)?.disks();
            for (number, present) in self.boots.iter().enumerate() {
                let chosen = choose(&files, present)?;
                let machine = Machine::with_disks(&chosen);
                let (_running, boot) = machine.boot(dir, &format!("boot{number}"))?;
                match boot {
                    Boot::Login => {}
                    other => bail!("with the disks {present:?} it did not boot: {other}"),
                }
            }
            Ok(())
        })?;
        Ok(super::legs::Legs::in_folder(&entry).disks())
    }
}

/// The images with these numbers.
pub fn choose(images: &[PathBuf], numbers: &[usize]) -> Result<Vec<PathBuf>> {
    numbers
        .iter()
        .map(|number| {
            let image = images.get(*number);
            image.cloned().with_context(|| format!("no disk {number}"))
        })
        .collect()
}
