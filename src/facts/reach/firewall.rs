//! Rules of a firewall that are loaded at the boot, and whether they shut the
//! port of ssh. Only what is clear is told: nothing but answers to own
//! connections, the loopback and ICMP is let in.
//!
//! Sources: nft(8), iptables-save(8), ufw(8), ufw-framework(8).

use serde::{Deserialize, Serialize};

use super::boot::Boot;
use crate::sys::root_dir::RootDir;

const LIMIT: u64 = 4 << 20;

/// A ruleset that lets nobody in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Shut {
    /// The file.
    pub path: String,
    /// The unit that loads it.
    pub unit: String,
    /// What stands there.
    pub why: String,
}

/// The rulesets that shut the ports of ssh.
pub(super) fn collect(root: &RootDir, boot: &Boot<'_>, ports: &[u16]) -> Vec<Shut> {
    let mut found = Vec::new();
    let mut look = |unit: &str, path: &str, judge: &dyn Fn(&str) -> Option<String>| {
        let text = boot.starts(unit).then(|| root.read_text(path, LIMIT));
        if let Some(Ok(text)) = text
            && let Some(why) = judge(&text)
        {
            found.push(Shut {
                path: path.to_owned(),
                unit: unit.to_owned(),
                why,
            });
        }
    };
    look("nftables.service", "/etc/nftables.conf", &nftables);
    for unit in [
        "netfilter-persistent.service",
        "iptables-persistent.service",
    ] {
        look(unit, "/etc/iptables/rules.v4", &iptables);
    }
    look("iptables.service", "/etc/sysconfig/iptables", &iptables);
    let enabled = root
        .read_text("/etc/ufw/ufw.conf", LIMIT)
        .is_ok_and(|text| setting(&text, "ENABLED").as_deref() == Some("yes"));
    let policy = root
        .read_text("/etc/default/ufw", LIMIT)
        .unwrap_or_default();
    let drops = setting(&policy, "DEFAULT_INPUT_POLICY")
        .is_some_and(|policy| matches!(policy.as_str(), "drop" | "reject"));
    let own = ["/etc/ufw/before.rules", "/etc/ufw/after.rules"]
        .iter()
        .any(|path| {
            let text = root.read_text(path, LIMIT).unwrap_or_default();
            ports.iter().any(|port| has_word(&text, &port.to_string()))
        });
    if enabled && drops && !own {
        look("ufw.service", "/etc/ufw/user.rules", &|text| {
            ufw(text, ports)
        });
    }
    found
}

/// `KEY=value` of a file for the shell, in small letters.
fn setting(text: &str, key: &str) -> Option<String> {
    let mut lines = text.lines().map(str::trim);
    let value = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
    Some(value.trim_matches(['"', '\'']).to_ascii_lowercase())
}

/// True when `word` stands there with no letter or digit beside it.
fn has_word(text: &str, word: &str) -> bool {
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.any(|found| found == word)
}

/// What a rule may be without letting a new connection in.
fn lets_nobody_in(rule: &str) -> bool {
    const ONLY: [&str; 11] = [
        "established",
        "related",
        "ESTABLISHED",
        "RELATED",
        "lo",
        "icmp",
        "icmpv6",
        "ipv6",
        "echo",
        "drop",
        "DROP",
    ];
    let quiet = ["drop", "reject", "log", "counter", "DROP", "REJECT", "LOG"];
    let accepts = has_word(rule, "accept") || has_word(rule, "ACCEPT");
    if accepts {
        return ONLY.iter().any(|word| has_word(rule, word))
            && !has_word(rule, "new")
            && !has_word(rule, "NEW");
    }
    quiet.iter().any(|word| has_word(rule, word))
}

/// One base chain of the input hook with the policy drop.
fn nftables(text: &str) -> Option<String> {
    let lines = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default());
    let text: String = lines.collect::<Vec<_>>().join("\n");
    // What is drawn in or looked up cannot be judged from here.
    let unclear = [
        "include", "jump", "goto", "vmap", "define", "dport", "@", "queue", "add rule",
    ];
    let chains: Vec<&str> = text.split("hook input").skip(1).collect();
    let [chain] = chains.as_slice() else {
        return None;
    };
    if unclear.iter().any(|word| text.contains(word)) {
        return None;
    }
    let body = chain.split('}').next().unwrap_or_default();
    let mut rules = body
        .split(['\n', ';'])
        .map(str::trim)
        .filter(|rule| !rule.is_empty());
    let drops = body.contains("policy drop");
    let head = |rule: &str| rule.starts_with("priority") || rule.starts_with("policy");
    let shut = drops && rules.all(|rule| head(rule) || lets_nobody_in(rule));
    shut.then(|| "chain of hook input: policy drop, and no rule lets a connection in".to_owned())
}

