//! Packages from a mirror: an archive made by apt-ftparchive and gpg, a real
//! Debian root that lacks something, and servers that misbehave.

mod lab;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use libtest_mimic::{Arguments, Trial};
use lifeboot::sys::contained;
use serde_json::Value;

use lab::archive::{Archive, Server};
use lab::half_upgrade::{self, HalfUpgrade};
use lab::mounts::{Overlay, with_mount_program};
use lab::report::Report;
use lab::suite::Suite;
use lab::{LIFEBOOT, base, program, run};

fn main() -> ExitCode {
    if contained::is_our_role() {
        return ExitCode::from(contained::play());
    }
    let trial = |name: &'static str, test: fn(&Path) -> Result<()>| -> Trial {
        program::trial(name, format!("fetch-{name}"), test)
    };
    let trials = vec![
        trial("what-is-lacking", what_is_lacking),
        trial("repaired-over-the-network", repaired),
        trial("single-files", single_files),
        trial("the-rest-of-an-upgrade", rest_of_an_upgrade),
        trial("newer-ones-with-what-they-need", newer),
        trial("signatures", signatures),
        trial("servers-that-misbehave", misbehaving),
        trial("names", names),
    ];
    program::run_trials(Arguments::from_args(), Ok(trials))
}

/// A patient without its dpkg, and a signed archive that has it.
struct Scene {
    patient: Overlay,
    archive: Archive,
    server: Server,
    folder: PathBuf,
}

impl Scene {
    fn new(work: &Path) -> Result<Self> {
        let packages = ["dpkg", "tar", "sed"];
        let break_ = "rm usr/bin/dpkg";
        Self::of(
            (&base::root(Suite::Bookworm)?, Suite::Bookworm),
            work,
            &packages,
            break_,
        )
    }

    /// A patient that is broken so, and an archive of a release with these
    /// packages of it.
    fn of(
        (root, release): (&Path, Suite),
        work: &Path,
        packages: &[&str],
        break_: &str,
    ) -> Result<Self> {
        // What an earlier run left would be taken for what is fetched now.
        fs::remove_dir_all(work).and_then(|()| fs::create_dir(work))?;
        let patient = Overlay::over(root, work)?;
        let archive = Archive::new(work, release)?;
        if !packages.is_empty() {
            archive.repack(patient.path(), packages)?;
        }
        let script = format!("POOL={}\n{break_}", archive.pool().display());
        run::shell("breaking the patient", patient.path(), &script)?;
        archive.publish()?;
        let keys = patient.path().join("etc/apt/trusted.gpg.d");
        fs::create_dir_all(&keys)?;
        fs::copy(archive.key(), keys.join("lab.gpg"))?;
        Ok(Self {
            server: archive.serve()?,
            folder: work.join("fetched"),
            patient,
            archive,
        })
    }

    fn fetch(&self, words: &[&str]) -> Result<Ended> {
        let (folder, url) = (self.folder.display().to_string(), self.server.url());
        let mut all = vec!["fetch", &folder, "--mirror", &url, "--json"];
        all.extend(words);
        lifeboot(self.patient.path(), &all)
    }

    /// What lies in the folder, the note apart.
    fn fetched(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.retain(|name| name != "lifeboot-fetched.json");
        names.sort();
        Ok(names)
    }

    /// It failed so, and left nothing behind.
    fn fails(&self, words: &str) -> Result<()> {
        let ended = self.fetch(&[])?;
        ensure!(
            ended.code == 1 && flat(&ended.said).contains(words),
            "it should say {words:?}, and ended with {}: {}",
            ended.code,
            ended.said
        );
        let left = self.fetched()?;
        ensure!(left.is_empty(), "it left {left:?}");
        Ok(())
    }
}

struct Ended {
    code: i32,
    stdout: String,
    said: String,
}

