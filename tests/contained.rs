//! Programs of the patient run where they can do no harm: in a real Debian
//! root, what they see and what they cannot reach.

mod lab;

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use libtest_mimic::{Arguments, Trial};
use lifeboot::sys::contained::{self, Ended, Program};

use lab::mounts::Overlay;
use lab::suite::Suite;
use lab::{base, program};

fn main() -> ExitCode {
    if contained::is_our_role() {
        return ExitCode::from(contained::play());
    }
    let trial = |name: &'static str, test: fn(&Path) -> Result<()>| -> Trial {
        program::trial(name, format!("contained-{name}"), move |work| {
            let overlay = Overlay::over(&base::root(Suite::Bookworm)?, work)?;
            test(overlay.path())
        })
    };
    let trials = vec![
        trial("sees-only-its-own", sees_only_its_own),
        trial("reaches-no-device", reaches_no_device),
        trial("finds-no-way-out", finds_no_way_out),
        trial("leaves-nothing-running", leaves_nothing_running),
        trial("is-stopped-when-silent", is_stopped_when_silent),
        trial("tells-how-it-ended", tells_how_it_ended),
        trial("programs-left-out", programs_left_out),
        trial("is-known-as-a-container", is_known_as_a_container),
        trial("hostile-directories", hostile_directories),
    ];
    program::run_trials(Arguments::from_args(), Ok(trials))
}

/// Runs a shell script in the tree; how it ended, and what it said.
fn shell(root: &Path, script: &str) -> Result<(Ended, Vec<String>)> {
    run(root, &Program::new(["sh", "-c", script]))
}

fn run(root: &Path, program: &Program) -> Result<(Ended, Vec<String>)> {
    let mut lines = Vec::new();
    let ended = contained::run(root, program, &mut |line| lines.push(line.to_owned()))?;
    Ok((ended, lines))
}

fn sees_only_its_own(root: &Path) -> Result<()> {
    let before = fs::read_dir(root.join("run"))?.count();
    let (ended, lines) = shell(
        root,
        "cat /proc/sys/kernel/hostname; ls -d /proc/[0-9]* | wc -l; cat /proc/net/dev | wc -l; \
         readlink /proc/self/fd/0; env | grep -c LIFEBOOT; ls /run /tmp /dev; id -u; \
         cut -d ' ' -f 5 /proc/self/mountinfo",
    )?;
    ensure!(ended == Ended::Code(0), "{lines:?}");
    ensure!(lines[0] == "rescue", "{lines:?}");
    // Process 1, the shell, ls or wc.
    ensure!(lines[1].parse::<u32>()? < 6, "{lines:?}");
    // Two lines of headings, and the loopback.
    ensure!(lines[2] == "3" && lines[3] == "/dev/null", "{lines:?}");
    ensure!(lines[4] == "0", "{lines:?}");
    let mounts = lines
        .iter()
        .filter(|line| line.starts_with('/') && !line.ends_with(':'));
    let mounts: Vec<_> = mounts.skip(1).collect();
    ensure!(mounts.len() < 16, "{mounts:?}");
    ensure!(mounts.iter().any(|mount| *mount == "/"), "{mounts:?}");
    // What it had in memory is gone, and its tree is as it was.
    ensure!(fs::read_dir(root.join("run"))?.count() == before);
    Ok(())
}

fn reaches_no_device(root: &Path) -> Result<()> {
    let (ended, lines) = shell(
        root,
        "echo x > /dev/null && head -c 4 /dev/zero | wc -c; \
         for at in /root/disk /tmp/disk /dev/disk /run/disk; do \
             mknod $at b 7 0; dd if=$at of=/dev/null count=1 2>&1 | head -n 1; \
         done; \
         mount -t tmpfs none /mnt; mount -o remount,dev /dev; \
         echo b > /proc/sysrq-trigger; date -s 2001-01-01; true",
    )?;
    ensure!(ended == Ended::Code(0), "{lines:?}");
    ensure!(lines[0] == "4", "{lines:?}");
    let refused = lines.iter().filter(|line| {
        line.contains("Permission denied") || line.contains("Operation not permitted")
    });
    ensure!(refused.count() >= 4, "{lines:#?}");
    ensure!(
        !lines.iter().any(|line| line.contains("records in")),
        "{lines:#?}"
    );
    ensure!(
        lines.iter().any(|line| line.contains("permission denied")),
        "{lines:#?}"
    );
    Ok(())
}

