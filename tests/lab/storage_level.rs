//! Layouts at machine level: one rescue session on the disks, which must not
//! change a bit of them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::layout::{Expected, Layout, choose};
use super::rescue::{self, Rescue, Session};
use super::suite::Suite;
use super::{LIFEBOOT, digest, run, system_tree, tools};

/// What every LUKS layout opens with; the rescue image carries it.
const PASSPHRASE: &[u8] = b"lifeboot-lab";

/// Where the image carries it.
const KEY_FILE: &str = "etc/lab-key";

/// The findings that the layouts are about.
const STAGES: [&str; 3] = ["storage/", "hardware/", "root/"];

/// Runs one case of a layout.
pub fn run(layout: &Layout, expected: &Expected, work: &Path) -> Result<()> {
    let disks = copies(&layout.images()?, expected, work)?;
    let before = digest::files(&disks)?;
    let diagnose = format!("diagnose --json {}", expected.arguments);
    let commands = ["survey --json", "survey", diagnose.trim()];
    let session = match &expected.before {
        None => {
            let key = (KEY_FILE, PASSPHRASE);
            Rescue::with_file(Suite::Bookworm, Path::new(LIFEBOOT), key, work)?
                .run(&disks, &commands, work, "rescue")?
        }
        Some(script) => foreign(&disks, script, &commands, work)?,
    };
    ensure!(
        expected.changes || before == digest::files(&disks)?,
        "the rescue session changed the disks: before {before:?}, now {:?}",
        digest::files(&disks)?
    );
    judge(&session, expected).with_context(|| format!("console in {}", session.log.display()))
}

/// Runs the commands in a system with mdadm and the like, after `script`.
fn foreign(disks: &[PathBuf], script: &str, commands: &[&str], work: &Path) -> Result<Session> {
    let mut script = format!("{script}\n");
    for command in commands {
        script.push_str(&format!(
            "code=0\n/lifeboot {command} > /dev/ttyS1 || code=$?\n\
             echo \"lifeboot-init: lifeboot ended with exit code $code\"\n"
        ));
    }
    let program = fs::read(LIFEBOOT).context("reading lifeboot")?;
    let files: [(&str, &[u8]); 2] = [("lifeboot", &program), (KEY_FILE, PASSPHRASE)];
    let ended = tools::session(disks, &script, &files, work, "foreign")?;
    Ok(Session {
        output: ended.output,
        exit_codes: rescue::exit_codes(&ended.console),
        log: ended.log,
    })
}

fn copies(images: &[PathBuf], expected: &Expected, work: &Path) -> Result<Vec<PathBuf>> {
    let chosen = match &expected.disks {
        Some(numbers) => choose(images, numbers)?,
        None => images.to_vec(),
    };
    run::output(
        "copying the disks",
        std::process::Command::new("cp")
            .args(["--sparse=auto", "--reflink=auto", "-t"])
            .arg(work)
            .args(&chosen),
    )?;
    Ok(chosen
        .iter()
        .filter_map(|image| Some(work.join(image.file_name()?)))
        .collect())
}

/// What the three commands printed, one after the other.
struct Said {
    survey: String,
    report: Value,
}

fn judge(session: &Session, expected: &Expected) -> Result<()> {
    for (command, code) in session.exit_codes.iter().enumerate() {
        ensure!(
            *code != 1 && *code != 2,
            "command {command} of the session ended with {code}"
        );
    }
    let said = Said::of(&session.output)?;
    let mut wrong = Vec::new();
    let mut note = |result: Result<()>| {
        if let Err(error) = result {
            wrong.push(format!("{error:#}"));
        }
    };
    note(root(&said.report, expected));
    note(findings(&said.report, expected));
    note(survey(&said.survey, expected));
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

impl Said {
    fn of(output: &str) -> Result<Self> {
        // A serial line adds carriage returns.
        let output = output.replace('\r', "");
        let mut values = serde_json::Deserializer::from_str(&output).into_iter::<Value>();
        values
            .next()
            .context("no JSON survey")?
            .context("reading the JSON survey")?;
        let rest = output[values.byte_offset()..].trim_start_matches('\n');
        let begin = if rest.starts_with('{') {
            0
        } else {
            1 + rest.find("\n{").context("no report behind the survey")?
        };
        Ok(Self {
            survey: rest[..begin].to_owned(),
            report: serde_json::from_str(&rest[begin..]).context("reading the report")?,
        })
    }
}

fn root(report: &Value, expected: &Expected) -> Result<()> {
    let search = report["search"]["kind"].as_str().unwrap_or("missing");
    let default = if expected.root.is_some() {
        "found"
    } else {
        "none"
    };
    let wanted = expected.search.as_deref().unwrap_or(default);
    ensure!(
        search == wanted,
        "the search for a root ended with {search:?}, expected {wanted:?}: {:.600}",
        report["search"].to_string()
    );
    let Some(name) = &expected.root else {
        return Ok(());
    };
    let tree = &report["tree"];
    ensure!(
        tree["os"]["name"].as_str() == Some(name),
        "the root calls itself {}, expected {name:?}",
        tree["os"]["name"]
    );
    if expected.packages {
        packages(tree)?;
    }
    Ok(())
}

/// The package database spans many chunks: it is read whole and in order, or
/// its versions are wrong.
fn packages(tree: &Value) -> Result<()> {
    let Some(packages) = tree["packages"]["packages"].as_array() else {
        bail!("no package database: {:.300}", tree["packages"].to_string());
    };
    let wrong = packages.iter().enumerate().find(|(number, package)| {
        package["version"].as_str() != Some(&system_tree::version(*number))
    });
    if let Some((number, package)) = wrong {
        bail!("package {number} was read wrongly: {package}");
    }
    ensure!(
        packages.len() == system_tree::PACKAGES,
        "{} of {} packages were read",
        packages.len(),
        system_tree::PACKAGES
    );
    Ok(())
}

fn findings(report: &Value, expected: &Expected) -> Result<()> {
    let all = report["findings"].as_array().context("no findings")?;
    let found: Vec<(&str, String)> = all
        .iter()
        .filter_map(|finding| {
            let id = finding["id"].as_str()?;
            let ours = STAGES.iter().any(|stage| id.starts_with(stage));
            ours.then(|| (id, format!("{id}: {}", finding["title"])))
        })
        .collect();
    let mut ids: Vec<&str> = found.iter().map(|(id, _)| *id).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut wanted: Vec<&str> = expected.findings.iter().map(String::as_str).collect();
    wanted.sort_unstable();
    let told: Vec<&str> = found.iter().map(|(_, text)| text.as_str()).collect();
    ensure!(
        ids == wanted,
        "expected the findings {wanted:?}, found\n  {}",
        told.join("\n  ")
    );
    Ok(())
}

fn survey(text: &str, expected: &Expected) -> Result<()> {
    let mut rest = text;
    for word in &expected.survey {
        let Some((_, behind)) = rest.split_once(word.as_str()) else {
            bail!("the survey lacks {word:?} (in this order):\n{text}");
        };
        rest = behind;
    }
    Ok(())
}
