//! Salvage and verify on whole Debian roots: what was saved from a broken
//! machine is put back onto a fresh one with tar and zstd alone, and the
//! comparison finds each difference that was planted, and nothing else.

mod lab;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode, Output, Stdio};

use anyhow::{Context, Result, ensure};
use libtest_mimic::Arguments;
use serde_json::Value;

use lab::half_upgrade::{self, HalfUpgrade};
use lab::mounts::{self, Overlay};
use lab::suite::Suite;
use lab::{base, disks, program, run};

fn main() -> ExitCode {
    let trials = vec![
        program::trial("round-trip", "salvage-round-trip".into(), round_trip),
        program::trial("resumed", "salvage-resumed".into(), resumed),
        program::trial("hostile", "salvage-hostile".into(), hostile),
        program::trial("full-target", "salvage-full".into(), full_target),
        program::trial("half-upgraded", "salvage-half".into(), half_upgraded),
        program::trial("encrypted", "salvage-encrypted".into(), encrypted),
        program::trial("one-leg", "salvage-leg".into(), one_leg),
        program::trial("fix-permissions", "salvage-fix".into(), fix_permissions),
    ];
    program::run_trials(Arguments::from_args(), Ok(trials))
}

/// What an administrator does to a server.
const CONFIGURED: &str = r#"
echo '# ours' >> etc/rsyslog.conf
echo 'app:x:1500:1500:App,,,:/srv/app:/usr/sbin/nologin' >> etc/passwd
echo 'app:x:1500:' >> etc/group
sed -i 's/^adm:x:4:.*/adm:x:4:app/' etc/group
printf '[Service]\nExecStart=/usr/local/bin/app-tool\n' > etc/systemd/system/app.service
ln -s /etc/systemd/system/app.service etc/systemd/system/multi-user.target.wants/
ln -s /dev/null etc/systemd/system/rsyslog.service
mkdir etc/systemd/system/ssh.service.d
printf '[Service]\nNice=-5\n' > etc/systemd/system/ssh.service.d/nice.conf
echo '* * * * * app true' > etc/cron.d/app
mkdir -p var/spool/cron/crontabs
echo '@daily true' > var/spool/cron/crontabs/app
chmod 600 var/spool/cron/crontabs/app
chown 1500:1500 var/spool/cron/crontabs/app
echo tool > usr/local/bin/app-tool
chmod 755 usr/local/bin/app-tool
setfattr -n security.capability -v 0x0100000200040000000000000000000000000000 usr/local/bin/app-tool
cp usr/bin/true usr/local/bin/app-suid
chmod 4755 usr/local/bin/app-suid
echo own > usr/lib/systemd/system/own.service
chown 0:1500 usr/bin/wall
chmod 2750 usr/bin/wall
mkdir -p etc/app srv/app/deep "opt/vendor"
printf -- '-----BEGIN PRIVATE KEY-----\nx\n' > etc/app/tls.key
chmod 600 etc/app/tls.key
setfacl -m u:1500:r etc/app/tls.key
echo vendor > opt/vendor/run
echo 'services: {}' > srv/app/compose.yml
echo a > srv/app/a
echo b > srv/app/deep/b
ln srv/app/a srv/app/deep/same
ln -s ../a srv/app/deep/link
setfacl -d -m u:1500:rw srv/app/deep
setfattr -n user.note -v hello srv/app/a
chown -R 1500:1500 srv/app
chmod 750 srv/app
printf 'x' > "$(printf 'etc/app/\377name')"
"#;

/// What the outage did to it.
const BROKEN: &str = "\
mv usr/sbin usr/sbin.backup
ln -s bin usr/sbin
rm -rf usr/share/doc usr/lib/python3 usr/lib/x86_64-linux-gnu/security
rm usr/bin/dpkg*
";

/// Puts the configuration back as `README.txt` of a salvage says.
const RESTORE: &str = "tar --zstd -xpf \"$SALVAGE\" -C \"$ROOT\" --numeric-owner --acls --xattrs \
    --xattrs-include='*' --strip-components=2 lifeboot-salvage/files";

