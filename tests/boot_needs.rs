//! Which programs a boot is said to need, and for what: small roots whose
//! configuration is written as distributions write it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Command, Stdio};

struct Root(tempfile::TempDir);

impl Root {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Programs that do nothing.
    fn programs(&self, paths: &[&str]) {
        for path in paths {
            self.script(path, "#!/bin/sh\n");
        }
    }

    fn script(&self, path: &str, text: &str) {
        self.write(path, text);
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(self.0.path().join(path), mode).unwrap();
    }

    fn link(&self, path: &str, target: &str) {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
    }

    /// The programs of the boot with what is lost without them.
    fn needed(&self) -> BTreeMap<String, String> {
        let facts = tempfile::NamedTempFile::new().unwrap();
        let done = Command::new(env!("CARGO_BIN_EXE_lifeboot"))
            .args(["diagnose", "--root"])
            .arg(self.0.path())
            .arg("--save-facts")
            .arg(facts.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stderr);
        let text = fs::read_to_string(facts.path()).unwrap();
        let facts: serde_json::Value = serde_json::from_str(&text).expect(&said);
        let programs = facts["tree"]["critical"]["programs"].as_array().unwrap();
        let word = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let pairs = programs
            .iter()
            .map(|p| (word(&p["path"]), word(&p["role"])));
        pairs.collect()
    }
}

fn is_in(needed: &BTreeMap<String, String>, path: &str, role: &str) {
    let found = needed.get(path).map(String::as_str);
    assert_eq!(found, Some(role), "{path} in {needed:#?}");
}

fn is_out(needed: &BTreeMap<String, String>, path: &str) {
    assert!(!needed.contains_key(path), "{path} in {needed:#?}");
}

/// As Alpine has them, shortened.
const INITTAB: &str = "# /etc/inittab\n::sysinit:/sbin/openrc sysinit\n\
    ::sysinit:/sbin/openrc boot\n::wait:/sbin/openrc default\n\
    tty1::respawn:/sbin/getty 38400 tty1\n#ttyS0::respawn:/sbin/getty -L 115200 ttyS0\n\
    ::ctrlaltdel:/sbin/reboot\n";

const SSHD: &str = r#"#!/sbin/openrc-run
description="OpenBSD Secure Shell server"
: ${cfgfile:=${SSHD_CONFIG:-"${SSHD_CONFDIR:-/etc/ssh}/sshd_config"}}
pidfile="${SSHD_PIDFILE:-"/run/$RC_SVCNAME.pid"}"
command="${SSHD_BINARY:-"/usr/sbin/sshd"}"
command_args="${command_args:-${SSHD_OPTS:-}}"
depend() {
	use logger dns
	after entropy
	need net
}
start_pre() {
	"$command" -t $command_args || return 1
}
"#;

const CROND: &str = r#"#!/sbin/openrc-run
name="busybox $SVCNAME"
command="/usr/sbin/$SVCNAME"
pidfile="/var/run/$SVCNAME.pid"
depend() {
	need localmount
	need logger
}
"#;

const NETWORKING: &str = "#!/sbin/openrc-run\ndepend() {\n\tneed localmount\n\tprovide net\n}\n\
    start() {\n\tifup -i /etc/network/interfaces -a\n}\n";

const NGINX: &str = r#"#!/sbin/openrc-run
command="/usr/sbin/nginx"
depend() {
	need localmount	# and more
	want certificates
}
"#;

fn alpine() -> Root {
    let root = Root::new();
    root.programs(&[
        "bin/busybox",
        "bin/login",
        "sbin/getty",
        "sbin/openrc",
        "sbin/openrc-run",
        "sbin/start-stop-daemon",
        "lib/rc/sh/openrc-run.sh",
        "usr/sbin/sshd",
        "usr/sbin/stray",
        "usr/sbin/certificates",
    ]);
    root.link("sbin/init", "/bin/busybox");
    root.write("etc/inittab", INITTAB);
    let certificates = "#!/sbin/openrc-run\ncommand=/usr/sbin/certificates\n";
    let stray = "#!/sbin/openrc-run\ncommand=/usr/sbin/stray\n";
    for (name, text) in [
        ("sshd", SSHD),
        ("crond", CROND),
        ("networking", NETWORKING),
        ("nginx", NGINX),
        ("localmount", "#!/sbin/openrc-run\n"),
        ("certificates", certificates),
        ("stray", stray),
    ] {
        root.script(&format!("etc/init.d/{name}"), text);
    }
    for (level, name) in [
        ("boot", "networking"),
        ("default", "sshd"),
        ("default", "crond"),
    ] {
        root.link(
            &format!("etc/runlevels/{level}/{name}"),
            &format!("/etc/init.d/{name}"),
        );
    }
    // A runlevel in a runlevel.
    root.write("etc/runlevels/default/web/.keep", "");
    root.link("etc/runlevels/web/nginx", "/etc/init.d/nginx");
    root.link("etc/runlevels/nonetwork/stray", "/etc/init.d/stray");
    // Left there from sysvinit, which OpenRC does not look at.
    root.link("etc/rc2.d/S01stray", "../init.d/stray");
    root
}

