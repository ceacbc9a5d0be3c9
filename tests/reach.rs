//! What Lifeboot says of a way in, against what the patient's own programs say
//! in a chroot: sshd of three releases about lines and keys, ifquery and netplan
//! about the network; and what is found on a server with all of that.

mod lab;

#[path = "reach/network.rs"]
mod network;

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use libtest_mimic::Arguments;

use lab::mounts::Overlay;
use lab::suite::Suite;
use lab::{base, program, run};
use lifeboot::facts::reach::ssh;
use lifeboot::sys::root_dir::RootDir;

const SUITES: [Suite; 3] = [Suite::Bullseye, Suite::Bookworm, Suite::Trixie];

/// Configurations, good and bad; `sshd -t` says which is which.
const CONFIGS: [&str; 54] = [
    "",
    "# nothing\n\t\n",
    "Port 22\r\nUsePAM yes\r\n",
    "Port = 22\nPermitRootLogin=no\n",
    "Port 99999\n",
    "Port 0\n",
    "Port 22x\n",
    "Port 22 23\n",
    "Port\n",
    "Prt 22\n",
    "RSAAuthentication yes\n",
    "RSAAuthentication\n",
    "Protocol 2\n",
    "UsePrivilegeSeparation maybe\n",
    "KeyRegenerationInterval 3600\nServerKeyBits 1024\n",
    "UseLogin no\nRhostsRSAAuthentication no\n",
    "PermitRootLogin maybe\n",
    "PermitRootLogin without-password\n",
    "PermitRootLogin yes # as before\n",
    "PermitRootLogin yes yes\n",
    "UsePAM \"yes\n",
    "UsePAM \"yes\"\n",
    "UsePAM true\n",
    "UsePAM 1\n",
    "PasswordAuthentication YES\n",
    "PasswordAuthentication true\n",
    "ChallengeResponseAuthentication no\n",
    "KbdInteractiveAuthentication no\n",
    "AllowUsers\n",
    "Include\n",
    "Ciphers\n",
    "Match # nobody\n",
    "AllowUsers a b # c\n",
    "AllowUsers \"a b\" c\n",
    "Ciphers arcfour,aes128-ctr\n",
    "Ciphers aes128-ctr\n",
    "Ciphers +arcfour\n",
    "Ciphers -arcfour\n",
    "Ciphers ^aes256-ctr\n",
    "MACs hmac-ripemd160\n",
    "MACs hmac-sha2-256\n",
    "KexAlgorithms diffie-hellman-group99-sha1\n",
    "KexAlgorithms curve25519-sha256\n",
    "Match\n",
    "Match Usr x\n",
    "Match User x\nUsePAM yes\n",
    "Match User x\nPort 22\n",
    "Match User x\nX11Forwarding no\nMatch all\nUsePAM yes\n",
    "Match Address 192.0.2.0/24\nPasswordAuthentication yes\n",
    "Match Group a,b User c\n\tAllowTcpForwarding local\n\tForceCommand internal-sftp\n",
    "Include /nonexistent/*.conf\nInclude nothing.conf\n",
    "Include /tmp/lab.d/*.conf\n",
    "Include /tmp/lab-config\n",
    "Match User x\nInclude /tmp/lab.d/*.conf\n",
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for suite in SUITES {
        let name = suite.name();
        let work = format!("reach-config-{name}");
        trials.push(program::trial(
            format!("config::{name}"),
            work,
            move |work| configs(suite, work),
        ));
        let work = format!("reach-keys-{name}");
        trials.push(program::trial(format!("keys::{name}"), work, move |work| {
            keys(suite, work)
        }));
    }
    trials.extend(network::trials());
    program::run_trials(arguments, Ok(trials))
}

/// A server in which sshd can be asked.
fn server(suite: Suite, work: &Path) -> Result<Overlay> {
    let overlay = Overlay::over(&base::root(suite)?, work)?;
    let script = "mkdir -p run/sshd tmp/lab.d\n\
                  echo 'NoSuchOption yes' > tmp/lab.d/bad.conf\n\
                  test -e dev/null || mknod -m 666 dev/null c 1 3\n";
    run::shell("preparing a server", overlay.path(), script)?;
    Ok(overlay)
}

/// True when `sshd -t` ends well; with its words.
fn sshd(root: &Path, arguments: &[&str]) -> Result<(bool, String)> {
    let output = Command::new("chroot")
        .arg(root)
        .args(["/usr/sbin/sshd", "-t"])
        .args(arguments)
        .output()
        .context("starting sshd")?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok((output.status.success(), said))
}

fn configs(suite: Suite, work: &Path) -> Result<()> {
    let overlay = server(suite, work)?;
    let root = RootDir::open(overlay.path())?;
    let path = overlay.path().join("tmp/lab-config");
    let mut differing = Vec::new();
    let mut refused = 0;
    for text in CONFIGS {
        fs::write(&path, text)?;
        let (taken, said) = sshd(overlay.path(), &["-f", "/tmp/lab-config"])?;
        let ours = ssh::refused(&root, "/tmp/lab-config").context("no sshd was found")?;
        refused += usize::from(!taken);
        if taken != ours.is_empty() {
            differing.push(format!("{text:?}: sshd: {said:?}, Lifeboot: {ours:?}"));
        }
    }
    ensure!(differing.is_empty(), "{differing:#?}");
    ensure!(refused > 15, "only {refused} were refused by sshd");
    Ok(())
}

/// Ways to treat a key, in the root; `$K` is a good one, `$T` what is tried.
const KEYS: [(&str, &str); 14] = [
    ("good", "cp $K $T"),
    ("group may read", "cp $K $T; chmod 640 $T"),
    ("all may read", "cp $K $T; chmod 644 $T"),
    ("owner may not write", "cp $K $T; chmod 400 $T"),
    ("another's, open", "cp $K $T; chmod 644 $T; chown 1000 $T"),
    ("no line feed", "printf %s \"$(cat $K)\" > $T"),
    ("from Windows", "sed 's/$/\\r/' $K > $T"),
    ("cut", "head -c 200 $K > $T"),
    ("empty", ": > $T"),
    ("zeros", "head -c 400 /dev/zero > $T"),
    ("words before it", "(echo words; cat $K) > $T"),
    ("words behind it", "(cat $K; echo words) > $T"),
    (
        "RSA in PEM",
        "chroot . ssh-keygen -q -t rsa -m PEM -N '' -f /$T",
    ),
    (
        "with a passphrase",
        "chroot . ssh-keygen -q -t ed25519 -N secret -f /$T",
    ),
];

fn keys(suite: Suite, work: &Path) -> Result<()> {
    let overlay = server(suite, work)?;
    let root = RootDir::open(overlay.path())?;
    let mut differing = Vec::new();
    for (what, script) in KEYS {
        let script =
            format!("umask 077; K=etc/ssh/ssh_host_ed25519_key; T=tmp/lab-key; rm -f $T; {script}");
        run::shell("making a key", overlay.path(), &script)?;
        let (_, said) = sshd(overlay.path(), &["-f", "/dev/null", "-h", "/tmp/lab-key"])?;
        let ours = ssh::host_key(&root, "/tmp/lab-key");
        // Its exit code speaks of the other keys as well.
        let taken = !said.contains("/tmp/lab-key");
        if taken != ours.fault.is_none() {
            differing.push(format!("{what}: sshd: {said:?}, Lifeboot: {ours:?}"));
        }
    }
    ensure!(differing.is_empty(), "{differing:#?}");
    Ok(())
}
