//! The layout builder's system: Debian's own storage tools in one initramfs.

use std::fs;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use walkdir::WalkDir;

use super::base::{self, Kernel};
use super::cpio::Archive;
use super::qemu::{Direct, Machine};
use super::suite::Suite;
use super::{cache, mirror, run, system_tree};

/// The programs that make what is found on rented servers.
const PACKAGES: &str = "\
    mdadm lvm2 thin-provisioning-tools cryptsetup-bin btrfs-progs xfsprogs \
    dosfstools e2fsprogs fdisk gdisk kmod mount util-linux \
    linux-image-cloud-amd64";

/// Folders of the tools' tree that no tool needs.
const LEFT_OUT: [&str; 12] = [
    "boot",
    "var",
    "usr/share",
    "usr/include",
    "usr/lib/systemd",
    "usr/lib/apt",
    "usr/lib/python3",
    "usr/lib/x86_64-linux-gnu/gconv",
    "usr/lib/x86_64-linux-gnu/perl",
    "usr/lib/x86_64-linux-gnu/perl-base",
    "etc/ssl",
    "usr/lib/modules",
];

/// Of the kernel's modules only these folders.
const MODULES: [&str; 6] = [
    "kernel/arch",
    "kernel/crypto",
    "kernel/drivers/block",
    "kernel/drivers/md",
    "kernel/fs",
    "kernel/lib",
];

/// Libraries that only programs link which no layout needs.
const LEFT_OUT_FILES: [&str; 3] = ["libicudata", "libicui18n", "libicuuc"];

const INIT: &str = include_str!("../layouts/init");

/// A kernel and an initramfs that lacks only the layout's own script.
#[derive(Debug)]
pub struct Tools {
    /// The kernel that fits the modules inside.
    pub kernel: Kernel,
    /// The uncompressed archive.
    pub initramfs: PathBuf,
}

/// The tools, installed by mmdebstrap when they are not cached.
pub fn tools() -> Result<Tools> {
    let root = cache::entry("tools", &[PACKAGES], install)?.join("root");
    let name = root.display().to_string();
    let lists = [LEFT_OUT.as_slice(), &MODULES, &LEFT_OUT_FILES].concat();
    let mut inputs = vec![name.as_str(), INIT, system_tree::RECIPE];
    inputs.extend(&lists);
    let packed = cache::entry("builder", &inputs, |dir| pack(&root, dir))?;
    Ok(Tools {
        kernel: base::kernel(&root)?,
        initramfs: packed.join("builder.cpio"),
    })
}

/// The image that [`Tools::machine`] makes in its folder.
const IMAGE: &str = "tools.initramfs";

impl Tools {
    /// A machine with `disks` that runs the shell script `layout` among
    /// `files`. The folder `dir` gets its image, until [`forget`].
    pub fn machine(
        &self,
        disks: &[PathBuf],
        layout: &str,
        files: &[(&str, &[u8])],
        dir: &Path,
    ) -> Result<Machine> {
        let mut archive = Archive::new(Vec::new());
        for (name, content) in files {
            archive.program(name, content)?;
        }
        let mut image = fs::read(&self.initramfs)
            .with_context(|| format!("reading {}", self.initramfs.display()))?;
        image.resize(image.len().next_multiple_of(512), 0);
        image.extend(archive.finish()?);
        let initramfs = dir.join(IMAGE);
        fs::write(&initramfs, image).with_context(|| format!("writing {}", initramfs.display()))?;
        Ok(Machine::with_disks(disks).direct(Direct {
            kernel: self.kernel.image.clone(),
            initramfs,
            // Unknown NAME=VALUE words become the environment of /init.
            command_line: format!(
                "console=ttyS0 quiet panic=-1 rdinit=/lab-init lab_disks={} lab_layout={layout}",
                disks.len(),
            ),
        }))
    }
}

/// How long a session with the tools may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a session with the tools left behind.
#[derive(Debug)]
pub struct Ended {
    /// What it wrote to its second serial line.
    pub output: String,
    /// Its console.
    pub console: String,
    /// Where that is kept.
    pub log: PathBuf,
}

/// Runs `script` in a machine that has the tools, `files` and `disks`.
pub fn session(
    disks: &[PathBuf],
    script: &str,
    files: &[(&str, &[u8])],
    work: &Path,
    name: &str,
) -> Result<Ended> {
    // Nothing is stopped at its end: what the script started is there.
    let script = format!("stty -F /dev/ttyS1 raw\n{script}\necho LAB-DONE\noff\n");
    let mut all = vec![("layout", script.as_bytes())];
    all.extend_from_slice(files);
    let running = tools()?
        .machine(disks, name, &all, work)?
        .start(work, name)?;
    let data = running.data.clone();
    let console = running.power_off(PATIENCE)?;
    forget(work)?;
    let log = work.join(format!("{name}.log"));
    ensure!(
        console.contains("LAB-DONE"),
        "the session with the tools failed, see {}; it ended with:\n{}",
        log.display(),
        run::tail(&console)
    );
    let output = fs::read(&data).with_context(|| format!("reading {}", data.display()))?;
    Ok(Ended {
        output: String::from_utf8_lossy(&output).into_owned(),
        console,
        log,
    })
}