/// Puts the data back as the screen says.
const DATA: &str = "tar -C \"$OLD\" -cS --acls --xattrs --xattrs-include='*' srv |
    tar -C \"$ROOT\" -xp --numeric-owner --acls --xattrs --xattrs-include='*'";

/// Differences, each with what is expected of it.
const PLANTED: &str = r#"
echo '# not ours' >> etc/rsyslog.conf
chmod 644 etc/ssh/ssh_host_ed25519_key
chown 0:0 srv/app/deep/b
setfattr -x security.capability usr/local/bin/app-tool
setfattr -n user.note -v other srv/app/a
rm etc/cron.d/app
rm etc/systemd/system/multi-user.target.wants/app.service
rm etc/systemd/system/rsyslog.service
ln -s /dev/null etc/systemd/system/cron.service
sed -i 's/^app:x:1500:/app:x:1600:/' etc/passwd
sed -i '/^Package: nano$/,/^$/d' var/lib/dpkg/status
chmod 755 usr/local/bin/app-suid
rm etc/systemd/system/ssh.service.d/nice.conf
"#;

const EXPECTED: [(&str, &str); 13] = [
    ("secret", "/etc/ssh/ssh_host_ed25519_key"),
    ("account", "user app"),
    ("service", "/etc/systemd/system/cron.service"),
    (
        "service",
        "/etc/systemd/system/multi-user.target.wants/app.service",
    ),
    ("service", "/etc/systemd/system/rsyslog.service"),
    ("service", "/etc/systemd/system/ssh.service.d/nice.conf"),
    ("package", "nano"),
    ("configuration", "/etc/cron.d/app"),
    ("configuration", "/etc/rsyslog.conf"),
    ("configuration", "/usr/local/bin/app-suid"),
    ("configuration", "/usr/local/bin/app-tool"),
    ("data", "/srv/app/a"),
    ("data", "/srv/app/deep/b"),
];

fn round_trip(work: &Path) -> Result<()> {
    let server = base::root(Suite::Bookworm)?;
    let old = overlay(&server, &work.join("old"), CONFIGURED)?;
    run::shell("breaking the root", old.path(), BROKEN)?;
    let (plain, whole) = (fresh(work, "plain.tar.zst")?, fresh(work, "whole.tar.zst")?);
    let summary = json(&salvage(&plain, old.path(), &["--json"])?)?;
    let left_out = strings(&summary["secrets"]);
    for secret in [
        "/etc/shadow",
        "/etc/ssh/ssh_host_ed25519_key",
        "/etc/app/tls.key",
    ] {
        ensure!(left_out.contains(secret), "{secret}: {left_out:?}");
    }
    let names = names_in(&plain)?;
    for secret in left_out {
        let name = format!("lifeboot-salvage/files{secret}");
        ensure!(!names.contains(&name), "{name} is in it");
    }
    let said = salvage(&whole, old.path(), &["--with-secrets"])?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    ensure!(said.contains("/srv") && said.contains("rsync -a"), "{said}");
    let names = names_in(&whole)?;
    let has = |name: &str| names.contains(&format!("lifeboot-salvage/{name}"));
    for taken in ["files/etc/shadow", "files/opt/vendor/run"] {
        ensure!(has(taken), "{taken} is not in it: {names:#?}");
    }
    ensure!(has("files/srv/app/compose.yml") && has("files/usr/lib/systemd/system/own.service"));
    ensure!(has("reference/etc/fstab") && !has("files/etc/fstab"));
    ensure!(!has("files/etc/cron.daily/logrotate"), "it is as shipped");
    ensure!(!names.iter().any(|name| name.contains("sbin.backup")));

    let new = overlay(&server, &work.join("new"), "")?;
    restore(old.path(), new.path(), &whole)?;
    same(new.path(), &whole)?;
    run::shell("planting", new.path(), PLANTED)?;
    let found = differences(new.path(), &whole, 10)?;
    let expected = EXPECTED.map(|(kind, subject)| (kind.to_owned(), subject.to_owned()));
    let subjects: Vec<_> = found.keys().cloned().collect();
    let mut sorted = expected.to_vec();
    sorted.sort();
    ensure!(subjects == sorted, "{found:#?}");
    let user = &found[&("account".to_owned(), "user app".to_owned())];
    ensure!(user.contains("number was 1500, is 1600"), "{user}");
    ensure!(user.contains("paths still have the old number"), "{user}");
    let output = verify(new.path(), &whole, &[])?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(text.starts_with("13 DIFFERENCES: 1 secrets, "), "{text}");
    ensure!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
    Ok(())
}

