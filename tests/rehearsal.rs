//! A rehearsal on a real Debian root: the patient is not changed by it, what is
//! committed is what was rehearsed, and undo gives the tree back.

mod lab;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail, ensure};
use libtest_mimic::{Arguments, Trial};
use lifeboot::journal::{self, Action, Header};
use lifeboot::rehearsal::{Attempt, Rehearsal, Rehearsed, Work};
use lifeboot::repairs::Program;
use lifeboot::survey::Survey;
use lifeboot::sys::consent::WriteToken;
use lifeboot::sys::contained;
use lifeboot::sys::root_dir::RootDir;
use lifeboot::sysroot::directory;
use lifeboot::sysroot::layers::Scratch;
use serde_json::Value;

use lab::manifest::Manifest;
use lab::mounts::{Overlay, with_mount_program};
use lab::suite::Suite;
use lab::{LIFEBOOT, base, program};

fn main() -> ExitCode {
    if contained::is_our_role() {
        return ExitCode::from(contained::play());
    }
    let trial = |name: &'static str, test: fn(&Path) -> Result<()>| -> Trial {
        program::trial(name, format!("rehearsal-{name}"), test)
    };
    let trials = vec![
        trial("every-kind-of-change", every_kind_of_change),
        trial("after-moves", after_moves),
        trial("further-filesystem", further_filesystem),
        trial("full-scratch", full_scratch),
        trial("failing-program", failing_program),
        trial("patient-changed-since", patient_changed_since),
        trial("no-place-to-rehearse", no_place_to_rehearse),
        trial("output-of-programs", output_of_programs),
    ];
    program::run_trials(Arguments::from_args(), Ok(trials))
}

/// All that programs do to a tree.
const CHANGES: &str = r#"
set -e
echo new > /etc/new; chmod 640 /etc/new; chown 7:8 /etc/new
touch -d 2001-02-03 /etc/new
mkdir -p /srv/deep/er; chmod 2750 /srv/deep; echo x > /srv/deep/er/x
ln /etc/new /srv/deep/same; ln -s ../nowhere /srv/deep/link; chown -h 9:9 /srv/deep/link
mkfifo -m 622 /srv/deep/fifo; mknod -m 600 /srv/deep/node c 1 3
dd if=/dev/zero of=/srv/deep/sparse bs=1M seek=40 count=1 2> /dev/null
rm /etc/issue; rm -r /usr/share/doc/bash
rm -r /usr/share/doc/dpkg; echo file > /usr/share/doc/dpkg
rm -r /usr/share/doc/tar; mkdir /usr/share/doc/tar; echo other > /usr/share/doc/tar/only
echo mine > /usr/share/doc/tar/copyright
perl -e 'rename("/usr/share/doc/sed", "/srv/moved") or die "no: $!"'
mkdir /srv/around; perl -e 'rename("/usr/share/doc/grep", "/srv/around/grep") or die "no: $!"'
echo more > /srv/around/grep/more; rm /srv/around/grep/copyright
perl -e '$d = "/usr/share/doc/gzip"; rename($d, "$d~") && rename("$d~", $d) or die "no: $!"'
rm -r /usr/share/doc/hostname; perl -e '$d = "/usr/share/doc";
    rename("$d/login", "$d/hostname") or die "no: $!"'
mv /etc/hosts.allow /etc/hosts.was 2> /dev/null || mv /etc/networks /etc/networks.was
sed -i s/root/ROOT/ /etc/shadow-; chmod u+s /usr/bin/env
chmod 1777 /usr/local/lib; chown 5:6 /usr/local/lib
touch -r /etc/passwd /etc/passwd
mkdir /gone; rmdir /gone; echo short > /etc/short; rm /etc/short
cp -a /usr/bin/true /usr/bin/true.too; mv /usr/bin/true.too /usr/bin/true
perl -e 'use Socket; socket(S, PF_UNIX, SOCK_STREAM, 0); bind(S, sockaddr_un("/srv/sock"))'
"#;