#[test]
fn openrc_starts_the_services_of_its_runlevels_and_what_they_need() {
    let needed = alpine().needed();
    is_in(&needed, "/sbin/openrc", "manager");
    is_in(&needed, "/usr/sbin/sshd", "remote");
    is_in(&needed, "/etc/init.d/sshd", "remote");
    is_in(&needed, "/sbin/getty", "console");
    is_in(&needed, "/bin/login", "console");
    for path in [
        "/etc/init.d/networking",
        "/etc/init.d/localmount",
        "/etc/init.d/crond",
        "/etc/init.d/nginx",
        "/usr/sbin/certificates",
        "/sbin/start-stop-daemon",
        "/lib/rc/sh/openrc-run.sh",
        // It is not there, and nothing asks whether it is.
        "/usr/sbin/nginx",
    ] {
        is_in(&needed, path, "service");
    }
    is_out(&needed, "/usr/sbin/stray");
    is_out(&needed, "/etc/init.d/stray");
}

#[test]
fn the_configuration_of_a_service_is_read_before_its_script() {
    let root = alpine();
    root.write("etc/conf.d/sshd", "SSHD_BINARY=\"/opt/ssh/sshd\"\n");
    root.programs(&["opt/ssh/sshd"]);
    let needed = root.needed();
    is_in(&needed, "/opt/ssh/sshd", "remote");
    is_out(&needed, "/usr/sbin/sshd");
}

#[test]
fn scripts_of_sysvinit_name_their_daemons() {
    let root = Root::new();
    root.programs(&[
        "sbin/init",
        "usr/sbin/sshd",
        "usr/sbin/cron",
        "usr/sbin/rsyslogd",
    ]);
    root.write(
        "etc/inittab",
        "id:2:initdefault:\nsi::sysinit:/etc/init.d/rcS\n",
    );
    root.programs(&["etc/init.d/rcS"]);
    let ssh = "#! /bin/sh\ntest -x /usr/sbin/sshd || exit 0\ncase \"$1\" in\n  start)\n\
        if start-stop-daemon --start --quiet --pidfile /run/sshd.pid \\\n\
        --exec /usr/sbin/sshd -- $SSHD_OPTS; then\n true; fi ;;\n  stop)\n\
        start-stop-daemon --stop --exec /usr/sbin/other ;;\nesac\n";
    root.script("etc/init.d/ssh", ssh);
    let cron = "#!/bin/sh\nDAEMON=/usr/sbin/cron\n. /lib/lsb/init-functions\n\
        start_daemon -p $PIDFILE $DAEMON $EXTRA_OPTS\n";
    root.script("etc/init.d/cron", cron);
    let rsyslog = "#!/usr/bin/env /lib/init/init-d-script\nDAEMON=/usr/sbin/rsyslogd\n";
    root.script("etc/init.d/rsyslog", rsyslog);
    for name in ["ssh", "cron", "rsyslog"] {
        root.link(
            &format!("etc/rc2.d/S01{name}"),
            &format!("../init.d/{name}"),
        );
    }
    let needed = root.needed();
    is_in(&needed, "/usr/sbin/sshd", "remote");
    is_in(&needed, "/etc/init.d/ssh", "remote");
    is_in(&needed, "/usr/sbin/cron", "service");
    is_in(&needed, "/usr/sbin/rsyslogd", "service");
    is_out(&needed, "/usr/sbin/other");
}

/// A root with systemd that starts `wanted`.
fn systemd(wanted: &[&str]) -> Root {
    let root = Root::new();
    root.programs(&["usr/lib/systemd/systemd"]);
    root.link("sbin/init", "/usr/lib/systemd/systemd");
    root.link("lib", "usr/lib");
    root.write("usr/lib/systemd/system/default.target", "[Unit]\n");
    for unit in wanted {
        let link = format!("etc/systemd/system/default.target.wants/{unit}");
        root.link(&link, &format!("/usr/lib/systemd/system/{unit}"));
    }
    root
}

fn unit(root: &Root, name: &str, text: &str) {
    root.write(&format!("usr/lib/systemd/system/{name}"), text);
}