/// What the salvage cannot bring (the mode of a packaged program) and what was
/// changed is set right, and taken back.
fn fix_permissions(work: &Path) -> Result<()> {
    let server = base::root(Suite::Bookworm)?;
    let old = overlay(&server, &work.join("old"), CONFIGURED)?;
    let whole = fresh(work, "whole.tar.zst")?;
    salvage(&whole, old.path(), &["--with-secrets"])?;
    let new = overlay(&server, &work.join("new"), "")?;
    put_back(old.path(), new.path(), &whole)?;
    let script = "chmod 777 etc/app/tls.key; chown 0 srv/app/deep; \
        setfattr -x security.capability usr/local/bin/app-tool; \
        sed -i 's/^app:x:1500:1500/app:x:1600:1500/' etc/passwd";
    run::shell("planting", new.path(), script)?;
    let before = differences(new.path(), &whole, 10)?;
    ensure!(before.len() == 5, "{before:#?}");
    let output = verify(new.path(), &whole, &["--fix-permissions"])?;
    ensure!(output.status.code() == Some(10), "{output:?}");
    ensure!(differences(new.path(), &whole, 10)? == before, "unasked");
    let output = verify(new.path(), &whole, &["--fix-permissions", "--yes"])?;
    ensure!(output.status.code() == Some(10), "{output:?}");
    let left = differences(new.path(), &whole, 10)?;
    let left: Vec<_> = left.into_iter().collect();
    let expected = (
        ("account".to_owned(), "user app".to_owned()),
        "number was 1500, is 1600".to_owned(),
    );
    // Second names of files are left to the administrator.
    ensure!(left.len() == 1 && left[0].0 == expected.0, "{left:#?}");
    let mut undo = Command::new(lab::LIFEBOOT);
    undo.args(["undo", "--yes", "--root"]).arg(new.path());
    run::output("undoing", &mut undo)?;
    ensure!(differences(new.path(), &whole, 10)? == before, "undone");
    Ok(())
}

/// A folder goes on where it stopped, and holds the same as an archive.
fn resumed(work: &Path) -> Result<()> {
    let server = base::root(Suite::Bookworm)?;
    let old = overlay(&server, &work.join("old"), CONFIGURED)?;
    let memory = mounts::with_mount_program(&["-t", "tmpfs"], Path::new("lab"), &work.join("to"))?;
    let folder = memory.path().join("kept");
    let target = format!("{}/", folder.display());
    let first = json(&salvage(target.as_ref(), old.path(), &["--json"])?)?;
    ensure!(first["already"] == 0 && first["lost"] == Value::Array(Vec::new()));
    let files = folder.join("lifeboot-salvage/files");
    fs::remove_file(files.join("etc/cron.d/app"))?;
    fs::write(files.join("etc/rsyslog.conf"), "half")?;
    let second = json(&salvage(target.as_ref(), old.path(), &["--json"])?)?;
    let count = |value: &Value| value.as_u64().unwrap_or_default();
    let (files_all, already) = (count(&second["end"]["files"]), count(&second["already"]));
    ensure!(files_all > 30 && already == files_all - 2, "{second:#}");
    same(old.path(), &folder)?;
    let new = overlay(&server, &work.join("new"), "")?;
    let script = "cd \"$SALVAGE\"; tar -cf - --acls --xattrs --xattrs-include='*' \
        -C lifeboot-salvage/files . | tar -xpf - -C \"$ROOT\" --numeric-owner --acls --xattrs \
        --xattrs-include='*'";
    shell(script, old.path(), new.path(), &folder)?;
    shell(DATA, old.path(), new.path(), &folder)?;
    run::shell(
        "the owner",
        new.path(),
        "chown 0:1500 usr/bin/wall; chmod 2750 usr/bin/wall",
    )?;
    // What was left out is missing, and nothing else.
    let found = differences(new.path(), &folder, 10)?;
    let missing = ("secret".to_owned(), "/etc/app/tls.key".to_owned());
    ensure!(
        found.len() == 1 && found.contains_key(&missing),
        "{found:#?}"
    );
    Ok(())
}

