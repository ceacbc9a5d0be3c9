//! Plain `lifeboot`: the verdict, then one decision at a time.

use std::io::{self, Write};

use anyhow::{Context, Result};

use super::patient::Patient;
use super::{print, repair, say, session};
use crate::cli::{GuidedArgs, RepairArgs, Target};
use crate::outcome::Outcome;
use crate::repairs::{Key, Plan, Repair};
use crate::report::{Report, finding_text, question_text, text};
use crate::sys::shell;

/// What can be answered, and the letter in front is typed.
const CHOICES: &str = "[y] do it [n] leave it [?] evidence [r] report [s] shell [q] stop";

pub(super) fn run(args: &GuidedArgs) -> Result<Outcome> {
    repair::run(&RepairArgs {
        target: args.target.clone(),
        terms: args.terms.clone(),
        guided: true,
        ..RepairArgs::default()
    })
}

/// What was answered.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Yes,
    No,
    Evidence,
    Report,
    Shell,
    Stop,
    Unclear,
}

/// Asks about each repair of `plan`; those that are to be done, in their order.
///
/// # Errors
/// The terminal is gone.
pub(super) fn decide(target: &Target, report: &Report, plan: Plan) -> Result<Plan> {
    let mut agreed = Plan::default();
    let of = plan.repairs.len();
    for (index, repair) in plan.repairs.into_iter().enumerate() {
        match about(target, report, &repair, (index + 1, of))? {
            Answer::Yes => agreed.repairs.push(repair),
            Answer::Stop => break,
            _ => {}
        }
    }
    Ok(agreed)
}

/// Asks about one until the answer is clear.
fn about(
    target: &Target,
    report: &Report,
    repair: &Repair,
    number: (usize, usize),
) -> Result<Answer> {
    let is_its = |key: Key| key == repair.removes;
    let mut all = report.findings.iter();
    let finding = all.find(|finding| is_its(Key::of(finding)));
    let before = session::answered(&repair.title);
    print(&question_text(finding, repair, number, before.as_deref()))?;
    loop {
        let typed = line(CHOICES)?;
        session::note(&format!("typed: {}", typed.trim()));
        match understand(&typed) {
            Answer::Evidence => match finding {
                Some(finding) => print(&finding_text(finding))?,
                None => say("lifeboot: there is no more to show"),
            },
            Answer::Report => print(&text(report))?,
            Answer::Shell => look_around(target)?,
            Answer::Unclear => say("lifeboot: y, n, ?, r, s or q; Enter leaves it as it is"),
            answer => {
                session::answer(&repair.title, answer == Answer::Yes);
                return Ok(answer);
            }
        }
    }
}

/// Asks a question to which no is the safe answer.
///
/// # Errors
/// The terminal is gone.
pub(super) fn agrees(question: &str) -> Result<bool> {
    say(question);
    loop {
        let typed = line("[y] yes  [n] no")?;
        session::note(&format!("typed: {}", typed.trim()));
        let answer = understand(&typed);
        if matches!(answer, Answer::Yes | Answer::No | Answer::Stop) {
            session::answer(question, answer == Answer::Yes);
            return Ok(answer == Answer::Yes);
        }
        say("lifeboot: y or n; Enter is no");
    }
}

/// Enter is the safe answer.
fn understand(line: &str) -> Answer {
    match line.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Answer::Yes,
        "" | "n" | "no" => Answer::No,
        "?" | "h" | "help" => Answer::Evidence,
        "r" | "report" => Answer::Report,
        "s" | "shell" => Answer::Shell,
        "q" | "quit" | "exit" => Answer::Stop,
        _ => Answer::Unclear,
    }
}

/// A line from the terminal: whole lines and no keys, so that nothing is sent
/// which a serial line or a dumb terminal would not understand.
///
/// # Errors
/// The terminal is gone.
pub(super) fn line(prompt: &str) -> Result<String> {
    let mut out = io::stderr();
    let mut text = String::new();
    let asked = write!(out, "{prompt}: ").and_then(|()| out.flush());
    let read = asked.and_then(|()| io::stdin().read_line(&mut text));
    match read.context("asking on the terminal")? {
        // Ctrl-D.
        0 => Ok("q".to_owned()),
        _ => Ok(text),
    }
}

/// A shell of the rescue system with the patient mounted beside it, and back.
fn look_around(target: &Target) -> Result<()> {
    let patient = Patient::look(target)?;
    let at = match patient.sysroot() {
        Some(sysroot) => {
            let path = sysroot.info.path.clone();
            let note = match target.root.is_some() {
                true => "what you change there by hand, lifeboot undo does not take back",
                false => "it cannot be written",
            };
            say(&format!(
                "lifeboot: a shell of the rescue system; the patient is in {}: {note}. \
                 exit: back to the question",
                path.display()
            ));
            path
        }
        None => {
            say("lifeboot: a shell of the rescue system. exit: back to the question");
            "/".into()
        }
    };
    match shell::run(&at) {
        Ok(ended) => session::note(&format!("the shell ended: {ended}")),
        Err(error) => say(&format!("lifeboot: no shell could be started: {error}")),
    }
    patient.close()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_yes_is_one() {
        for (line, expected) in [
            ("y", Answer::Yes),
            (" YES \r", Answer::Yes),
            ("", Answer::No),
            ("n", Answer::No),
            ("?", Answer::Evidence),
            ("r", Answer::Report),
            ("s", Answer::Shell),
            ("q", Answer::Stop),
            ("yn", Answer::Unclear),
            ("\u{1b}[A", Answer::Unclear),
        ] {
            assert_eq!(understand(line), expected, "{line:?}");
        }
    }
}
