//! A server with ifupdown, netplan, NetworkManager, nftables and ufw: healthy,
//! and broken in the ways that these know.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use libtest_mimic::Trial;
use lifeboot::facts::reach::network::{ifupdown, netplan};
use lifeboot::sys::root_dir::RootDir;
use serde_json::{Value, json};

use crate::lab::mounts::Overlay;
use crate::lab::report::Report;
use crate::lab::{LIFEBOOT, base, cache, program, run};

/// Besides those of every lab server.
const PACKAGES: &str = "netplan.io network-manager nftables ufw";

/// Broken in a way, and what must be found then.
struct Broken {
    name: &'static str,
    script: &'static str,
    ids: &'static [&'static str],
}

const BROKEN: [Broken; 8] = [
    Broken {
        name: "healthy",
        script: "true",
        ids: &[],
    },
    Broken {
        name: "nftables",
        script: "chroot . systemctl enable nftables\n\
                 sed -i 's/type filter hook input priority filter;/& policy drop; iif lo accept/' \
                 etc/nftables.conf\ngrep -q 'policy drop' etc/nftables.conf",
        ids: &["reach/firewall-shuts-ssh"],
    },
    Broken {
        name: "nftables-open",
        script: "chroot . systemctl enable nftables",
        ids: &[],
    },
    Broken {
        name: "ufw",
        script: "sed -i s/ENABLED=no/ENABLED=yes/ etc/ufw/ufw.conf\n\
                 grep -q ENABLED=yes etc/ufw/ufw.conf",
        ids: &["reach/firewall-shuts-ssh"],
    },
    Broken {
        name: "ufw-open",
        script: "sed -i s/ENABLED=no/ENABLED=yes/ etc/ufw/ufw.conf\n\
                 sed -i 's/^### RULES ###/&\\n\\n### tuple ### limit tcp 22 0.0.0.0\\/0 any 0.0.0.0\\/0 in/' \
                 etc/ufw/user.rules\ngrep -q tuple etc/ufw/user.rules",
        ids: &[],
    },
    Broken {
        name: "plan",
        script: "printf 'network:\\n\\tversion: 2\\n' > etc/netplan/50-lan.yaml",
        ids: &["reach/network-config-invalid"],
    },
    Broken {
        name: "keyfile",
        script: "cd etc/NetworkManager/system-connections\n\
                 printf '[connection]\\nid=lan\\ntype=ethernet\\n[ipv4]\\nmethod=auto\\n' > lan.nmconnection\n\
                 chmod 644 lan.nmconnection",
        ids: &["reach/network-config-invalid"],
    },
    Broken {
        name: "all-off",
        script: "chroot . systemctl disable networking NetworkManager\n\
                 sed -i s/^allow-hotplug/auto/ etc/network/interfaces",
        ids: &["reach/network-none"],
    },
];

/// A test in its folder.
type Part = fn(&Path) -> Result<()>;

pub fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> = BROKEN
        .iter()
        .map(|broken| {
            let (name, work) = (broken.name, format!("reach-network-{}", broken.name));
            program::trial(format!("network::{name}"), work, move |work| {
                let overlay = Overlay::over(&server()?, work)?;
                run::shell("breaking it", overlay.path(), broken.script)?;
                let found = diagnose(&["--root".as_ref(), overlay.path()], work)?;
                ensure!(found == broken.ids, "{found:?}, expected {:?}", broken.ids);
                Ok(())
            })
        })
        .collect();
    let parts: [(&str, Part); 4] = [
        ("keyfile-repaired", keyfile_repaired),
        ("interfaces", interfaces),
        ("netplan", plans),
        ("cards", cards),
    ];
    for (name, test) in parts {
        let work = format!("reach-{name}");
        trials.push(program::trial(format!("network::{name}"), work, test));
    }
    trials
}

/// The root of that server.
fn server() -> Result<PathBuf> {
    let packages = format!("{} {PACKAGES}", base::PACKAGES);
    let packages = packages.split_whitespace().collect::<Vec<_>>().join(",");
    let inputs = [
        packages.as_str(),
        base::CONFIGURE,
        base::ROOT_UUID,
        base::ARRAY_UUID,
    ];
    let entry = cache::entry("root-network-bookworm", &inputs, |dir| {
        base::install("bookworm", &packages, dir, &[])
    })?;
    Ok(entry.join("root"))
}

/// The ids that `lifeboot diagnose` finds.
fn diagnose(arguments: &[&Path], work: &Path) -> Result<Vec<String>> {
    let output = Command::new(LIFEBOOT)
        .args(["diagnose", "--json"])
        .args(arguments)
        .output()
        .context("starting lifeboot")?;
    fs::write(work.join("diagnose.stdout"), &output.stdout)?;
    let said = String::from_utf8_lossy(&output.stdout);
    let (report, _) = Report::first(&said)?;
    Ok(report.ids().into_iter().map(str::to_owned).collect())
}