impl Ended {
    fn of(command: &mut Command) -> Result<Self> {
        let output = command.stdin(Stdio::null()).output()?;
        Ok(Self {
            code: output.status.code().context("it was killed")?,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            said: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    fn packages(&self) -> Result<Vec<Value>> {
        ensure!(self.code == 0, "it ended with {}: {}", self.code, self.said);
        let answer: Value = serde_json::from_str(&self.stdout)?;
        Ok(answer["packages"]
            .as_array()
            .context("no packages")?
            .clone())
    }
}

/// Lines are broken where a word ends.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn lifeboot(patient: &Path, words: &[&str]) -> Result<Ended> {
    let mut command = Command::new(LIFEBOOT);
    command.args(words).arg("--root").arg(patient);
    // A proxy of this machine has no part in it.
    command.env_remove("http_proxy");
    Ended::of(&mut command)
}

fn sha256(path: &Path) -> Result<String> {
    let said = run::output("sha256sum", Command::new("sha256sum").arg(path))?;
    Ok(said.split(' ').next().unwrap_or_default().to_owned())
}

fn file_of(package: &Value) -> Result<&str> {
    package["file"].as_str().context("no file")
}

/// Exactly the one, with the bytes that apt fetches; and not a second time.
fn what_is_lacking(work: &Path) -> Result<()> {
    let scene = Scene::new(work)?;
    let got = scene.fetch(&[])?.packages()?;
    ensure!(got.len() == 1, "{got:?}");
    let file = file_of(&got[0])?;
    ensure!(file.starts_with("dpkg_1."), "{file}");
    ensure!(
        got[0]["signed_by"] == "Archive of the lab <lab@example>",
        "{got:?}"
    );
    ensure!(scene.fetched()? == [file]);
    let by_apt = apt_download(&scene, work)?;
    let ours = scene.folder.join(file);
    ensure!(sha256(&ours)? == sha256(&by_apt)?, "apt has other bytes");
    ensure!(got[0]["sha256"] == sha256(&by_apt)?);
    ensure!(scene.server.packages_asked().len() == 2, "apt and lifeboot");

    let again = scene.fetch(&[])?.packages()?;
    ensure!(again[0]["was_there"] == true && scene.server.packages_asked().is_empty());
    // One that was damaged meanwhile is fetched anew.
    let length = fs::metadata(&ours)?.len();
    fs::write(&ours, vec![0; usize::try_from(length)?])?;
    scene.fetch(&[])?.packages()?;
    ensure!(scene.server.packages_asked().len() == 1);
    ensure!(sha256(&ours)? == sha256(&by_apt)?);

    // Named ones come beside it.
    let named = scene.fetch(&["--package", "sed"])?.packages()?;
    ensure!(named.len() == 2, "{named:?}");
    let none = scene.fetch(&["--package", "sed=99"])?;
    ensure!(
        none.code == 1 && none.said.contains("nobody has"),
        "{}",
        none.said
    );
    Ok(())
}

/// What apt itself fetches from the archive, after it has checked its signature.
fn apt_download(scene: &Scene, work: &Path) -> Result<PathBuf> {
    let home = work.join("apt");
    let folders = ["lists/partial", "cache/archives/partial", "etc", "out"];
    for folder in folders {
        fs::create_dir_all(home.join(folder))?;
    }
    let (key, url) = (scene.archive.key(), scene.server.url());
    let source = format!("deb [signed-by={}] {url} bookworm main\n", key.display());
    fs::write(home.join("etc/sources.list"), source)?;
    fs::write(home.join("status"), "")?;
    let option = |name: &str, value: &str| format!("{name}={}", home.join(value).display());
    let options = [
        option("Dir::Etc::sourcelist", "etc/sources.list"),
        option("Dir::Etc::sourceparts", "etc/none"),
        option("Dir::State::lists", "lists"),
        option("Dir::State::status", "status"),
        option("Dir::Cache", "cache"),
        "APT::Sandbox::User=root".to_owned(),
        "APT::Architecture=amd64".to_owned(),
    ];
    for words in [["update", "--error-on=any"], ["download", "dpkg"]] {
        let mut command = Command::new("apt-get");
        command.args(options.iter().flat_map(|option| ["-o", option]));
        command.args(words).env_remove("http_proxy");
        run::output("asking apt", command.current_dir(home.join("out")))?;
    }
    let mut files = fs::read_dir(home.join("out"))?;
    Ok(files.next().context("apt brought nothing")??.path())
}

/// In one step: the plan says where it comes from, and dpkg is content after it.
fn repaired(work: &Path) -> Result<()> {
    let scene = Scene::new(work)?;
    let (root, url) = (scene.patient.path(), scene.server.url());
    let refused = lifeboot(root, &["repair", "--plan"])?;
    ensure!(
        flat(&refused.stdout).contains("lifeboot repair --network"),
        "{}",
        refused.stdout
    );
    ensure!(
        scene.server.packages_asked().is_empty(),
        "it used the network unasked"
    );
    let scratch = work.join("scratch");
    let place = with_mount_program(&["-t", "tmpfs"], Path::new("lab"), &scratch)?;
    let scratch = place.path().display().to_string();
    let words = ["--network", "--mirror", &url, "--scratch", &scratch];
    let plan = lifeboot(root, &[&["repair", "--plan"][..], &words].concat())?;
    let said = flat(&plan.stdout);
    let from = format!("fetched from {url}/pool/dpkg_");
    ensure!(
        said.contains(&from) && said.contains("signed by Archive of the lab"),
        "{}",
        plan.stdout
    );
    ensure!(
        said.contains("the network was used: 1 of 1 packages"),
        "{said}"
    );
    ensure!(
        plan.stdout.lines().all(|line| line.len() <= 80),
        "{}",
        plan.stdout
    );
    let done = lifeboot(root, &[&["repair", "--yes"][..], &words].concat())?;
    ensure!(
        flat(&done.said).contains("The network was used"),
        "{}",
        done.said
    );
    let report = Report::of_tree(root)?;
    ensure!(report.ids().is_empty(), "{:?}: {}", report.ids(), done.said);
    run::shell(
        "asking dpkg",
        root,
        r#"test -z "$(chroot . dpkg --audit)" && chroot . dpkg --verify dpkg"#,
    )?;
    let undone = lifeboot(root, &["undo", "--yes"])?;
    ensure!(
        undone.code != 1 && !root.join("usr/bin/dpkg").exists(),
        "{}",
        undone.said
    );
    Ok(())
}

/// A file of a package that is in no cache: exactly the installed version comes
/// over the network, or it is said that nobody has it any more.
fn single_files(work: &Path) -> Result<()> {
    let base = (&*base::root(Suite::Bookworm)?, Suite::Bookworm);
    let scene = Scene::of(
        base,
        work,
        &["mount", "login"],
        "rm usr/bin/mount usr/bin/login",
    )?;
    let (root, url) = (scene.patient.path(), scene.server.url());
    let refused = lifeboot(root, &["repair", "--plan"])?;
    ensure!(
        flat(&refused.stdout).contains("With a network: lifeboot repair --network."),
        "{}",
        refused.stdout
    );
    let scratch = work.join("scratch");
    let place = with_mount_program(&["-t", "tmpfs"], Path::new("lab"), &scratch)?;
    let scratch = place.path().display().to_string();
    let words = ["--network", "--mirror", &url, "--scratch", &scratch];
    // Of one the archive has only another version.
    let mut pool = fs::read_dir(scene.archive.pool())?.flatten();
    let login = pool.find(|entry| entry.file_name().to_string_lossy().starts_with("login_"));
    let login = login.context("no login in the pool")?.path();
    let kept = work.join("login.deb");
    fs::rename(&login, &kept)?;
    scene.archive.publish()?;
    let plan = lifeboot(root, &[&["repair", "--plan"][..], &words].concat())?;
    let (said, shown) = (flat(&plan.said), flat(&plan.stdout));
    ensure!(
        said.contains("no archive that was asked has login 1:")
            && said.contains("snapshot.debian.org"),
        "{}",
        plan.said
    );
    ensure!(
        shown.contains("fetched from") && shown.contains("/bin/mount of mount"),
        "{shown}"
    );
    ensure!(scene.server.packages_asked().len() == 1);
    // And now it has it again.
    fs::rename(&kept, &login)?;
    scene.archive.publish()?;
    let done = lifeboot(root, &[&["repair", "--yes"][..], &words].concat())?;
    let report = Report::of_tree(root)?;
    ensure!(report.ids().is_empty(), "{:?}: {}", report.ids(), done.said);
    ensure!(
        scene.server.packages_asked().len() == 1,
        "mount was fetched twice"
    );
    run::shell(
        "asking dpkg",
        root,
        r#"test -z "$(chroot . dpkg --verify mount login)""#,
    )?;
    let undone = lifeboot(root, &["undo", "--yes"])?;
    ensure!(
        undone.code != 1 && !root.join("usr/bin/mount").exists(),
        "{}",
        undone.said
    );
    Ok(())
}

/// Half upgraded, the C library gone, and nothing in apt's cache: all of it comes
/// over the network, in the rehearsal.
fn rest_of_an_upgrade(work: &Path) -> Result<()> {
    let base = (
        &*half_upgrade::root(HalfUpgrade::BookwormTrixie)?,
        Suite::Trixie,
    );
    let break_ = "mv var/cache/apt/archives/*.deb \"$POOL\"\n\
                  rm usr/lib/x86_64-linux-gnu/libc.so.6";
    let scene = Scene::of(base, work, &[], break_)?;
    let (root, url) = (scene.patient.path(), scene.server.url());
    let scratch = work.join("scratch");
    let place = with_mount_program(&["-t", "tmpfs"], Path::new("lab"), &scratch)?;
    let scratch = place.path().display().to_string();
    let words = ["--network", "--mirror", &url, "--scratch", &scratch];
    let plan = lifeboot(root, &[&["repair", "--plan"][..], &words].concat())?;
    let shown = flat(&plan.stdout);
    ensure!(
        shown.contains("packages are not in apt's cache")
            && shown.contains("MiB): repair --network"),
        "{}",
        plan.stdout
    );
    let first = scene.server.packages_asked();
    ensure!(
        !first.is_empty() && first.len() < 20,
        "for dpkg alone: {first:?}"
    );
    let began = Instant::now();
    let done = lifeboot(root, &[&["repair", "--yes"][..], &words].concat())?;
    let then = scene.server.packages_asked();
    let report = Report::of_tree(root)?;
    ensure!(report.ids().is_empty(), "{:?}: {}", report.ids(), done.said);
    ensure!(
        flat(&done.said).contains("archives that its cache lacks"),
        "{}",
        done.said
    );
    lab::progress::line(&format!(
        "  {} packages before the plan, {} in the rehearsal, {} s",
        first.len(),
        then.len(),
        began.elapsed().as_secs()
    ));
    run::shell(
        "asking dpkg and apt",
        root,
        r#"
test -z "$(chroot . dpkg --audit)"
# Without its own files, which an undo would find changed.
chroot . apt-get -s -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= full-upgrade |
    grep '^0 upgraded, 0 newly installed'
test -z "$(find var/cache/apt/archives -name '*.deb')"
"#,
    )?;
    let undone = lifeboot(root, &["undo", "--yes"])?;
    ensure!(
        undone.code != 1 && !root.join("usr/lib/x86_64-linux-gnu/libc.so.6").exists(),
        "{}",
        undone.said
    );
    Ok(())
}

/// The mirror has only the next release: what is fetched is closed, and the same
/// as what is chosen from a folder with all of it.
fn newer(work: &Path) -> Result<()> {
    let scene = Scene::new(work)?;
    let half = half_upgrade::root(HalfUpgrade::BookwormTrixie)?;
    let all = half.join("var/cache/apt/archives");
    fs::remove_dir_all(scene.archive.pool())?;
    run::output(
        "copying packages",
        Command::new("cp")
            .arg("-r")
            .arg(&all)
            .arg(scene.archive.pool()),
    )?;
    scene.archive.publish()?;
    let got = scene.fetch(&[])?.packages()?;
    let mut fetched = got.iter().map(file_of).collect::<Result<Vec<_>>>()?;
    fetched.sort_unstable();
    let all = all.display().to_string();
    let plan = lifeboot(
        scene.patient.path(),
        &["repair", "--plan", "--json", "--packages", &all],
    )?;
    let plan: Value = serde_json::from_str(&plan.stdout)?;
    let repairs = plan["plan"]["repairs"].as_array().context("no plan")?;
    let unpack = repairs
        .iter()
        .filter_map(|repair| repair["unpack"].as_array());
    let mut chosen = unpack.flatten().map(file_of).collect::<Result<Vec<_>>>()?;
    chosen.sort_unstable();
    ensure!(fetched == chosen, "fetched {fetched:?}, chosen {chosen:?}");
    ensure!(
        fetched.iter().any(|file| file.starts_with("libc6_2.41")),
        "{fetched:?}"
    );
    let sizes: u64 = got.iter().filter_map(|one| one["bytes"].as_u64()).sum();
    lab::progress::line(&format!("  {} packages, {sizes} bytes", got.len()));
    Ok(())
}

/// Good, beside its file, of a key that is not there, changed, and none.
fn signatures(work: &Path) -> Result<()> {
    let scene = Scene::new(work)?;
    let (signed, key) = (
        scene.archive.suite("InRelease"),
        scene.patient.path().join("etc/apt/trusted.gpg.d/lab.gpg"),
    );
    let gpgv = |ring: &Path| {
        let mut command = Command::new("gpgv");
        command.arg("--keyring").arg(ring).arg(&signed);
        command.output().is_ok_and(|output| output.status.success())
    };
    let trust = |words: &[&str]| -> Result<(Value, String)> {
        let got = scene.fetch(words)?.packages()?;
        let one = got.first().context("nothing was fetched")?;
        let why = one["unsigned"].as_str().unwrap_or_default().to_owned();
        Ok((one["signed_by"].clone(), why))
    };
    ensure!(gpgv(&scene.archive.key()) && trust(&[])?.1.is_empty());
    // Changed: an error, and nothing is left of it.
    fs::remove_dir_all(&scene.folder)?;
    let text = fs::read_to_string(&signed)?;
    fs::write(
        &signed,
        text.replacen("Codename: ", "X-Evil: yes\nCodename: ", 1),
    )?;
    ensure!(!gpgv(&scene.archive.key()), "gpgv takes it");
    scene.fails("THE SIGNATURE IS WRONG")?;
    let why = trust(&["--allow-unsigned"])?.1;
    ensure!(why.starts_with("THE SIGNATURE IS WRONG"), "{why}");
    // Beside its file.
    fs::remove_file(&signed)?;
    ensure!(trust(&[])?.1.is_empty(), "Release.gpg");
    // Without the key, and without a signature.
    fs::remove_file(&key)?;
    let why = trust(&[])?.1;
    ensure!(why.ends_with("is not at hand"), "{why}");
    fs::copy(scene.archive.key(), &key)?;
    fs::remove_file(scene.archive.suite("Release.gpg"))?;
    let ended = scene.fetch(&[])?;
    ensure!(flat(&ended.said).contains("NOT VERIFIED"), "{}", ended.said);
    ensure!(trust(&[])?.1 == "it has no signature");
    // The plan says it as well.
    let folder = scene.folder.display().to_string();
    let plan = lifeboot(
        scene.patient.path(),
        &["repair", "--plan", "--packages", &folder],
    )?;
    ensure!(
        flat(&plan.stdout).contains("NOT VERIFIED by a signature: it has no signature"),
        "{}",
        plan.stdout
    );
    // Nobody reads it with --yes.
    let (url, scratch) = (scene.server.url(), work.join("unread"));
    fs::create_dir(&scratch)?;
    let scratch = scratch.display().to_string();
    let words = [
        "repair",
        "--yes",
        "--network",
        "--mirror",
        &url,
        "--scratch",
        &scratch,
    ];
    let ended = lifeboot(scene.patient.path(), &words)?;
    ensure!(
        ended.code == 1 && flat(&ended.said).contains("add --allow-unsigned"),
        "{}",
        ended.said
    );
    // A Release file of another suite.
    let release = scene.archive.suite("Release");
    let other = fs::read_to_string(&release)?;
    let other = other
        .replace("bookworm", "trixie")
        .replace("oldstable", "stable");
    fs::write(&release, other)?;
    fs::remove_dir_all(&scene.folder)?;
    scene.fails("its Release file is of stable (trixie)")
}

fn misbehaving(work: &Path) -> Result<()> {
    let scene = Scene::new(work)?;
    fs::create_dir_all(&scene.folder)?;
    let mut pool = fs::read_dir(scene.archive.pool())?.flatten();
    let deb = pool.find(|entry| entry.file_name().to_string_lossy().starts_with("dpkg_"));
    let bytes = fs::read(deb.context("no dpkg in the pool")?.path())?;
    let whole = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", bytes.len());
    let with = |head: &str, body: &[u8]| [head.as_bytes(), body].concat();
    let half = &bytes[..bytes.len() / 2];
    let mut changed = bytes.clone();
    if let Some(last) = changed.last_mut() {
        *last ^= 1;
    }
    let endless = vec![b'x'; bytes.len() * 2];
    let open = "HTTP/1.1 200 OK\r\n\r\n";
    for (end, answer, words) in [
        (".deb", with(&whole, half), "it ends after"),
        (".deb", with(open, half), "the index says"),
        (
            ".deb",
            with(&whole, &changed),
            "its digest is not the one in the index",
        ),
        (".deb", with(open, &endless), "bytes expected"),
        (
            "Packages.xz",
            with(open, b"x"),
            "its digest is not the one in the Release file",
        ),
        (
            "InRelease",
            with("HTTP/1.1 302 Found\r\nLocation: InRelease\r\n\r\n", b""),
            "it leads on more than 5 times",
        ),
        ("InRelease", with(open, b"hello"), "it is no signed text"),
    ] {
        scene.server.answer_instead(end, &answer);
        scene
            .fails(words)
            .with_context(|| format!("{end}: {words}"))?;
        scene.server.behave();
    }
    // And when it behaves again, it works.
    scene.fetch(&[])?.packages()?;
    Ok(())
}

/// The name servers and hosts of the rescue system.
fn names(work: &Path) -> Result<()> {
    let scene = Scene::new(work)?;
    let (conf, hosts) = (work.join("resolv.conf"), work.join("hosts"));
    fs::write(&conf, "nameserver 127.0.0.1\n")?;
    fs::write(&hosts, "127.0.0.1 mirror.example\n")?;
    let port = scene.server.url();
    let port = port.rsplit(':').next().context("no port")?.to_owned();
    // In a namespace of its own: other tests need the names of this machine.
    let script = r#"
mount --bind "$CONF" /etc/resolv.conf
mount --bind "$HOSTS" /etc/hosts
exec "$@"
"#;
    let fetch = |host: &str| -> Result<Ended> {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-euc", script, "sh", LIFEBOOT, "fetch"]);
        command.arg(&scene.folder).arg("--mirror");
        command.arg(format!("http://{host}:{port}")).arg("--json");
        command.arg("--root").arg(scene.patient.path());
        command.env("CONF", &conf).env("HOSTS", &hosts);
        Ended::of(command.env_remove("http_proxy"))
    };
    let ended = fetch("no-such.invalid")?;
    ensure!(
        ended.code == 1 && flat(&ended.said).contains("the name no-such.invalid does not resolve"),
        "{}",
        ended.said
    );
    ensure!(scene.fetched()?.is_empty());
    ensure!(fetch("mirror.example")?.packages()?.len() == 1);
    Ok(())
}