fn finds_no_way_out(root: &Path) -> Result<()> {
    // chroot(2) deeper, and up again from where one stands: the known way out
    // of a chroot.
    let (_, lines) = shell(
        root,
        "mkdir /deep; perl -e 'chroot \"/deep\"; chdir \"..\" for 1 .. 64; chroot \".\"; \
         exec \"/bin/ls\", \"/\"'; ls -d /proc/1/root/etc",
    )?;
    let host = fs::read_dir("/")?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut found = 0;
    let own: Vec<String> = fs::read_dir(root)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    ensure!(lines.contains(&"deep".to_owned()), "{lines:?}");
    // Nor by the process that stands between.
    ensure!(!lines.contains(&"/proc/1/root/etc".to_owned()), "{lines:?}");
    for name in host.filter(|name| !own.contains(name)) {
        found += 1;
        ensure!(!lines.contains(&name), "{name} of the host in {lines:?}");
    }
    ensure!(found > 0, "the host has nothing of its own");
    Ok(())
}

fn leaves_nothing_running(root: &Path) -> Result<()> {
    let began = Instant::now();
    let (ended, lines) = shell(
        root,
        "(trap '' TERM HUP INT; sleep 1000) & setsid sleep 1000 & echo started",
    )?;
    ensure!(ended == Ended::Code(0) && lines == ["started"], "{lines:?}");
    ensure!(began.elapsed() < Duration::from_secs(300));
    // Nothing has a file of the tree open: it could be taken down.
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let link = fs::read_link(Path::new("/proc").join(&name).join("exe"));
        ensure!(
            !link.is_ok_and(|exe| exe.starts_with(root)),
            "{name:?} still runs"
        );
    }
    Ok(())
}

fn is_stopped_when_silent(root: &Path) -> Result<()> {
    let mut program = Program::new(["sh", "-c", "echo once; trap '' TERM; sleep 1000"]);
    program.silence = Duration::from_secs(2);
    let (ended, lines) = run(root, &program)?;
    ensure!(
        ended == Ended::Silent && lines == ["once"],
        "{ended:?} {lines:?}"
    );
    Ok(())
}

fn tells_how_it_ended(root: &Path) -> Result<()> {
    ensure!(shell(root, "exit 7")?.0 == Ended::Code(7));
    ensure!(shell(root, "kill -KILL $$")?.0 == Ended::Code(128 + 9));
    let (ended, lines) = run(root, &Program::new(["no-such-program"]))?;
    ensure!(ended == Ended::Broken, "{ended:?}");
    ensure!(lines[0].contains("no-such-program"), "{lines:?}");
    // A loader that is gone: the program is there and cannot run.
    fs::remove_file(root.join("usr/lib64/ld-linux-x86-64.so.2"))?;
    ensure!(shell(root, "true")?.0 == Ended::Broken);
    Ok(())
}

fn programs_left_out(root: &Path) -> Result<()> {
    let mut program = Program::new(["sh", "-c", "dpkg --version; update-grub --now"]);
    program.left_out = vec!["dpkg".into(), "update-grub".into()];
    let (ended, lines) = run(root, &program)?;
    ensure!(ended == Ended::Code(0));
    let wanted = [
        "lifeboot: dpkg is left for later",
        "lifeboot: update-grub is left for later",
    ];
    ensure!(lines == wanted, "{lines:?}");
    Ok(())
}

/// As GRUB's maintainer scripts ask, by every systemd since that of Debian 11.
fn is_known_as_a_container(root: &Path) -> Result<()> {
    let (ended, said) = shell(root, "systemd-detect-virt --container")?;
    ensure!(ended == Ended::Code(0), "{ended:?}: {said:?}");
    Ok(())
}

fn hostile_directories(root: &Path) -> Result<()> {
    for place in ["dev", "proc", "run", "tmp"] {
        let path = root.join(place);
        let aside = root.join("aside");
        fs::rename(&path, &aside)?;
        std::os::unix::fs::symlink("../../../../../etc", &path)?;
        let (ended, lines) = shell(root, "true")?;
        let told = format!("/{place} of the patient is no directory to mount at");
        ensure!(ended == Ended::Broken, "{place}: {ended:?}");
        ensure!(lines[0].contains(&told), "{lines:?}");
        fs::remove_file(&path)?;
        fs::rename(&aside, &path)?;
    }
    ensure!(shell(root, "true")?.0 == Ended::Code(0));
    Ok(())
}