/// A connection that others may read is closed, and opened again by the undo;
/// one in a folder that others may write to is left alone.
fn keyfile_repaired(work: &Path) -> Result<()> {
    let overlay = Overlay::over(&server()?, work)?;
    let root = overlay.path();
    let folder = "etc/NetworkManager/system-connections";
    let script = format!(
        "printf '[connection]\\nid=lan\\ntype=ethernet\\n' > {folder}/lan.nmconnection\n\
         chown 1000:1000 {folder}/lan.nmconnection\nchmod 644 {folder}/lan.nmconnection"
    );
    run::shell("opening it", root, &script)?;
    let rights = || -> Result<(u32, u32)> {
        let meta = fs::metadata(root.join(folder).join("lan.nmconnection"))?;
        Ok((meta.mode() & 0o7777, meta.uid()))
    };
    let lifeboot = |words: &[&str]| -> Result<()> {
        let mut command = Command::new(LIFEBOOT);
        let output = command.args(words).arg("--root").arg(root).output()?;
        fs::write(work.join("said"), &output.stderr)?;
        Ok(())
    };
    fs::set_permissions(root.join(folder), fs::Permissions::from_mode(0o777))?;
    lifeboot(&["repair", "--yes"])?;
    ensure!(rights()? == (0o644, 1000), "{:?}", rights()?);
    fs::set_permissions(root.join(folder), fs::Permissions::from_mode(0o700))?;
    lifeboot(&["repair", "--yes"])?;
    ensure!(rights()? == (0o600, 0), "{:?}", rights()?);
    let found = diagnose(&["--root".as_ref(), root], work)?;
    ensure!(found.is_empty(), "{found:?}");
    lifeboot(&["undo", "--yes"])?;
    ensure!(rights()? == (0o644, 1000), "{:?}", rights()?);
    Ok(())
}

/// True when the program ends well in the root.
fn takes(root: &Path, words: &[&str]) -> Result<(bool, String)> {
    let output = Command::new("chroot").arg(root).args(words).output();
    let output = output.with_context(|| format!("starting {words:?}"))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok((output.status.success(), said))
}

/// Texts for `ifquery`, which refuses a whole file for one line.
const INTERFACES: [&str; 14] = [
    "",
    "auto lo\niface lo inet loopback\n",
    "# a\n\nauto eth0\niface eth0 inet static\n  address 192.0.2.2/24\n  gateway 192.0.2.1\n",
    "iface eth0 inet statik\n",
    "iface eth0 inet7 static\n",
    "iface eth0 inet\n",
    "iface\n",
    "address 192.0.2.2/24\n",
    "iface eth0 inet dhcp\n  hostname\n",
    "iface eth0 inet6 auto\niface eth0 inet manual\n",
    "auto eth0 \\\n  eth1\niface eth0 inet dhcp\niface eth1 inet dhcp\n",
    "allow-hotplug eth0\nno-auto-down eth0\niface eth0 inet dhcp\n  up ip route add \\\n    192.0.2.0/24 dev eth0\n",
    "mapping eth0\n  script /bin/x\niface eth0 inherits base\niface base inet dhcp\n",
    "iface base inet dhcp\niface eth0 inet dhcp inherits base\n",
];

fn interfaces(work: &Path) -> Result<()> {
    let overlay = Overlay::over(&server()?, work)?;
    let root = RootDir::open(overlay.path())?;
    let mut differing = Vec::new();
    let mut refused = 0;
    for text in INTERFACES {
        fs::write(overlay.path().join("tmp/interfaces"), text)?;
        let (taken, said) = takes(
            overlay.path(),
            &["/sbin/ifquery", "--list", "-a", "-i", "/tmp/interfaces"],
        )?;
        let ours = ifupdown::refused(&root, "/tmp/interfaces");
        refused += usize::from(!taken);
        if taken != ours.is_empty() {
            differing.push(format!("{text:?}: ifquery: {said:?}, Lifeboot: {ours:?}"));
        }
    }
    ensure!(differing.is_empty(), "{differing:#?}");
    ensure!(refused >= 5, "only {refused} were refused by ifquery");
    Ok(())
}

