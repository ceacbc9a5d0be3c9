//! What goes, and what must stay.

use super::*;

fn redaction() -> Redaction {
    let mut names = BTreeMap::new();
    for (name, kind) in [
        ("web7", Kind::Host),
        ("web7.corp.example.com", Kind::Host),
        ("mail", Kind::Host),
        ("eve", Kind::User),
        ("Eve Long", Kind::User),
        ("S5GXNX0T1", Kind::Serial),
        ("12AB-34CD", Kind::Uuid),
    ] {
        add(&mut names, name, kind);
    }
    let mut redaction = Redaction {
        names: names.into_iter().collect(),
        versions: ["1.2.3.4".to_owned()].into(),
        ..Redaction::default()
    };
    redaction
        .names
        .sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    redaction
}

#[test]
fn what_tells_whose_machine_it_is_goes_the_same_way_each_time() {
    let redaction = redaction();
    for (text, expected) in [
        ("host web7, web7.", "host host-1, host-1."),
        ("web7.corp.example.com is web7", "host-2 is host-1"),
        ("/home/eve/.ssh by eve", "/home/user-1/.ssh by user-1"),
        (
            "10.0.0.7, 10.0.0.7:22 and 10.0.0.8/24",
            "ip-1, ip-1:22 and ip-2/24",
        ),
        ("10.0.0.7-10.0.0.9", "ip-1-ip-3"),
        (
            "ip=10.0.0.7::10.0.0.1:255.255.255.0:web7:eno1",
            "ip=ip-1::ip-4:255.255.255.0:host-1:eno1",
        ),
        ("[2001:db8::1]:22 fe80::1%eth0", "[ip-5]:22 ip-6%eth0"),
        ("52:54:00:12:34:56", "mac-1"),
        ("UUID=1f0b0a7e-0000-4000-8000-00000000f5f5", "UUID=uuid-1"),
        (
            "/dev/disk/by-uuid/1f0b0a7e-0000-4000-8000-00000000f5f5.",
            "/dev/disk/by-uuid/uuid-1.",
        ),
        ("1f0b0a7e:00004000:80000000:0000a0a0", "uuid-2"),
        ("UUID=12AB-34CD", "UUID=uuid-3"),
        (
            "nvme-Samsung_SSD_980_S5GXNX0T1_1",
            "nvme-Samsung_SSD_980_serial-1_1",
        ),
        ("eui.0025385b21404321", "eui.serial-2"),
        ("backup-web7_eve.tar", "backup-host-1_user-1.tar"),
        ("mail to eve@corp.example.com", "host-3 to mail-1"),
        ("http://mirror.corp.example.com/x", "http://host-4/x"),
        (
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ4F/abc+def== eve",
            "ssh-ed25519 key-1 user-1",
        ),
        (
            "SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDQAB1oIb7sT0aLRlk.",
            "key-2.",
        ),
        (
            "a -----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn\n-----END OPENSSH PRIVATE KEY-----\nb",
            "a key-3\nb",
        ),
        ("root:$6$salt$hashhash:1", "root:key-4"),
        ("Eve Long", "user-2"),
    ] {
        assert_eq!(redaction.apply(text), expected, "{text}");
    }
}

#[test]
fn what_is_needed_stays() {
    let redaction = redaction();
    for text in [
        "nvme0n1p2 at 0000:00:02.0, ata2.00, sd 0:0:0:0",
        "linux-image-6.1.0-18-amd64 6.1.76-1, grub-pc 2.06-13+deb12u1",
        "libx 1:1.2.3.4-5 and 1.2.3.4 and 2:1.2.3.4 and 1.2.3.4~rc1",
        "/var/mail is full; /usr/lib/x86_64-linux-gnu/libc.so.6",
        "2026-11-25 02:00:31, 12:30",
        "http://deb.debian.org/debian bookworm",
        "org.freedesktop.login1.service, getty@tty1.service, user@1000.service",
        "127.0.0.1 ::1 0.0.0.0 255.255.255.0 localhost",
        "root/system-directory-replaced: Dpkg::Options::=--force-confold",
        "eventually web70 evening x9steve eve-ning",
        "systemd-journal-gateway-well-done-here",
    ] {
        assert_eq!(redaction.apply(text), text);
    }
}