/// Nothing leads out, nothing blocks, and every name survives.
fn hostile(work: &Path) -> Result<()> {
    let memory = mounts::with_mount_program(&["-t", "tmpfs"], Path::new("lab"), &work.join("to"))?;
    let root = memory.path().join("root");
    fs::create_dir_all(&root)?;
    let script = r#"
mkdir -p etc srv/www var home/a root proc
ln -s /etc/shadow etc/leak
ln -s / etc/all
ln -s ../../../../../../etc etc/up
ln -s loop etc/loop
mkfifo etc/fifo srv/fifo
mknod srv/null c 1 3
mknod etc/disk b 7 200
truncate -s 1T srv/huge etc/huge
printf x > "$(printf 'etc/\377\n%%name')"
printf y > "$(printf 'srv/\001\377')"
ln -s "$(printf 'to\377')" etc/odd
echo secret > proc/secret
perl -e 'use Socket; socket(S, PF_UNIX, SOCK_STREAM, 0); bind(S, sockaddr_un("srv/socket"))'
perl -e 'mkdir "srv/d"; chdir "srv/d"; for (1..900) { mkdir "d" or die; chdir "d" or die }'
ln -s /etc/passwd etc/passwd
printf 'a:x:%s\n' 99999999999999999999 > etc/group
"#;
    run::shell("making the tree", &root, script)?;
    let target = fresh(work, "hostile.tar.zst")?;
    let summary = json(&salvage(&target, &root, &["--json", "--home"])?)?;
    ensure!(summary["header"]["defaults_known"] == false, "{summary:#}");
    let large = strings(&summary["too_large"]);
    ensure!(large.contains("/etc/huge"), "{summary:#}");
    let unread = summary["unread"].as_array().map_or(0, Vec::len);
    ensure!(unread >= 1, "the deep directory is told: {summary:#}");
    let names = names_in(&target)?;
    ensure!(
        names.iter().all(|name| !name.contains("proc/")),
        "{names:#?}"
    );
    let new = memory.path().join("new");
    fs::create_dir(&new)?;
    shell(RESTORE, &root, &new, &target)?;
    let script = r#"
test "$(readlink etc/leak)" = /etc/shadow
test -L etc/all -a -L etc/up -a -L etc/odd
test ! -e etc/fifo -a ! -e etc/disk -a ! -e proc
test x = "$(cat "$(printf 'etc/\377\n%%name')")"
"#;
    run::shell("looking at what came back", &new, script)?;
    same(&root, &target)?;
    run::shell(
        "one more",
        &root,
        "rm srv/null; mknod srv/null c 1 5; rm etc/fifo",
    )?;
    let found = differences(&root, &target, 10)?;
    let subjects: BTreeSet<_> = found.into_keys().map(|(_, subject)| subject).collect();
    ensure!(subjects == ["/etc/fifo", "/srv/null"].map(str::to_owned).into());
    let inside = root.join("srv/x.tar.zst");
    let output = lifeboot(&["salvage"], &inside, &root)?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.code() == Some(1) && said.contains("lies in the patient"),
        "{said}"
    );
    ensure!(!inside.exists());
    Ok(())
}