/// Removes the image of a machine that has ended: it is large.
pub fn forget(dir: &Path) -> Result<()> {
    let path = dir.join(IMAGE);
    fs::remove_file(&path).with_context(|| format!("removing {}", path.display()))
}

fn install(dir: &Path) -> Result<()> {
    let packages: Vec<&str> = PACKAGES.split_whitespace().collect();
    run::logged(
        "installing the storage tools",
        &dir.join("mmdebstrap.log"),
        Command::new("mmdebstrap")
            .arg("--mode=root")
            .arg("--variant=apt")
            .arg("--aptopt=APT::Install-Recommends \"false\"")
            .arg(format!("--include={}", packages.join(",")))
            .arg(Suite::Bookworm.name())
            .arg(dir.join("root"))
            .arg(mirror::debian()?)
            .env("LC_ALL", "C"),
    )
}

fn pack(root: &Path, dir: &Path) -> Result<()> {
    let path = dir.join("builder.cpio");
    let file = fs::File::create(&path).with_context(|| format!("creating {}", path.display()))?;
    let mut archive = Archive::new(BufWriter::new(file));
    for folder in LEFT_OUT.iter().filter(|path| **path != "boot") {
        archive_folder(&mut archive, folder)?;
    }
    add(&mut archive, root, Path::new(""), &wanted)?;
    let kernel = base::kernel(root)?;
    let modules = Path::new("usr/lib/modules").join(&kernel.release);
    archive.folder(text(&modules)?)?;
    add(&mut archive, root, &modules, &|path| {
        let Ok(inner) = path.strip_prefix(&modules) else {
            return false;
        };
        let list = inner.starts_with("kernel") || inner.to_string_lossy().starts_with("modules.");
        let chosen = MODULES
            .iter()
            .any(|folder| inner.starts_with(folder) || Path::new(folder).starts_with(inner));
        list && (chosen || !inner.starts_with("kernel"))
    })?;
    let tree = dir.join("tree");
    system_tree::write(&tree)?;
    archive.folder("tree")?;
    for entry in walk(&tree) {
        let entry = entry?;
        let inner = entry.path().strip_prefix(&tree)?;
        put(&mut archive, entry.path(), &Path::new("tree").join(inner))?;
    }
    fs::remove_dir_all(&tree).with_context(|| format!("removing {}", tree.display()))?;
    archive.program("lab-init", INIT.as_bytes())?;
    archive.finish()?.into_inner()?;
    Ok(())
}

/// The parents of a folder that is left out are there by themselves; it is
/// made empty, for programs that write into it.
fn archive_folder<W: std::io::Write>(archive: &mut Archive<W>, path: &str) -> Result<()> {
    let mut parent = PathBuf::new();
    for part in Path::new(path) {
        parent.push(part);
        archive.folder(text(&parent)?)?;
    }
    Ok(())
}

fn wanted(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    !LEFT_OUT.iter().any(|folder| path.starts_with(folder))
        && !LEFT_OUT_FILES.iter().any(|start| name.starts_with(start))
}

/// Adds what lies under `root/inner` and is `wanted`, by its path in `root`.
fn add<W: std::io::Write>(
    archive: &mut Archive<W>,
    root: &Path,
    inner: &Path,
    wanted: &dyn Fn(&Path) -> bool,
) -> Result<()> {
    let entries = WalkDir::new(root.join(inner))
        .min_depth(1)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|entry| entry.path().strip_prefix(root).is_ok_and(wanted));
    for entry in entries {
        let entry = entry?;
        put(archive, entry.path(), entry.path().strip_prefix(root)?)?;
    }
    Ok(())
}

fn walk(tree: &Path) -> walkdir::IntoIter {
    WalkDir::new(tree)
        .min_depth(1)
        .sort_by_file_name()
        .into_iter()
}

fn put<W: std::io::Write>(archive: &mut Archive<W>, from: &Path, name: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;

    let meta = from.symlink_metadata()?;
    let name = text(name)?;
    if meta.is_dir() {
        archive.folder(name)?;
    } else if meta.is_symlink() {
        archive.link(name, text(&fs::read_link(from)?)?)?;
    } else if meta.is_file() {
        let content = fs::read(from).with_context(|| format!("reading {}", from.display()))?;
        if meta.permissions().mode() & 0o111 == 0 {
            archive.file(name, &content)?;
        } else {
            archive.program(name, &content)?;
        }
    }
    Ok(())
}

fn text(path: &Path) -> Result<&str> {
    path.to_str()
        .with_context(|| format!("{}: a path that is no text", path.display()))
}