/// Texts for netplan, below `network:` where they do not begin otherwise.
const PLANS: [&str; 15] = [
    "",
    "network: {version: 2}\n",
    "network:\n  version: 2\n  renderer: networkd\n",
    "network:\n\tversion: 2\n",
    "network:\n  version: 2\n ethernets:\n    eth0: {}\n",
    "network:\n  version: 2\n  ethernet:\n    eth0: {}\n",
    "networks:\n  version: 2\n",
    "network:\n  version: 2\n  ethernets:\n    eth0:\n      addresses: [192.0.2.2/24]\n",
    "network:\n  version: 2\n  ethernets:\n    eth0:\n      addresses: [192.0.2.2]\n",
    "network:\n  version: 2\n  ethernets:\n    eth0:\n      addresses: [192.0.2.2/33]\n",
    "network:\n  version: 2\n  ethernets:\n    eth0:\n      addresses: [192.0.2.300/24]\n",
    "network:\n  version: 2\n  ethernets:\n    eth0:\n      dhcp4: true\n      dhcp4: true\n",
    "network:\n  version: 2\n  ethernets:\n    eth0: {dhcp4: yes}\n  bridges:\n    br0:\n      interfaces: [eth0]\n",
    "network: [\n",
    "network:\n  version: 2\n  ethernets:\n    eth0:\n      addresses: [\"2001:db8::2/64\"]\n",
];

fn plans(work: &Path) -> Result<()> {
    let overlay = Overlay::over(&server()?, work)?;
    let plan = overlay.path().join("tmp/plan/etc/netplan");
    fs::create_dir_all(&plan)?;
    let mut differing = Vec::new();
    let mut refused = 0;
    for text in PLANS {
        fs::write(plan.join("lan.yaml"), text)?;
        let (taken, said) = takes(
            overlay.path(),
            &["/usr/libexec/netplan/generate", "--root-dir", "/tmp/plan"],
        )?;
        let ours = netplan::plan(text);
        refused += usize::from(!taken);
        if taken != ours.is_ok() {
            differing.push(format!("{text:?}: netplan: {said:?}, Lifeboot: {ours:?}"));
        }
    }
    ensure!(differing.is_empty(), "{differing:#?}");
    ensure!(refused >= 6, "only {refused} were refused by netplan");
    Ok(())
}

/// The same server in a machine with cards: facts of a tree with those of a
/// machine put to it.
fn cards(work: &Path) -> Result<()> {
    let overlay = Overlay::over(&server()?, work)?;
    // NetworkManager makes a connection for any card.
    run::shell(
        "leaving ifupdown",
        overlay.path(),
        "chroot . systemctl disable NetworkManager",
    )?;
    let saved = work.join("facts.json");
    let arguments = [
        "--root".as_ref(),
        overlay.path(),
        "--save-facts".as_ref(),
        saved.as_path(),
    ];
    diagnose(&arguments, work)?;
    let mut facts: Value = serde_json::from_slice(&fs::read(&saved)?)?;
    // The kernel's command line is not known without a boot loader.
    facts["tree"]["reach"]["network"]["names"]["is_unclear"] = json!(false);
    facts["search"]["origin"] = json!("disks");
    for (name, ids) in [
        ("enp0s2", None),
        ("enp0s3", Some("reach/interface-absent")),
        ("eno1", Some("reach/interface-absent")),
    ] {
        let card = json!({"place": "0000:00:02.0", "names": [name], "addresses": []});
        facts["survey"]["cards"] = json!({"cards": [card], "others": false});
        fs::write(&saved, serde_json::to_vec(&facts)?)?;
        let found = diagnose(&["--facts".as_ref(), saved.as_path()], work)?;
        let found = found
            .iter()
            .find(|id| id.as_str() == "reach/interface-absent");
        ensure!(found.map(String::as_str) == ids, "{name}: {found:?}");
    }
    named(&mut facts, &saved, work)
}

/// One card with an address gets the name that is configured; of two nobody
/// knows which is meant.
fn named(facts: &mut Value, saved: &Path, work: &Path) -> Result<()> {
    let card = |name: &str, address: &str| json!({"place": "0000:00:02.0", "names": [name], "addresses": [address]});
    let one = card("eno1", "52:54:00:12:34:56");
    let two = card("eno2", "52:54:00:12:34:57");
    let odd = card("eno1", "52:54:00:12:34:56\nName=x");
    for (cards, text) in [
        (
            json!([one]),
            Some("MACAddress=52:54:00:12:34:56\n\n[Link]\nName=enp0s2\n"),
        ),
        (json!([one, two]), None),
        (json!([odd]), None),
    ] {
        facts["survey"]["cards"] = json!({"cards": cards, "others": false});
        fs::write(saved, serde_json::to_vec(facts)?)?;
        diagnose(&["--facts".as_ref(), saved], work)?;
        let said: Value = serde_json::from_slice(&fs::read(work.join("diagnose.stdout"))?)?;
        let repairs = said["plan"]["repairs"].as_array().context("no plan")?;
        let repair = repairs.iter().find(|repair| repair["name"] == "name-card");
        let put = repair.and_then(|repair| repair["actions"][0]["text"].as_str());
        ensure!(put.is_some() == text.is_some(), "{put:?}");
        ensure!(
            put.unwrap_or_default().ends_with(text.unwrap_or_default()),
            "{put:?}"
        );
    }
    Ok(())
}
