//! The first line of a script.
//!
//! Source: execve(2), "Interpreter scripts"; Linux fs/binfmt_script.c.

/// Bytes of a file that the kernel looks at (`BINPRM_BUF_SIZE` since 5.1).
pub(super) const HEAD_BYTES: usize = 256;

/// Where `env` looks for a program: the path that systemd and login give.
pub const SEARCH_PATH: [&str; 6] = [
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
];

/// What a script asks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Shebang {
    /// The program the kernel starts.
    pub(super) interpreter: String,
    /// The program that program starts in turn, if it is `env`.
    pub(super) by_env: Option<String>,
}

/// Reads the first line; `None` when it is no script.
pub(super) fn parse(head: &[u8]) -> Option<Shebang> {
    let line = head.strip_prefix(b"#!")?;
    let line = line.split(|byte| matches!(byte, b'\n' | 0)).next()?;
    let line = String::from_utf8_lossy(line);
    let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty());
    let interpreter = words.next()?.to_owned();
    let is_env = interpreter.rsplit('/').next() == Some("env");
    let by_env = words
        .find(|word| !word.starts_with('-') && !word.contains('='))
        .filter(|_| is_env)
        .map(str::to_owned);
    Some(Shebang {
        interpreter,
        by_env,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interpreter_and_what_env_starts_are_found() {
        let cases = [
            ("#!/bin/sh\n", Some(("/bin/sh", None))),
            ("#! /bin/sh -e\nx", Some(("/bin/sh", None))),
            (
                "#!/usr/bin/env python3\n",
                Some(("/usr/bin/env", Some("python3"))),
            ),
            (
                "#!/usr/bin/env -S A=1 perl -w\n",
                Some(("/usr/bin/env", Some("perl"))),
            ),
            ("#!\n", None),
            ("echo\n", None),
        ];
        for (head, expected) in cases {
            let found = parse(head.as_bytes());
            let found = found.as_ref();
            let found = found.map(|s| (s.interpreter.as_str(), s.by_env.as_deref()));
            assert_eq!(found, expected, "{head:?}");
        }
    }
}
