//! The programs of an `ExecStart=` line, and what they are given.
//!
//! Source: systemd.service(5), "Command lines"; systemd.unit(5), "Specifiers";
//! systemd's `extract_first_word` in src/basic/extract-word.c.

use super::name::Name;

/// A program that a unit starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Its path or bare name.
    pub program: String,
    /// What follows it; variables are not filled in.
    pub arguments: Vec<String>,
    /// True when the unit does not mind if it fails (`-`).
    pub may_fail: bool,
}

/// Reads the programs of a command line, which a lone semicolon parts; one
/// that depends on what only the running system knows is left out.
pub(super) fn parse(line: &str, unit: &Name) -> Vec<Command> {
    let words = words(line);
    let parts = words.split(|(word, is_escaped)| word == ";" && !is_escaped);
    parts.filter_map(|part| command(part, unit)).collect()
}

fn command(words: &[(String, bool)], unit: &Name) -> Option<Command> {
    let (first, rest) = words.split_first()?;
    let first = first.0.as_str();
    let word = first.trim_start_matches(['@', '-', ':', '+', '!', '|']);
    let prefix = &first[..first.len() - word.len()];
    let program = unit.specified(word)?;
    // `@` has another name follow that the program sees as its own.
    let skipped = usize::from(prefix.contains('@'));
    let arguments = rest.iter().skip(skipped);
    let usable = !program.is_empty() && !program.contains('$');
    usable.then(|| Command {
        program,
        arguments: arguments
            // `%` stays where only the running system knows better.
            .map(|(word, _)| unit.specified(word).unwrap_or_else(|| word.clone()))
            .collect(),
        may_fail: prefix.contains('-'),
    })
}

/// The words of a line without their quotes, and whether each was escaped.
fn words(line: &str) -> Vec<(String, bool)> {
    let mut words = Vec::new();
    let mut word: Option<(String, bool)> = None;
    let mut quote = None;
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, '\\') => {
                let word = word.get_or_insert_default();
                word.1 |= word.0.is_empty();
                match rest.next() {
                    Some('n') => word.0.push('\n'),
                    Some('t') => word.0.push('\t'),
                    Some('s') => word.0.push(' '),
                    Some(c @ ('\\' | '"' | '\'' | ';')) => word.0.push(c),
                    Some(c) => word.0.extend(['\\', c]),
                    None => {}
                }
            }
            (_, c) => word.get_or_insert_default().0.push(c),
        }
    }
    words.extend(word);
    words
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
            ("-\"/opt/a b/c\" d", Some(("/opt/a b/c", true))),
            ("/usr/bin/%i", Some(("/usr/bin/tty1", false))),
            ("/usr/bin/%m", None),
            ("${PROGRAM} x", None),
            ("plain --foo", Some(("plain", false))),
            ("", None),
            ("-", None),
        ];
        for (line, expected) in cases {
            let found = parse(line, &unit);
            let found = found.first().map(|c| (c.program.as_str(), c.may_fail));
            assert_eq!(found, expected, "{line:?}");
        }
    }

    #[test]
    fn a_lone_semicolon_parts_commands() {
        let unit = Name::new("x@y.service");
        let line = "/bin/a 'b c' \"d\\\"e\" \\; %i %m ; -@/bin/f g h ;/bin/i";
        let found = parse(line, &unit);
        let names: Vec<_> = found.iter().map(|c| c.program.as_str()).collect();
        assert_eq!(names, ["/bin/a", "/bin/f"]);
        assert_eq!(found[0].arguments, ["b c", "d\"e", ";", "y", "%m"]);
        // `;/bin/i` is a word as any other.
        assert_eq!(found[1].arguments, ["h", ";/bin/i"]);
        assert!(found[1].may_fail);
    }
}
