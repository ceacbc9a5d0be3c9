//! The session: since when, until when, who did what. Kept in the memory of the
//! rescue system, so that a second login or the next call goes on with it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::{IN_MEMORY, say};
use crate::cli::{Target, TermsArgs};
use crate::date::{self, date};
use crate::journal::Ran;
use crate::sys::diary::{self, Diary, OnlyOne, Taken};
use crate::sys::machine;
use crate::sys::whole_file::WholeFile;
use crate::verdict::Terms;

/// The log, for people.
const LOG: &str = "session.log";

/// What is agreed, for the next call.
const AGREED: &str = "session.json";

/// Held by whoever changes the patient, or is about to ask whether to.
const LOCK: &str = "session.lock";

/// After so long without a word in the log another session begins.
const OVER_AFTER: u64 = 12 * 3600;

/// Where lines go while a session is kept.
static OPEN: Mutex<Option<Kept>> = Mutex::new(None);

/// The log, and what this call added to it.
struct Kept {
    diary: Diary,
    own: Ran,
}

/// What is agreed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Agreed {
    /// When it began, in seconds since 1970.
    began: u64,
    /// The last call.
    last: u64,
    /// Minutes, as in [`Terms`].
    decide_by: Option<u32>,
    reinstall: Option<u32>,
    backup_age: Option<u32>,
    /// Which question was answered how, and when.
    #[serde(default)]
    answers: Vec<(String, String, u64)>,
}

impl Agreed {
    fn terms(&self, now: u64) -> Terms {
        Terms {
            began: Some(self.began),
            now,
            decide_by: self.decide_by,
            reinstall: self.reinstall,
            backup_age: self.backup_age,
        }
    }
}

fn place(name: &str) -> PathBuf {
    Path::new(IN_MEMORY).join(name)
}

/// Notes `line` in the log, where a session is kept.
pub(super) fn note(line: &str) {
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(kept) = open.as_mut() {
        let now = date::to_the_second(date::now());
        for line in line.lines() {
            let line = format!("{now}  {}", crate::report::clean(line));
            // A memory that is full stops no repair.
            let _ = kept.diary.add(&line);
            kept.own.hear(&line);
        }
    }
}

/// Opens the log and notes this call in it.
pub(super) fn keep_log() {
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    if open.is_some() {
        return;
    }
    let Ok(diary) = Diary::open(&place(LOG)) else {
        return;
    };
    let own = Ran {
        line: "lifeboot itself".to_owned(),
        started: date::now(),
        ended: "until the first change".to_owned(),
        well: true,
        ..Ran::default()
    };
    *open = Some(Kept { diary, own });
    drop(open);
    let words = std::env::args_os().skip(1);
    let words: Vec<String> = words
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let words = shell_words::join(words);
    note(format!("{} typed: lifeboot {words}", machine::operator()).trim_end());
}

/// The terms of the session that is going on, changed by what `args` say. It
/// begins now where `begin` wishes it, or the operator agreed on something.
pub(super) fn terms(args: &TermsArgs, begin: bool) -> Terms {
    let now = date::now();
    let going_on = going_on(now);
    if going_on.is_none() && !begin && !args.say_something() {
        return Terms::default();
    }
    let old = going_on.unwrap_or(Agreed {
        began: now,
        ..Agreed::default()
    });
    let agreed = Agreed {
        last: now,
        decide_by: args.decide_by.or(old.decide_by),
        reinstall: args.reinstall_takes.or(old.reinstall),
        backup_age: args.backup_age.or(old.backup_age),
        ..old
    };
    if let Err(error) = remember(&agreed) {
        say(&format!(
            "lifeboot: the session cannot be remembered in {IN_MEMORY}: {error:#}"
        ));
    }
    agreed.terms(now)
}

/// The session that is going on.
fn going_on(now: u64) -> Option<Agreed> {
    let text = diary::text(&place(AGREED)).ok().flatten()?;
    let agreed: Agreed = serde_json::from_str(&text).ok()?;
    // A clock that was set back is no reason to begin anew.
    let is_over = agreed.began > now || now.saturating_sub(agreed.last) > OVER_AFTER;
    (!is_over).then_some(agreed)
}

/// How `question` was answered before, in this session.
pub(super) fn answered(question: &str) -> Option<String> {
    let agreed = going_on(date::now())?;
    let mut answers = agreed.answers.iter().rev();
    let (_, answer, at) = answers.find(|(asked, _, _)| asked == question)?;
    Some(format!("{answer}, at {} UTC", date(*at)))
}

/// Notes how `question` was answered.
pub(super) fn answer(question: &str, agreed: bool) {
    let answer = if agreed { "yes" } else { "no" };
    note(&format!("asked: {question}; answered: {answer}"));
    let now = date::now();
    if let Some(mut agreed) = going_on(now) {
        agreed.last = now;
        agreed
            .answers
            .push((question.to_owned(), answer.to_owned(), now));
        // It is in the log in any case.
        let _ = remember(&agreed);
    }
}

fn remember(agreed: &Agreed) -> Result<()> {
    std::fs::create_dir_all(IN_MEMORY)?;
    let mut file = WholeFile::begin_private(Path::new(IN_MEMORY), AGREED)?;
    file.write_all(&serde_json::to_vec(agreed)?)?;
    Ok(file.finish()?)
}

/// Keeps other Lifeboots from changing the same disks meanwhile.
///
/// # Errors
/// Another one is at it.
pub(super) fn alone(target: &Target) -> Result<Option<OnlyOne>> {
    // Trees and images of the operator's choice have locks of their own.
    if target.root.is_some() || !target.disk.is_empty() {
        return Ok(None);
    }
    let name = format!(
        "process {}, since {} UTC, {}",
        std::process::id(),
        date(date::now()),
        machine::operator()
    );
    match OnlyOne::take(&place(LOCK), &name).with_context(|| format!("locking {LOCK}"))? {
        Taken::Ours(lock) => Ok(Some(lock)),
        Taken::Held(by) => bail!(
            "another lifeboot is repairing this server ({by}). Wait for its end, or look: \
             lifeboot diagnose; what it does: tail -f {}",
            place(LOG).display()
        ),
    }
}

/// What this call noted so far, to be kept with a repair; none where no log is
/// kept.
pub(super) fn so_far() -> Option<Ran> {
    let open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut own = open.as_ref()?.own.clone();
    own.seconds = date::now().saturating_sub(own.started);
    Some(own)
}

/// The text of the log.
///
/// # Errors
/// There is none.
pub(super) fn log() -> Result<String> {
    let path = place(LOG);
    let text = diary::text(&path).with_context(|| format!("reading {}", path.display()))?;
    text.with_context(|| format!("no session was kept here: there is no {}", path.display()))
}