fn every_kind_of_change(work: &Path) -> Result<()> {
    let patient = Overlay::over(&base::root(Suite::Bookworm)?, work)?;
    let root = patient.path();
    let before = Manifest::of(root)?;
    let scratch = Scratch::new(None)?;
    let (rehearsed, wanted) = rehearse(root, &scratch, &[], CHANGES)?;
    before
        .expect_same(&Manifest::of(root)?)
        .context("the rehearsal changed the patient")?;
    let has = |test: fn(&Action) -> bool| rehearsed.actions.iter().any(test);
    ensure!(has(|a| matches!(a, Action::Attributes { .. })));
    ensure!(has(|a| matches!(
        a,
        Action::Install {
            same_as: Some(_),
            ..
        }
    )));
    // What was only touched, and what came and went, is not there.
    for path in [
        "/etc/passwd",
        "/gone",
        "/etc/short",
        "/usr/sbin/policy-rc.d",
        "/srv/sock",
    ] {
        let named = rehearsed
            .actions
            .iter()
            .find(|a| a.path() == Path::new(path));
        ensure!(named.is_none(), "{named:?}");
    }
    ensure!(rehearsed.actions.len() < 60, "{:#?}", rehearsed.actions);
    let id = commit(root, &rehearsed)?;
    same(&seen(root)?, &wanted).context("the commit is not what was rehearsed")?;
    let sparse = fs::metadata(root.join("srv/deep/sparse"))?;
    ensure!(
        sparse.blocks() * 512 < sparse.len() / 4,
        "the holes are filled"
    );
    take_back(root, &id)?;
    before.expect_same(&Manifest::of(root)?)
}

/// Programs run on what the plan's own moves leave, directories included.
fn after_moves(work: &Path) -> Result<()> {
    let patient = Overlay::over(&base::root(Suite::Bookworm)?, work)?;
    let root = patient.path();
    fs::rename(root.join("usr/sbin"), root.join("usr/sbin.backup"))?;
    std::os::unix::fs::symlink("bin", root.join("usr/sbin"))?;
    let before = Manifest::of(root)?;
    let actions = [
        Action::Quarantine {
            path: "/usr/sbin".into(),
        },
        Action::Rename {
            from: "/usr/sbin.backup".into(),
            to: "/usr/sbin".into(),
        },
    ];
    let scratch = Scratch::new(None)?;
    let script = "set -e; test -x /usr/sbin/chroot; echo tool > /usr/sbin/new-tool; \
                  rm /usr/sbin/chroot; /usr/sbin/ldconfig";
    let (rehearsed, wanted) = rehearse(root, &scratch, &actions, script)?;
    ensure!(rehearsed.actions[..2] == actions);
    let id = commit(root, &rehearsed)?;
    same(&seen(root)?, &wanted)?;
    ensure!(root.join("usr/sbin/new-tool").is_file());
    take_back(root, &id)?;
    before.expect_same(&Manifest::of(root)?)
}

/// A /boot of its own has its own layer, and its own place for what is taken
/// away.
fn further_filesystem(work: &Path) -> Result<()> {
    let patient = Overlay::over(&base::root(Suite::Bookworm)?, work)?;
    let root = patient.path();
    let lower = work.join("lower");
    fs::create_dir_all(&lower)?;
    let other = Overlay::over(&lower, &work.join("other"))?;
    let boot = with_mount_program(&["--bind"], other.path(), &root.join("boot"))?;
    fs::write(boot.path().join("initrd.img-1"), "old")?;
    fs::create_dir(boot.path().join("grub"))?;
    let before = [Manifest::of(root)?, Manifest::of(boot.path())?];
    let scratch = Scratch::new(None)?;
    let script = "set -e; echo new > /boot/initrd.img-1; echo cfg > /boot/grub/grub.cfg; \
                  echo etc > /etc/also";
    let (rehearsed, wanted) = rehearse(root, &scratch, &[], script)?;
    ensure!(fs::read_to_string(boot.path().join("initrd.img-1"))? == "old");
    let id = commit(root, &rehearsed)?;
    same(&seen(root)?, &wanted)?;
    let kept = boot
        .path()
        .join(".lifeboot/journal")
        .join(&id)
        .join("quarantine");
    ensure!(fs::read_dir(&kept)?.count() == 1, "{}", kept.display());
    take_back(root, &id)?;
    before[0].expect_same(&Manifest::of(root)?)?;
    before[1].expect_same(&Manifest::of(boot.path())?)
}