/// A full target is told, and leaves nothing that looks whole.
fn full_target(work: &Path) -> Result<()> {
    let server = base::root(Suite::Bookworm)?;
    let at = work.join("to");
    let small = ["-t", "tmpfs", "-o", "size=100k"];
    let memory = mounts::with_mount_program(&small, Path::new("lab"), &at)?;
    let file = memory.path().join("a.tar.zst");
    for target in [file.clone(), memory.path().join("folder/")] {
        let output = lifeboot(&["salvage"], &target, &server)?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.code() == Some(1), "{said}");
        let words = Vec::from_iter(said.split_whitespace()).join(" ");
        ensure!(words.contains("No space left on device"), "{said}");
        ensure!(!file.exists(), "half a salvage");
        if target == file {
            ensure!(fs::read_dir(memory.path())?.next().is_none(), "a rest");
        }
    }
    let mut remount = Command::new("mount");
    remount.args(["-o", "remount,size=100M"]).arg(memory.path());
    run::output("making it larger", &mut remount)?;
    let folder = memory.path().join("folder/");
    let summary = json(&salvage(&folder, &server, &["--json"])?)?;
    ensure!(summary["already"].as_u64() > Some(0), "{summary:#}");
    same(&server, &folder)
}

/// An upgrade that stopped halfway: the story. Its salvage is piped.
fn half_upgraded(work: &Path) -> Result<()> {
    let root = half_upgrade::root(HalfUpgrade::BookwormTrixie)?;
    let target = fresh(work, "half.tar.zst")?;
    let mut command = Command::new(lab::LIFEBOOT);
    command.args(["salvage", "-", "--root"]).arg(&root);
    command
        .stdout(fs::File::create(&target)?)
        .stdin(Stdio::null());
    let output = command.stderr(Stdio::piped()).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success() && said.contains("down the pipe"),
        "{said}"
    );
    same(&root, &target)?;
    // Cut off on the way.
    let bytes = fs::read(&target)?;
    fs::write(&target, &bytes[..bytes.len() - 1000])?;
    let output = verify(&root, &target, &["--json"])?;
    ensure!(matches!(output.status.code(), Some(1 | 10)), "{output:?}");
    Ok(())
}

/// What is encrypted is opened by age itself, with each of the keys.
fn encrypted(work: &Path) -> Result<()> {
    let server = base::root(Suite::Bookworm)?;
    let script = "rm -f age ssh ssh.pub ssh.zst age.zst other; \
        age-keygen -o age 2> /dev/null; age-keygen -o other 2> /dev/null; \
        age-keygen -y age > recipients; ssh-keygen -q -t ed25519 -N '' -f ssh";
    run::shell("making keys", work, script)?;
    let target = fresh(work, "x.tar.zst.age")?;
    let keys = work.join("recipients").display().to_string();
    let ssh = fs::read_to_string(work.join("ssh.pub"))?;
    let options = ["--encrypt-to", &keys, "--encrypt-to", ssh.trim()];
    let output = salvage(&target, &server, &options)?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(said.contains("age -d -i KEY") && !said.contains("NOT IN IT\n  /etc/shadow"));
    let script = "for key in age ssh; do age -d -i $key -o $key.zst x.tar.zst.age; done; \
        cmp age.zst ssh.zst; ! age -d -i other x.tar.zst.age > /dev/null 2>&1; \
        zstd -q -t age.zst; tar --zstd -tf age.zst | grep -x lifeboot-salvage/files/etc/shadow";
    run::shell("opening it", work, script)?;
    same(&server, &work.join("age.zst"))?;
    let refused = verify(&server, &target, &[])?;
    let said = String::from_utf8_lossy(&refused.stderr);
    ensure!(
        refused.status.code() == Some(1) && said.contains("age -d"),
        "{said}"
    );
    let words = [&["salvage"], &options[..]].concat();
    let plain = lifeboot(&words, &work.join("x.tar.zst"), &server)?;
    ensure!(
        plain.status.code() == Some(2),
        "a name that hides it: {plain:?}"
    );
    Ok(())
}

/// One disk of a mirror is enough, and is not written to.
fn one_leg(work: &Path) -> Result<()> {
    let legs = disks::healthy(Suite::Bookworm)?;
    let target = fresh(work, "leg.tar.zst")?;
    let [first, _] = &legs.disks()[..] else {
        anyhow::bail!("two disks expected");
    };
    // A write through a loop device changes the time of its file; the tests of
    // `storage` compare every byte.
    let before = fs::metadata(first)?.modified()?;
    let mut command = Command::new(lab::LIFEBOOT);
    command.arg("salvage").arg(&target).arg("--disk").arg(first);
    run::output("saving from one disk", &mut command)?;
    ensure!(
        fs::metadata(first)?.modified()? == before,
        "it was written to"
    );
    same(&base::root(Suite::Bookworm)?, &target)
}

