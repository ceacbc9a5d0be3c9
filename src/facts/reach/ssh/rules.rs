//! Which lines of its configuration sshd refuses.
//!
//! Only what the sshd of Debian 11, 12 and 13 all refuse; keywords and
//! algorithms are looked up in the patient's own sshd. `tests/reach.rs` puts
//! each rule to the real `sshd -t` of several releases.

use super::config::Directive;
use super::program::Program;

/// What sshd says to an option that it does not know.
pub(super) const UNKNOWN: &str = "Bad configuration option";

/// Keywords that take `yes` or `no` and nothing else.
const FLAGS: [&str; 16] = [
    "allowagentforwarding",
    "challengeresponseauthentication",
    "hostbasedauthentication",
    "kbdinteractiveauthentication",
    "passwordauthentication",
    "permitemptypasswords",
    "permittty",
    "printlastlog",
    "printmotd",
    "pubkeyauthentication",
    "strictmodes",
    "tcpkeepalive",
    "usedns",
    "usepam",
    "x11forwarding",
    "x11uselocalhost",
];

/// Keywords that may not stand inside a Match block, in any release.
const GLOBAL: [&str; 17] = [
    "addressfamily",
    "ciphers",
    "hostcertificate",
    "hostkey",
    "kexalgorithms",
    "listenaddress",
    "macs",
    "maxstartups",
    "pidfile",
    "port",
    "printlastlog",
    "printmotd",
    "strictmodes",
    "syslogfacility",
    "tcpkeepalive",
    "usedns",
    "usepam",
];

/// Keywords that take one word.
const SINGLE: [&str; 4] = ["port", "permitrootlogin", "addressfamily", "listenaddress"];

/// Keywords that no release takes without a word.
const NEVER_EMPTY: [&str; 5] = ["match", "ciphers", "macs", "kexalgorithms", "include"];

const ROOT_LOGIN: [&str; 5] = [
    "yes",
    "no",
    "without-password",
    "prohibit-password",
    "forced-commands-only",
];

/// Says why sshd refuses the line; `written` is its keyword as it stands there.
pub(super) fn judge(line: &Directive, written: &str, program: &Program) -> Result<(), String> {
    let keyword = line.keyword.as_str();
    if !program.has(keyword) {
        return Err(format!("{UNKNOWN}: {written}"));
    }
    let flag = FLAGS.contains(&keyword);
    let single = flag || SINGLE.contains(&keyword);
    let Some(first) = line.arguments.first() else {
        // Older releases took a list of nothing.
        let refused = program.is_recent || single || NEVER_EMPTY.contains(&keyword);
        return if refused {
            Err(format!("no argument after keyword \"{written}\""))
        } else {
            Ok(())
        };
    };
    if line.matched && GLOBAL.contains(&keyword) {
        return Err(format!(
            "Directive '{written}' is not allowed within a Match block"
        ));
    }
    if single {
        one_word(line, written)?;
    }
    let value = first.to_ascii_lowercase();
    match keyword {
        "port" => port(first),
        "permitrootlogin" if !ROOT_LOGIN.contains(&value.as_str()) => unsupported(first),
        _ if flag && value != "yes" && value != "no" => unsupported(first),
        "ciphers" => algorithms(first, "SSH2 cipher spec", program),
        "macs" => algorithms(first, "SSH2 mac spec", program),
        "kexalgorithms" => algorithms(first, "SSH2 KexAlgorithms", program),
        "match" => criteria(first, program),
        _ => Ok(()),
    }
}

fn unsupported(value: &str) -> Result<(), String> {
    Err(format!("unsupported option \"{value}\""))
}

/// A second word.
fn one_word(line: &Directive, written: &str) -> Result<(), String> {
    // `ListenAddress ADDRESS rdomain DOMAIN`
    let more = line
        .arguments
        .get(1)
        .filter(|_| line.keyword != "listenaddress");
    match more {
        Some(word) => Err(format!("\"{word}\" is too much at the end of {written}")),
        None => Ok(()),
    }
}

/// A number, or the name of a service, which is not looked up here.
fn port(value: &str) -> Result<(), String> {
    let number = value.parse::<u16>();
    let is_name = value.starts_with(|c: char| c.is_ascii_alphabetic());
    match number {
        Ok(1..) => Ok(()),
        Err(_) if is_name => Ok(()),
        _ => Err("Badly formatted port number".into()),
    }
}

/// A list of algorithms; `-` takes some away and names what it likes.
fn algorithms(list: &str, what: &str, program: &Program) -> Result<(), String> {
    if list.starts_with('-') {
        return Ok(());
    }
    let names = list.trim_start_matches(['+', '^']).split(',');
    for name in names.filter(|name| !name.is_empty()) {
        if !name.contains(['*', '?']) && !program.has(name) {
            return Err(format!("Bad {what}: this sshd knows no {name}"));
        }
    }
    Ok(())
}

/// The first criterion of a Match line.
fn criteria(first: &str, program: &Program) -> Result<(), String> {
    let name = first.split('=').next().unwrap_or(first);
    if program.has(&name.to_ascii_lowercase()) {
        Ok(())
    } else {
        Err(format!("Unsupported Match attribute {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::words;
    use super::*;

    fn verdict(text: &str, matched: bool, program: &Program) -> Result<(), String> {
        let all = words(text, program.is_recent).unwrap_or_default();
        let Some((keyword, arguments)) = all.split_first() else {
            return Ok(());
        };
        let line = Directive {
            path: String::new(),
            line: 1,
            keyword: keyword.to_ascii_lowercase(),
            arguments: arguments.to_vec(),
            matched,
        };
        judge(&line, keyword, program)
    }

    #[test]
    fn what_this_sshd_does_not_know_is_refused() {
        let known = [
            "port",
            "usepam",
            "ciphers",
            "aes128-ctr",
            "match",
            "user",
            "allowusers",
        ];
        let new = Program::with_words(&known, true);
        let old = Program::with_words(&known, false);
        for good in [
            "Port 22",
            "usepam YES",
            "UsePAM yes # as before",
            "Ciphers +aes128-ctr",
            "Ciphers -arcfour",
            "Match User=a",
            "Port ssh",
        ] {
            assert_eq!(verdict(good, false, &new), Ok(()), "{good}");
        }
        for bad in [
            "Prt 22",
            "Port 0",
            "Port 22x",
            "Port 1 2",
            "UsePAM true",
            "UsePAM",
            "Ciphers aes128-ctr,arcfour",
            "Match Usr a",
        ] {
            assert!(verdict(bad, false, &new).is_err(), "{bad}");
        }
        assert!(verdict("AllowUsers", false, &new).is_err());
        assert!(verdict("AllowUsers", false, &old).is_ok());
        assert!(verdict("Match", false, &old).is_err());
        assert!(verdict("UsePAM yes", true, &new).is_err());
    }
}