fn full_scratch(work: &Path) -> Result<()> {
    let patient = Overlay::over(&base::root(Suite::Bookworm)?, work)?;
    let before = Manifest::of(patient.path())?;
    let small = with_mount_program(
        &["-t", "tmpfs", "-o", "size=3m"],
        Path::new("lab"),
        &work.join("small"),
    )?;
    let scratch = Scratch::new(Some(small.path()))?;
    let error = match rehearse(
        patient.path(),
        &scratch,
        &[],
        "head -c 8M /dev/zero > /root/x",
    ) {
        Err(error) => format!("{error:#}"),
        Ok(_) => bail!("it went well"),
    };
    ensure!(
        error.contains("is full") && error.contains("--scratch DIR"),
        "{error}"
    );
    before.expect_same(&Manifest::of(patient.path())?)
}

fn failing_program(work: &Path) -> Result<()> {
    let patient = Overlay::over(&base::root(Suite::Bookworm)?, work)?;
    let before = Manifest::of(patient.path())?;
    let scratch = Scratch::new(None)?;
    let script = "echo all well; echo error: no such luck:; echo '  the reason'; exit 3";
    let sysroot = directory::open(patient.path(), &Survey::default())?;
    match Rehearsal::of(&sysroot, &scratch, running(&[shell(script)]), &mut |_| {})? {
        Attempt::Failed { why, .. } => ensure!(
            why.ends_with("ended with code 3: error: no such luck: the reason"),
            "{why}"
        ),
        _ => bail!("it went well"),
    }
    // One that may fail stops nothing.
    let program = Program {
        may_fail: true,
        ..shell(script)
    };
    let scratch = Scratch::new(None)?;
    let attempt = Rehearsal::of(&sysroot, &scratch, running(&[program]), &mut |_| {})?;
    ensure!(matches!(attempt, Attempt::Well(_)));
    drop(attempt);
    before.expect_same(&Manifest::of(patient.path())?)
}

fn patient_changed_since(work: &Path) -> Result<()> {
    let patient = Overlay::over(&base::root(Suite::Bookworm)?, work)?;
    let root = patient.path();
    let scratch = Scratch::new(None)?;
    let (rehearsed, _) = rehearse(root, &scratch, &[], "echo x >> /etc/issue; echo y > /etc/y")?;
    rehearsed.check(&RootDir::open(root)?)?;
    fs::write(root.join("etc/issue"), "edited meanwhile")?;
    let Err(error) = rehearsed.check(&RootDir::open(root)?) else {
        bail!("it was not noticed");
    };
    let error = error.to_string();
    ensure!(
        error.contains("/etc/issue changed since the rehearsal"),
        "{error}"
    );
    Ok(())
}

/// What needs no program of the patient is repaired all the same.
fn no_place_to_rehearse(work: &Path) -> Result<()> {
    let patient = Overlay::over(&base::root(Suite::Bookworm)?, work)?;
    let root = patient.path();
    fs::rename(root.join("usr/sbin"), root.join("usr/sbin.backup"))?;
    std::os::unix::fs::symlink("/usr/bin", root.join("usr/sbin"))?;
    let status = root.join("var/lib/dpkg/status");
    let text = fs::read_to_string(&status)?;
    fs::write(
        &status,
        text.replacen("install ok installed", "install ok unpacked", 1),
    )?;
    // Nothing can be made there.
    let said = Command::new(LIFEBOOT)
        .args(["repair", "--yes", "--json", "--scratch", "/proc", "--root"])
        .arg(root)
        .output()?;
    let said: Value = serde_json::from_slice(&said.stdout)
        .with_context(|| String::from_utf8_lossy(&said.stderr).into_owned())?;
    let why = said["refused"][0]["why"].as_str().unwrap_or_default();
    ensure!(
        why.contains("cannot be rehearsed here: making /proc/"),
        "{said:#}"
    );
    ensure!(root.join("usr/sbin").symlink_metadata()?.is_dir());
    Ok(())
}

