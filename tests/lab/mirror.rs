//! Which mirror to use: the one that this machine's apt already uses.

use std::process::Command;

use anyhow::{Context, Result};

use super::run;

/// The URI of the Debian archive in this machine's own apt configuration.
pub fn debian() -> Result<String> {
    let targets = run::output(
        "reading the apt configuration",
        Command::new("apt-get").args([
            "indextargets",
            "--format",
            "$(SITE)|$(ORIGIN)|$(LABEL)|$(COMPONENT)",
        ]),
    )?;
    pick(&targets).context(
        "apt on this machine knows no Debian archive: the lab needs a Debian \
         host with a `main` entry in its apt sources, and `apt-get update`",
    )
}

fn pick(targets: &str) -> Option<String> {
    targets.lines().find_map(|line| {
        let mut field = line.split('|');
        let site = field.next()?;
        let rest: Vec<&str> = field.collect();
        (rest == ["Debian", "Debian", "main"]).then(|| site.to_owned())
    })
}