fn overlay(server: &Path, at: &Path, script: &str) -> Result<Overlay> {
    let overlay = Overlay::over(server, at)?;
    run::shell("configuring the root", overlay.path(), script)?;
    Ok(overlay)
}

fn fresh(work: &Path, name: &str) -> Result<std::path::PathBuf> {
    let path = work.join(name);
    let _ = fs::remove_file(&path);
    Ok(path)
}

/// The salvage and the data put onto a new root, and what neither holds: the
/// mode that a packaged program was given.
fn restore(old: &Path, new: &Path, salvage: &Path) -> Result<()> {
    put_back(old, new, salvage)?;
    let found = differences(new, salvage, 10)?;
    let wall = ("configuration".to_owned(), "/usr/bin/wall".to_owned());
    ensure!(found.len() == 1 && found.contains_key(&wall), "{found:#?}");
    run::shell(
        "the owner",
        new,
        "chown 0:1500 usr/bin/wall; chmod 2750 usr/bin/wall",
    )
}

fn put_back(old: &Path, new: &Path, salvage: &Path) -> Result<()> {
    shell(RESTORE, old, new, salvage)?;
    shell(DATA, old, new, salvage)
}

fn shell(script: &str, old: &Path, new: &Path, salvage: &Path) -> Result<()> {
    let mut bash = run::strict(script);
    bash.env("OLD", old)
        .env("ROOT", new)
        .env("SALVAGE", salvage);
    run::output("putting back", &mut bash).map(drop)
}

fn names_in(salvage: &Path) -> Result<BTreeSet<String>> {
    let mut tar = Command::new("tar");
    let text = run::output("listing", tar.args(["--zstd", "-tf"]).arg(salvage))?;
    Ok(text.lines().map(str::to_owned).collect())
}

fn strings(value: &Value) -> BTreeSet<String> {
    let all = value.as_array().into_iter().flatten();
    all.filter_map(|one| one.as_str().map(str::to_owned))
        .collect()
}

fn lifeboot(words: &[&str], what: &Path, root: &Path) -> Result<Output> {
    let mut lifeboot = Command::new(lab::LIFEBOOT);
    lifeboot.args(words).arg(what).arg("--root").arg(root);
    lifeboot
        .stdin(Stdio::null())
        .output()
        .context("starting lifeboot")
}

fn salvage(to: &Path, root: &Path, options: &[&str]) -> Result<Output> {
    let words = [&["salvage"], options].concat();
    let output = lifeboot(&words, to, root)?;
    ensure!(output.status.success(), "{output:?}");
    Ok(output)
}

fn verify(root: &Path, salvage: &Path, options: &[&str]) -> Result<Output> {
    lifeboot(&[&["verify"], options].concat(), salvage, root)
}

fn json(output: &Output) -> Result<Value> {
    serde_json::from_slice(&output.stdout).with_context(|| format!("{output:?}"))
}

/// What differs: kind and subject, with the words.
fn differences(
    root: &Path,
    salvage: &Path,
    code: i32,
) -> Result<BTreeMap<(String, String), String>> {
    let output = verify(root, salvage, &["--json"])?;
    ensure!(output.status.code() == Some(code), "{output:?}");
    let answer = json(&output)?;
    ensure!(
        answer["unread_now"] == Value::Array(Vec::new()),
        "{answer:#}"
    );
    let mut all = BTreeMap::new();
    for one in answer["differences"].as_array().into_iter().flatten() {
        let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
        let what = Vec::from_iter(strings(&one["what"])).join("; ");
        all.insert((text("importance"), text("subject")), what);
    }
    Ok(all)
}

fn same(root: &Path, salvage: &Path) -> Result<()> {
    let found = differences(root, salvage, 0)?;
    ensure!(found.is_empty(), "{found:#?}");
    Ok(())
}
