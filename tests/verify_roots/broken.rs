//! A bookworm root broken in many ways.

/// One way to break a root, of which dpkg says the same.
pub struct Broken {
    pub name: &'static str,
    /// bash, in the root.
    pub script: &'static str,
    /// Lines that dpkg then prints.
    pub lines: usize,
    /// debsums can tell, too.
    pub debsums: bool,
}

pub const ALL: [Broken; 11] = [
    Broken {
        name: "changed",
        script: "echo >> usr/bin/ldd; echo >> etc/bash.bashrc; : > usr/bin/perl; \
                 truncate -s -100 usr/lib/x86_64-linux-gnu/libzstd.so.1.*; \
                 dd if=/dev/zero of=usr/sbin/cron bs=1k count=1 conv=notrunc",
        lines: 5,
        debsums: true,
    },
    Broken {
        name: "removed",
        script: "rm usr/bin/ldd etc/bash.bashrc; rm -r usr/share/doc/cron",
        lines: 17,
        debsums: true,
    },
    Broken {
        name: "below-a-file",
        script: "rm -r usr/share/doc/cron; : > usr/share/doc/cron",
        lines: 14,
        debsums: false,
    },
    Broken {
        name: "below-a-loop",
        script: "rm -r usr/share/doc/cron; ln -s cron usr/share/doc/cron",
        lines: 14,
        debsums: false,
    },
    Broken {
        name: "links-in-place",
        script: "mv usr/bin/ldd usr/bin/ldd.real; ln -s ldd.real usr/bin/ldd; \
                 ln -sf bash usr/bin/tzselect; ln -sf nowhere usr/sbin/tune2fs",
        lines: 3,
        debsums: false,
    },
    Broken {
        name: "directory-behind-a-link",
        script: "mkdir -p srv/doc; mv usr/share/doc/cron srv/doc/; \
                 ln -s ../../../srv/doc/cron usr/share/doc/cron; \
                 echo >> usr/share/doc/cron/copyright",
        lines: 1,
        debsums: true,
    },
    Broken {
        name: "diverted",
        script: "cd var/lib/dpkg; printf '%s\\n' /usr/bin/ldd /usr/bin/ldd.orig : \
                 /usr/bin/tzselect /usr/bin/tzselect.orig cron >> diversions; \
                 cd ../../../usr/bin; mv ldd ldd.orig; echo new > ldd; \
                 mv tzselect tzselect.lost",
        lines: 1,
        debsums: false,
    },
    Broken {
        name: "package-removed",
        script: "chroot . dpkg --remove cron; rm etc/crontab; echo >> etc/default/cron",
        lines: 2,
        debsums: false,
    },
    Broken {
        name: "record-pending",
        script: "cd var/lib/dpkg; mkdir -p updates; \
                 sed -n '/^Package: cron$/,/^$/p' status | \
                 sed '/^ .etc.default.cron /s/ [0-9a-f]*$/ 0123456789abcdef0123456789abcdef/' \
                 > updates/0000; test -s updates/0000",
        lines: 1,
        debsums: false,
    },
    Broken {
        name: "not-configured-yet",
        script: "sed -i '/^ .etc.crontab /s/ [0-9a-f]*$/ newconffile/' var/lib/dpkg/status",
        lines: 1,
        debsums: false,
    },
    Broken {
        name: "empty-files",
        script: "find usr/lib/systemd/system -type f | sort | sed -n 1,40p | \
                 while read -r f; do : > \"$f\"; done",
        lines: 40,
        debsums: true,
    },
];

/// A way in which Lifeboot means to say more.
pub struct Meant {
    pub name: &'static str,
    pub script: &'static str,
    /// dpkg ends in the middle.
    pub dpkg_fails: bool,
    pub only_ours: &'static [&'static str],
}

pub const MEANT: [Meant; 3] = [
    Meant {
        name: "directory-in-place",
        script: "rm usr/bin/ldd; mkdir usr/bin/ldd",
        dpkg_fails: true,
        only_ours: &["?M???????   /usr/bin/ldd"],
    },
    Meant {
        name: "other-checksums",
        script: "echo \"$(sha256sum < usr/bin/ldd | cut -c 1-64)  usr/bin/ldd\" \
                 > var/lib/dpkg/info/libc-bin.md5sums; echo >> usr/sbin/cron",
        dpkg_fails: true,
        only_ours: &["??5??????   /usr/sbin/cron"],
    },
    Meant {
        name: "diverted-and-changed",
        script: "printf '%s\\n' /usr/bin/ldd /usr/bin/ldd.orig : \
                 >> var/lib/dpkg/diversions; mv usr/bin/ldd usr/bin/ldd.orig; \
                 echo >> usr/bin/ldd.orig",
        dpkg_fails: false,
        only_ours: &["??5??????   /usr/bin/ldd.orig"],
    },
];
