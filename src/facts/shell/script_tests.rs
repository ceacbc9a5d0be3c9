//! Scripts as vendors and distributions write them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

/// Programs with their search path; `?` before one that is not clear.
fn told(text: &str) -> Vec<(String, String)> {
    let real = |path: &str| Some(path.replace("/usr/bin/", "/opt/x/bin/"));
    let read = |path: &str| {
        (path == "/opt/x/env.sh").then(|| "export LD_LIBRARY_PATH=/opt/x/env".to_owned())
    };
    let context = Context {
        path: Some("/usr/bin/x"),
        library_path: None,
        real_path: &real,
        read: &read,
    };
    let with_path = runs(text, &context).into_iter().filter_map(|run| {
        let path = run.library_path?;
        let mark = if path.is_clear { "" } else { "?" };
        Some((run.program, format!("{mark}{}", path.value)))
    });
    with_path.collect()
}

#[test]
fn wrappers_tell_their_program_where_to_look() {
    let cases = [
        ("LD_LIBRARY_PATH=/l exec /opt/p \"$@\"", "/opt/p", "/l"),
        ("export LD_LIBRARY_PATH=/l:/m\n/opt/p", "/opt/p", "/l:/m"),
        (
            "LD_LIBRARY_PATH=/l; export LD_LIBRARY_PATH; exec /opt/p",
            "/opt/p",
            "/l",
        ),
        (
            "exec env LD_LIBRARY_PATH=\"${0%/*}/../lib\" \"${0%/*}/x.bin\" \"$@\"",
            "/usr/bin/x.bin",
            "/usr/bin/../lib",
        ),
        (
            "HERE=$(dirname \"$(readlink -f \"$0\")\")\n\
             export LD_LIBRARY_PATH=$HERE/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}\n\
             exec \"$HERE/x.bin\" \"$@\"",
            "/opt/x/bin/x.bin",
            "/opt/x/bin/lib",
        ),
        (
            "cd /opt/x || exit 1\nLD_LIBRARY_PATH=./lib ./x.bin",
            "/opt/x/x.bin",
            "/opt/x/lib",
        ),
        (". /opt/x/env.sh\nexec /opt/p", "/opt/p", "/opt/x/env"),
        (
            "export LD_LIBRARY_PATH=/l\nLD_LIBRARY_PATH+=:/m\n/opt/p",
            "/opt/p",
            "/l:/m",
        ),
        // What the running system adds is not known.
        (
            "export LD_LIBRARY_PATH=\"/l:$ORACLE_HOME/lib\"\n/opt/p",
            "/opt/p",
            "?/l",
        ),
        (
            "if [ -n \"$LD_LIBRARY_PATH\" ]; then\n  LD_LIBRARY_PATH=/l:$LD_LIBRARY_PATH\n\
             else\n  LD_LIBRARY_PATH=/l\nfi\nexport LD_LIBRARY_PATH\nexec /opt/p",
            "/opt/p",
            "?/l:/l:",
        ),
        (
            "test -d /m && export LD_LIBRARY_PATH=/m\nexec /opt/p",
            "/opt/p",
            "?/m",
        ),
    ];
    for (text, program, path) in cases {
        let found = told(text);
        let found: Vec<_> = found
            .iter()
            .map(|(p, l)| (p.as_str(), l.as_str()))
            .collect();
        assert_eq!(found, [(program, path)], "{text}");
    }
}

#[test]
fn what_is_not_given_a_path_has_none() {
    let cases = [
        "LD_LIBRARY_PATH=/l\n/opt/p",
        "/opt/p; export LD_LIBRARY_PATH=/l",
        "LD_LIBRARY_PATH=/l true; /opt/p",
        "export LD_LIBRARY_PATH=/l; unset LD_LIBRARY_PATH; /opt/p",
        "echo 'LD_LIBRARY_PATH=/l /opt/p'",
        "# LD_LIBRARY_PATH=/l /opt/p",
        "LD_LIBRARY_PATH=/l \"$JAVA_HOME/bin/java\"",
    ];
    for text in cases {
        let found = told(text);
        assert!(
            found.iter().all(|(program, _)| program == "true"),
            "{text}: {found:?}"
        );
    }
}

#[test]
fn what_is_certain_and_the_arguments_are_told() {
    let context = Context {
        path: None,
        library_path: None,
        real_path: &|_| None,
        read: &|_| None,
    };
    let text = "DAEMON=/usr/sbin/cron\n[ -x $DAEMON ] || exit 0\n\
        case \"$1\" in\n/opt/pattern)\n  start-stop-daemon --start --exec $DAEMON -- $OPTS ;;\n\
        esac\n/bin/last";
    let found = runs(text, &context);
    let all: Vec<_> = found
        .iter()
        .map(|run| (run.program.as_str(), run.is_certain))
        .collect();
    let expected = [
        ("[", true),
        ("exit", false),
        ("start-stop-daemon", false),
        ("/bin/last", true),
    ];
    // `[` is a name of files as well.
    assert_eq!(all, expected[1..]);
    let arguments: Vec<_> = found[1].arguments.iter().map(Option::as_deref).collect();
    let expected = [
        Some("--start"),
        Some("--exec"),
        Some("/usr/sbin/cron"),
        Some("--"),
        None,
    ];
    assert_eq!(arguments, expected);
    assert_eq!(
        variable(text, &context, "DAEMON").as_deref(),
        Some("/usr/sbin/cron")
    );
}

#[test]
fn a_script_that_reads_itself_or_grows_ends() {
    let itself = ". /self; LD_LIBRARY_PATH=$X:$LD_LIBRARY_PATH:/a\n".repeat(1000);
    let read = |_: &str| Some(itself.clone());
    let context = Context {
        path: Some("/self"),
        library_path: None,
        real_path: &|_| None,
        read: &read,
    };
    let text = format!("export LD_LIBRARY_PATH=/b\n{itself}/opt/p\n");
    let found = runs(&text, &context);
    assert_eq!(found.len(), 1);
    let path = found[0].library_path.as_ref().unwrap();
    assert!(!path.is_clear && path.value.len() <= PATH_BYTES_MAX);
}

#[test]
fn only_scripts_of_shells_are_read() {
    for text in ["#!/bin/sh -e\n", "#! /usr/bin/env bash\n", "#!/bin/dash"] {
        assert!(shell_script(text).is_some(), "{text}");
    }
    for text in [
        "#!/usr/bin/python3\n",
        "#!/sbin/openrc-run\n",
        "\u{7f}ELF",
        "#!",
        "",
    ] {
        assert!(shell_script(text).is_none(), "{text}");
    }
}
