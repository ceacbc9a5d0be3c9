//! Disk images made by the tools that make disks: sfdisk, mkfs.ext4, mdadm.

#[path = "../schemas/mod.rs"]
#[allow(dead_code, reason = "not every test program looks at the schemas")]
mod schemas;

use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{FileExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// Sector of the RAID member on a lab disk, and of the data in it.
pub const MEMBER: u64 = 4096;
pub const DATA: u64 = MEMBER + 4096;

pub const SECTOR: u64 = 512;

/// Loop devices and mounts are root's.
pub fn is_root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        eprintln!("skipped: needs root");
    }
    root
}

/// A directory for images that goes away with the test.
pub struct Bench {
    pub dir: TempDir,
}

impl Bench {
    pub fn new() -> Self {
        Self {
            dir: tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap(),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A root tree that counts as a system; `extra` shapes it.
    pub fn tree(&self, name: &str, extra: impl Fn(&Path)) -> PathBuf {
        let root = self.path(name);
        for path in [
            "etc",
            "root",
            "usr/bin",
            "usr/sbin",
            "usr/lib",
            "usr/share",
            "var/lib/dpkg/info",
            "var/log",
            "boot",
            "proc",
            "srv",
        ] {
            fs::create_dir_all(root.join(path)).unwrap();
        }
        for name in ["bin", "sbin", "lib"] {
            symlink(format!("usr/{name}"), root.join(name)).unwrap();
        }
        fs::write(root.join("etc/fstab"), "# none\n").unwrap();
        fs::write(root.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\n").unwrap();
        fs::write(root.join("etc/hostname"), format!("{name}\n")).unwrap();
        let status =
            "Package: tool\nStatus: install ok installed\nVersion: 1\nArchitecture: all\n\n";
        fs::write(root.join("var/lib/dpkg/status"), status).unwrap();
        let mut list = String::from("/.\n/usr\n/usr/sbin\n");
        for number in 0..8 {
            list.push_str(&format!("/usr/sbin/tool{number}\n"));
            fs::write(root.join(format!("usr/sbin/tool{number}")), "tool").unwrap();
        }
        fs::write(root.join("var/lib/dpkg/info/tool.list"), list).unwrap();
        extra(&root);
        root
    }

    /// A sparse image with a partition table as sfdisk(8) reads it.
    pub fn disk(&self, name: &str, mebibytes: u64, table: &str) -> PathBuf {
        let path = self.path(name);
        File::create(&path)
            .unwrap()
            .set_len(mebibytes << 20)
            .unwrap();
        let mut sfdisk = Command::new("sfdisk")
            .args(["-q", "--no-reread", "--no-tell-kernel"])
            .arg(&path)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        use std::io::Write;
        let mut input = sfdisk.stdin.take().unwrap();
        input.write_all(table.as_bytes()).unwrap();
        drop(input);
        assert!(sfdisk.wait().unwrap().success());
        path
    }

    /// ext4 at a sector of an image, filled from a tree and labelled with its name.
    pub fn ext4(&self, image: &Path, sector: u64, kibibytes: u64, tree: Option<&Path>) {
        let mut mkfs = Command::new("mkfs.ext4");
        mkfs.args(["-q", "-F", "-O", "^resize_inode", "-E"])
            .arg(format!("offset={}", sector * SECTOR));
        if let Some(tree) = tree {
            mkfs.arg("-d")
                .arg(tree)
                .arg("-L")
                .arg(tree.file_name().unwrap());
        }
        let output = mkfs
            .arg(image)
            .arg(format!("{kibibytes}k"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    /// Both disks of a mirror: superblocks by mdadm, the data filled by mkfs on
    /// the first and the same on the second.
    pub fn mirror(&self, tree: &Path) -> [PathBuf; 2] {
        let table = "label: gpt\nstart=2048, size=2048, type=21686148-6449-6E6F-744E-656564454649\n\
                     start=4096, size=4190175, type=A19D880F-05FC-4D3B-A006-743F0F84911E\n";
        let [a, b] = ["a.img", "b.img"].map(|name| self.disk(name, 2048, table));
        self.ext4(&a, DATA, 65536, Some(tree));
        let copied = Command::new("dd")
            .args([
                "bs=512",
                "count=131072",
                "conv=notrunc,sparse",
                "status=none",
            ])
            .args([format!("if={}", a.display()), format!("skip={DATA}")])
            .args([format!("of={}", b.display()), format!("seek={DATA}")])
            .status();
        assert!(copied.unwrap().success());
        write_at(&a, superblock_at(), include_bytes!("raid1-slot0.sb"));
        write_at(&b, superblock_at(), include_bytes!("raid1-slot1.sb"));
        [a, b]
    }
}

/// Byte at which a lab disk's superblock lies.
pub fn superblock_at() -> u64 {
    (MEMBER + 8) * SECTOR
}

pub fn write_at(path: &Path, at: u64, bytes: &[u8]) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(bytes, at).unwrap();
}

/// Changes a superblock and gives it a right checksum again, as md does.
pub fn edit_superblock(path: &Path, edit: impl Fn(&mut [u8])) {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .unwrap();
    let mut bytes = vec![0; 512];
    file.read_exact_at(&mut bytes, superblock_at()).unwrap();
    edit(&mut bytes);
    let sum = lifeboot::survey::superblock::checksum(&bytes);
    bytes[216..220].copy_from_slice(&sum.to_le_bytes());
    file.write_all_at(&bytes, superblock_at()).unwrap();
}

pub fn lifeboot(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lifeboot"))
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// What `lifeboot ... --json` says, and its exit code.
pub struct Answer {
    pub code: i32,
    pub json: serde_json::Value,
    pub stderr: String,
}

impl Answer {
    pub fn of(args: &[&str]) -> Self {
        let output = lifeboot(args);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let json: serde_json::Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {stderr}"));
        schemas::check(&json).unwrap_or_else(|e| panic!("{args:?}: {e:?}"));
        Self {
            code: output.status.code().unwrap_or(-1),
            json,
            stderr,
        }
    }

    pub fn ids(&self) -> Vec<&str> {
        let findings = self.json["findings"].as_array().unwrap();
        findings.iter().map(|f| f["id"].as_str().unwrap()).collect()
    }

    pub fn verdict(&self) -> &str {
        self.json["verdict"]["kind"].as_str().unwrap()
    }
}

/// `diagnose --json --disk ...`
pub fn diagnose(disks: &[&Path]) -> Answer {
    let mut args = vec!["diagnose", "--json"];
    for disk in disks {
        args.extend(["--disk", disk.to_str().unwrap()]);
    }
    Answer::of(&args)
}

/// The loop devices that stand on `path`.
pub fn loops_on(path: &Path) -> String {
    let output = Command::new("losetup")
        .arg("-j")
        .arg(path)
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Waits until no loop device uses `path` any more, after an unmount: a program
/// that ran meanwhile may have a copy of the mount in its own namespace, and
/// the last of it is written when that goes.
#[allow(dead_code, reason = "not every test program mounts")]
pub fn wait_until_free(path: &Path) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !loops_on(path).is_empty() {
        assert!(Instant::now() < deadline, "{} stays in use", path.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn sha256(path: &Path) -> String {
    let mut file = File::open(path).unwrap();
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).unwrap() {
            0 => break,
            n => hash.update(&buffer[..n]),
        }
    }
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