/// `:INPUT DROP`, and rules of INPUT that let nobody in.
fn iptables(text: &str) -> Option<String> {
    let filter = text.split("*filter").nth(1)?;
    let filter = filter.split("COMMIT").next().unwrap_or_default();
    let mut lines = filter.lines().map(str::trim);
    let drops = filter.lines().any(|line| line.starts_with(":INPUT DROP"));
    let shut = lines.all(|line| match line.strip_prefix("-A INPUT") {
        // The name of an interface alone is no word of a rule.
        Some(rule) => lets_nobody_in(rule),
        None => true,
    });
    (drops && shut).then(|| ":INPUT DROP, and no rule lets a connection in".to_owned())
}

/// `### tuple ### allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in`: no such line is for
/// one of the ports.
fn ufw(text: &str, ports: &[u16]) -> Option<String> {
    let mut tuples = text
        .lines()
        .filter_map(|line| line.strip_prefix("### tuple ###"));
    let opens = tuples.any(|tuple| {
        let words: Vec<&str> = tuple.split_whitespace().collect();
        let action = words.first().copied().unwrap_or_default();
        let port = words.get(2).copied().unwrap_or_default();
        let lets = ["allow", "limit"]
            .iter()
            .any(|word| action.starts_with(word));
        lets && (port == "any" || ports.iter().any(|wanted| is_in(port, *wanted)))
    });
    let all: Vec<String> = ports.iter().map(u16::to_string).collect();
    (!opens).then(|| format!("no rule allows port {}", all.join(" or ")))
}

/// `22`, `22,80`, `20:30`.
fn is_in(list: &str, port: u16) -> bool {
    list.split(',').any(|part| match part.split_once(':') {
        Some((first, last)) => match (first.parse::<u16>(), last.parse::<u16>()) {
            (Ok(first), Ok(last)) => (first..=last).contains(&port),
            _ => true,
        },
        None => part.parse() == Ok(port),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NFT: &str = "table inet filter {\n\tchain input {\n\
        \t\ttype filter hook input priority 0; policy drop;\n\
        \t\tct state established,related accept\n\t\tiif lo accept\n\
        \t\tmeta l4proto icmp accept\n\t}\n\tchain output { type filter hook output priority 0; }\n}\n";

    #[test]
    fn nftables_is_shut_only_where_that_is_clear() {
        assert!(nftables(NFT).is_some());
        assert!(nftables(&NFT.replace("policy drop", "policy accept")).is_none());
        for rule in [
            "tcp dport 22 accept",
            "ip saddr 192.0.2.0/24 accept",
            "iifname \"eth0\" accept",
            "jump other",
            "ct state { established, related, new } accept",
        ] {
            let open = NFT.replace("iif lo accept", rule);
            assert!(nftables(&open).is_none(), "{rule}");
        }
    }

    #[test]
    fn iptables_is_shut_only_where_that_is_clear() {
        let shut = "*filter\n:INPUT DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n\
            -A INPUT -i lo -j ACCEPT\n\
            -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\nCOMMIT\n";
        assert!(iptables(shut).is_some());
        for rule in [
            "-p tcp --dport 22 -j ACCEPT",
            "-s 192.0.2.1 -j ACCEPT",
            "-j own",
        ] {
            let open = shut.replace("COMMIT", &format!("-A INPUT {rule}\nCOMMIT"));
            assert!(iptables(&open).is_none(), "{rule}");
        }
        assert!(iptables(&shut.replace("INPUT DROP", "INPUT ACCEPT")).is_none());
    }

    #[test]
    fn tuples_of_ufw_name_ports() {
        let rules = "### tuple ### allow tcp 80,443 0.0.0.0/0 any 0.0.0.0/0 in\n";
        assert!(ufw(rules, &[22]).is_some());
        for tuple in [
            "allow tcp 22",
            "limit tcp 20:30",
            "allow any any",
            "allow tcp 22,80",
        ] {
            let rules = format!("{rules}### tuple ### {tuple} 0.0.0.0/0 any 192.0.2.0/24 in\n");
            assert!(ufw(&rules, &[22]).is_none(), "{tuple}");
        }
    }
}