#[test]
fn the_system_bus_brings_its_helper_and_what_is_asked_for() {
    let root = systemd(&["dbus.socket", "broker-user.service", "getty.service"]);
    unit(
        &root,
        "dbus.socket",
        "[Socket]\nListenStream=/run/dbus/system_bus_socket\n",
    );
    unit(
        &root,
        "dbus.service",
        "[Service]\nExecStart=@/usr/bin/dbus-daemon @dbus-daemon --system\n",
    );
    unit(
        &root,
        "getty.service",
        "[Service]\nExecStart=-/sbin/agetty tty1\n",
    );
    let user = "[Service]\nType=dbus\nBusName=org.example.Own\nExecStart=/usr/bin/own\n";
    unit(&root, "broker-user.service", user);
    // What a login asks for, and nothing else starts.
    unit(
        &root,
        "systemd-logind.service",
        "[Service]\nExecStart=/usr/lib/systemd/systemd-logind\n",
    );
    root.link(
        "usr/lib/systemd/system/dbus-org.freedesktop.login1.service",
        "systemd-logind.service",
    );
    unit(
        &root,
        "hostnamed.service",
        "[Service]\nExecStart=/usr/lib/systemd/systemd-hostnamed\n",
    );
    root.write("etc/pam.d/login", "session optional pam_systemd.so\n");
    root.write(
        "usr/share/dbus-1/system.conf",
        "<busconfig><servicehelper>/usr/lib/dbus-1.0/dbus-daemon-launch-helper</servicehelper>",
    );
    for (name, how) in [
        (
            "org.freedesktop.login1",
            "Exec=/bin/false\nSystemdService=dbus-org.freedesktop.login1.service",
        ),
        (
            "org.freedesktop.hostname1",
            "Exec=/bin/false\nSystemdService=hostnamed.service",
        ),
        ("org.example.Own", "Exec=/usr/libexec/own --bus\nUser=root"),
        ("org.example.Other", "Exec=/usr/libexec/other"),
    ] {
        let text = format!("[D-BUS Service]\nName={name}\n{how}\n");
        root.write(
            &format!("usr/share/dbus-1/system-services/{name}.service"),
            &text,
        );
    }
    root.programs(&[
        "usr/bin/dbus-daemon",
        "usr/lib/dbus-1.0/dbus-daemon-launch-helper",
        "usr/bin/own",
        "usr/libexec/own",
        "usr/libexec/other",
        "usr/lib/systemd/systemd-logind",
        "usr/lib/systemd/systemd-hostnamed",
        "sbin/agetty",
    ]);
    let needed = root.needed();
    is_in(&needed, "/usr/bin/dbus-daemon", "service");
    is_in(
        &needed,
        "/usr/lib/dbus-1.0/dbus-daemon-launch-helper",
        "helper",
    );
    is_in(&needed, "/usr/lib/systemd/systemd-logind", "service");
    is_in(&needed, "/usr/libexec/own", "helper");
    is_out(&needed, "/usr/libexec/other");
    is_out(&needed, "/usr/lib/systemd/systemd-hostnamed");
}

#[test]
fn dbus_broker_is_two_programs() {
    let root = systemd(&["dbus-broker.service"]);
    unit(
        &root,
        "dbus-broker.service",
        "[Service]\nExecStart=/usr/bin/dbus-broker-launch --scope system\n",
    );
    root.link(
        "etc/systemd/system/dbus.service",
        "/usr/lib/systemd/system/dbus-broker.service",
    );
    root.programs(&["usr/bin/dbus-broker-launch"]);
    // Without it there is no bus: it is told although it is missing.
    is_in(&root.needed(), "/usr/bin/dbus-broker", "service");
}

#[test]
fn commands_of_a_shell_in_a_unit_are_programs_of_the_boot() {
    let root = systemd(&["a.service"]);
    let text = "[Service]\nType=oneshot\n\
        ExecStart=/bin/sh -ec 'if [ -x /opt/a ]; then /opt/a; fi; echo x | filter'\n\
        ExecStart=-/bin/bash -c \"exec /opt/b $$HOME\"\n\
        ExecStart=/usr/bin/env X=1 'Y= 2' Z=$HOME /opt/c -d ; /opt/d\n\
        ExecStart=/bin/sh -c '$PROGRAM; \"${OTHER}\" /opt/no; cat <<< /opt/no'\n\
        ExecStart=/usr/bin/env X=1 /opt/$NAME\n\
        ExecStart=/bin/sh -c 'exec /opt/lost'\n\
        ExecStart=/bin/sh -c 'test -x /opt/gone && /opt/gone'\n\
        ExecStart=/bin/echo -c /opt/no\n";
    unit(&root, "a.service", text);
    let there = [
        "opt/a",
        "opt/b",
        "opt/c",
        "opt/d",
        "opt/no",
        "usr/bin/filter",
        "usr/bin/echo",
    ];
    root.programs(&there);
    let needed = root.needed();
    for path in [
        "/opt/a",
        "/opt/b",
        "/opt/c",
        "/opt/d",
        "/usr/bin/filter",
        "/opt/lost",
    ] {
        is_in(&needed, path, "service");
    }
    is_out(&needed, "/opt/no");
    is_out(&needed, "/opt/gone");
    is_out(&needed, "/usr/bin/echo");
}
