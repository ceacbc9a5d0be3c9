//! The program of an `ExecStart=` line.
//!
//! Source: systemd.service(5), "Command lines"; systemd.unit(5), "Specifiers".

use super::name::Name;

/// A program that a unit starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Its path or bare name.
    pub program: String,
    /// True when the unit does not mind if it fails (`-`).
    pub may_fail: bool,
}

/// Reads the program of a command line; `None` when it depends on what only
/// the running system knows.
pub(super) fn parse(line: &str, unit: &Name) -> Option<Command> {
    let rest = line.trim_start_matches(['@', '-', ':', '+', '!', '|']);
    let prefix = &line[..line.len() - rest.len()];
    let word = first_word(rest)?;
    let program = unit.specified(&word)?;
    let usable = !program.is_empty() && !program.contains('$');
    usable.then(|| Command {
        program,
        may_fail: prefix.contains('-'),
    })
}

/// The first word, its quotes taken away.
fn first_word(line: &str) -> Option<String> {
    let line = line.trim_start();
    let quote = line.chars().next()?;
    if quote == '"' || quote == '\'' {
        return line[1..].split(quote).next().map(str::to_owned);
    }
    line.split_whitespace().next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_quotes_and_specifiers_are_understood() {
        let unit = Name::new("getty@tty1.service");
        let cases = [
            ("-/sbin/agetty -o '-p'", Some(("/sbin/agetty", true))),
            ("@/usr/sbin/x y z", Some(("/usr/sbin/x", false))),
            ("!!/lib/y", Some(("/lib/y", false))),
            ("\"/opt/a b/c\" d", Some(("/opt/a b/c", false))),
            ("/usr/bin/%i", Some(("/usr/bin/tty1", false))),
            ("/usr/bin/%m", None),
            ("${PROGRAM} x", None),
            ("plain --foo", Some(("plain", false))),
            ("", None),
            ("-", None),
        ];
        for (line, expected) in cases {
            let found = parse(line, &unit);
            let found = found.as_ref().map(|c| (c.program.as_str(), c.may_fail));
            assert_eq!(found, expected, "{line:?}");
        }
    }
}