/// A package that waits for dpkg, whose script fails, and then does not.
fn output_of_programs(work: &Path) -> Result<()> {
    let patient = Overlay::over(&base::root(Suite::Bookworm)?, work)?;
    let root = patient.path();
    let status = root.join("var/lib/dpkg/status");
    let text = fs::read_to_string(&status)?;
    let installed = "Package: sed\nEssential: yes\nStatus: install ok installed";
    ensure!(text.contains(installed), "sed's stanza begins otherwise");
    let unpacked = installed.replace("ok installed", "ok unpacked");
    fs::write(&status, text.replacen(installed, &unpacked, 1))?;
    let script = |code: u8| {
        let path = root.join("var/lib/dpkg/info/sed.postinst");
        let text = format!("#!/bin/sh\necho the script of sed speaks\nexit {code}\n");
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
    };
    script(3)?;
    let before = Manifest::of(root)?;
    let lifeboot = |words: &[&str]| -> Result<(String, String)> {
        let mut command = Command::new(LIFEBOOT);
        let ended = command.args(words).arg("--root").arg(root).output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((text(&ended.stdout), text(&ended.stderr)))
    };
    // Nothing is committed: it is kept beside the patient.
    let (_, said) = lifeboot(&["repair", "--yes"])?;
    let flat = said.split_whitespace();
    let mut places = flat.filter(|word| word.starts_with("/run/lifeboot/programs-"));
    let place = places.next().with_context(|| said.clone())?;
    let kept = fs::read_to_string(place)?;
    fs::remove_file(place)?;
    for words in ["the script of sed speaks", "dpkg --force-confdef", "code 1"] {
        ensure!(kept.contains(words), "{words}: {kept}");
    }
    before.expect_same(&Manifest::of(root)?)?;
    script(0)?;
    let before = Manifest::of(root)?;
    let (_, said) = lifeboot(&["repair", "--yes"])?;
    let id = journal::list(&RootDir::open(root)?)?;
    let [only] = id.as_slice() else {
        bail!("{} transactions: {said}", id.len());
    };
    let flat = said.split_whitespace().collect::<Vec<_>>().join(" ");
    ensure!(
        flat.contains(&format!("lifeboot log {}", only.id)),
        "{said}"
    );
    let place = root
        .join(".lifeboot/journal")
        .join(&only.id)
        .join("programs");
    ensure!(fs::metadata(&place)?.mode() & 0o7777 == 0o600);
    // By the first letters of its name.
    let (log, _) = lifeboot(&["log", &only.id[..8]])?;
    for words in [
        "removes packages/upgrade-interrupted",
        "changes of files:",
        "  ran     dpkg --force-confdef --force-confold --configure -a",
        "ended with code 0",
        "    | the script of sed speaks",
    ] {
        ensure!(log.contains(words), "{words}: {log}");
    }
    ensure!(log.lines().all(|line| line.len() <= 80), "{log}");
    let (json, _) = lifeboot(&["log", &only.id, "--json"])?;
    let json: Value = serde_json::from_str(&json)?;
    let first = &json["repairs"][0]["programs"][0];
    ensure!(first["well"] == true && first["rehearsal"] == 1, "{json:#}");
    ensure!(json["repairs"][0]["id"] == only.id.as_str(), "{json:#}");
    take_back(root, &only.id)?;
    before.expect_same(&Manifest::of(root)?)
}

