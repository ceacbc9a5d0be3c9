//! Files of the patient are hostile: whatever they say, there is an answer.
#![allow(clippy::unwrap_used)]

use std::fs;

use proptest::prelude::*;

use super::collect;
use crate::sys::root_dir::RootDir;

/// Every file that is read, and a file that its parser draws in.
const FILES: [&str; 17] = [
    "etc/ssh/sshd_config",
    "etc/ssh/ssh_host_rsa_key",
    "etc/passwd",
    "etc/shadow",
    "etc/group",
    "etc/nsswitch.conf",
    "etc/default/ssh",
    "etc/network/interfaces",
    "etc/netplan/a.yaml",
    "etc/systemd/network/a.network",
    "etc/systemd/network/a.link",
    "etc/udev/rules.d/a.rules",
    "etc/NetworkManager/system-connections/a",
    "etc/nftables.conf",
    "etc/ufw/user.rules",
    "etc/iptables/rules.v4",
    "usr/lib/systemd/system/ssh.service",
];

/// Words that the parsers look for, beside any bytes.
fn text() -> impl Strategy<Value = String> {
    let words = prop::sample::select(vec![
        "Include /etc/ssh/*\n",
        "Include sshd_config\n",
        "Match all\n",
        "Match User x\n",
        "Port ",
        "HostKey /etc/passwd\n",
        "-----BEGIN OPENSSH PRIVATE KEY-----\n",
        "-----END OPENSSH PRIVATE KEY-----\n",
        "AuthorizedKeysFile %h%",
        "AllowUsers [!*@\n",
        "source interfaces\n",
        "source-directory /etc/network\n",
        "iface ",
        "auto \\\n",
        "inet static\n",
        "network:\n  ethernets:\n    a: &a\n",
        "      addresses: [*a, *a]\n",
        "[Match]\nName=",
        "[Network]\nAddress=1.2.3.4/0\nGateway=",
        "[Service]\nExecStart=/usr/sbin/sshd -f",
        "hook input",
        "*filter\n:INPUT DROP\n",
        "### tuple ### ",
        "root:x:0:0::/root:\n",
        "x:1000:",
        "SUBSYSTEM==\"net\", NAME=\"",
        "\0",
        "\"",
        "'",
        "=",
        "/255.255.255.255",
    ]);
    let part = prop_oneof![4 => words.prop_map(str::to_owned), 1 => ".{0,12}"];
    prop::collection::vec(part, 0..24).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_content_is_answered(texts in prop::collection::vec(text(), FILES.len())) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in FILES.iter().zip(&texts) {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let sshd = folder.path().join("usr/sbin/sshd");
        fs::create_dir_all(sshd.parent().unwrap()).unwrap();
        let words = "\0permitrootlogin\0hostkey\0usepam\0/etc/ssh/sshd_config\0include\0match\0port\0user\0all\0allowusers\0authorizedkeysfile\0";
        fs::write(sshd, words).unwrap();
        let root = RootDir::open(folder.path()).unwrap();
        let reach = collect(&root, Some("quiet"));
        prop_assert!(reach.ssh.is_some());
    }
}