fn shell(script: &str) -> Program {
    Program {
        words: vec!["sh".into(), "-c".into(), script.into()],
        may_fail: false,
        wants_archives: false,
    }
}

fn running(programs: &[Program]) -> Work<'_> {
    Work {
        programs,
        ..Work::default()
    }
}

/// What a script comes to, and the tree as it would be.
fn rehearse(
    root: &Path,
    scratch: &Scratch,
    actions: &[Action],
    script: &str,
) -> Result<(Rehearsed, Seen)> {
    let sysroot = directory::open(root, &Survey::default())?;
    let programs = [shell(script)];
    let work = Work {
        actions,
        ..running(&programs)
    };
    match Rehearsal::of(&sysroot, scratch, work, &mut |_| {})? {
        Attempt::Well(rehearsal) => {
            let mut seen = seen(&rehearsal.tree().info.path)?;
            // Nobody listens any more; it is not put.
            seen.remove(Path::new("srv/sock"));
            Ok((rehearsal.close()?, seen))
        }
        Attempt::Failed { why, .. } | Attempt::NotUnpacked { why, .. } => bail!("{why}"),
    }
}

fn commit(root: &Path, rehearsed: &Rehearsed) -> Result<String> {
    let root = RootDir::open(root)?;
    rehearsed.check(&root)?;
    let token = WriteToken::granted("the test said yes");
    let header = Header::new(vec!["test".into()]);
    let (actions, stock) = (&rehearsed.actions, &rehearsed.stock);
    Ok(journal::commit_from(&root, &token, header, actions, stock, &mut |_| {})?.id)
}

fn take_back(root: &Path, id: &str) -> Result<()> {
    let token = WriteToken::granted("the test said yes");
    journal::undo(&RootDir::open(root)?, &token, id, &mut |_| {}).map(drop)
}

/// All that a tree is, but for the times of directories and what Lifeboot
/// keeps in it.
type Seen = BTreeMap<PathBuf, String>;

fn seen(root: &Path) -> Result<Seen> {
    let mut all = Seen::new();
    let ours = |path: &Path| path.file_name().is_some_and(|name| name == ".lifeboot");
    let walk = walkdir::WalkDir::new(root).min_depth(1).into_iter();
    for entry in walk.filter_entry(|entry| !ours(entry.path())) {
        let entry = entry?;
        let (path, meta) = (entry.path(), entry.metadata()?);
        let mut text = format!("{:o} {}:{}", meta.mode(), meta.uid(), meta.gid());
        if !meta.is_dir() {
            text += &format!(
                " {} {}.{} {} links, {:x}",
                meta.len(),
                meta.mtime(),
                meta.mtime_nsec(),
                meta.nlink(),
                meta.rdev()
            );
        }
        if meta.is_file() {
            text += &format!(" {:08x}", crc32fast::hash(&fs::read(path)?));
        }
        if meta.is_symlink() {
            text += &format!(" -> {}", fs::read_link(path)?.display());
        }
        for name in xattr::list(path)? {
            if !name.to_string_lossy().starts_with("trusted.overlay.") {
                text += &format!(" {name:?}={:?}", xattr::get(path, &name)?);
            }
        }
        all.insert(path.strip_prefix(root)?.to_owned(), text);
    }
    Ok(all)
}

fn same(found: &Seen, wanted: &Seen) -> Result<()> {
    let mut paths: Vec<_> = found.keys().chain(wanted.keys()).collect();
    paths.sort();
    paths.dedup();
    let differs = paths
        .iter()
        .filter(|path| found.get(**path) != wanted.get(**path));
    let differs: Vec<String> = differs
        .map(|path| {
            format!(
                "{}: {:?}, not {:?}",
                path.display(),
                found.get(*path),
                wanted.get(*path)
            )
        })
        .collect();
    ensure!(differs.is_empty(), "{differs:#?}");
    Ok(())
}
