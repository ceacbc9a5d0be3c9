//! Keys of encrypted volumes: from a file, or asked for on a terminal.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex};

use dialoguer::Password;

use super::{is_interactive, say};
use crate::assembly::Keys;
use crate::assembly::luks::Key;
use crate::cli::Target;

/// How often a passphrase is asked for.
const TRIES: usize = 3;

/// No key file is larger (cryptsetup's limit is 8 MiB).
const KEY_BYTES: u64 = 8 << 20;

/// Keys that opened a container, by its UUID: a repair opens the patient
/// several times, and asks once.
static KNOWN: LazyLock<Mutex<HashMap<String, Key>>> = LazyLock::new(Mutex::default);

/// The operator's keys.
#[derive(Debug)]
pub(super) struct OperatorKeys {
    file: Option<PathBuf>,
}

impl OperatorKeys {
    pub(super) fn new(target: &Target) -> Self {
        Self {
            file: target.key_file.clone(),
        }
    }

    /// The first key to try: what opened it before, or the key file.
    fn given(&self, uuid: &str) -> Option<Key> {
        let known = KNOWN.lock().ok().and_then(|known| known.get(uuid).cloned());
        known.or_else(|| self.read_file())
    }

    fn read_file(&self) -> Option<Key> {
        let path = self.file.as_ref()?;
        let mut key = Key::default();
        let read = File::open(path).and_then(|file| file.take(KEY_BYTES).read_to_end(&mut key));
        match read {
            Ok(_) => Some(key),
            Err(error) => {
                say(&format!(
                    "lifeboot: the key file {}: {error}",
                    path.display()
                ));
                None
            }
        }
    }
}

impl Keys for OperatorKeys {
    fn key(&mut self, volume: &str, uuid: &str, wrong: usize) -> Option<Key> {
        let given = self.given(uuid);
        let first_asked = usize::from(given.is_some());
        if wrong == 0 && given.is_some() {
            return given;
        }
        if !is_interactive() || wrong >= first_asked + TRIES {
            return None;
        }
        if wrong > first_asked {
            say("lifeboot: that passphrase opens nothing there");
        }
        let prompt = format!("Passphrase of {volume} (empty: leave it closed)");
        let typed = Password::new()
            .with_prompt(prompt)
            .allow_empty_password(true)
            .interact()
            .ok()?;
        let key = Key::new(typed.into_bytes());
        (!key.is_empty()).then_some(key)
    }

    fn opened(&mut self, uuid: &str, key: &Key) {
        if let Ok(mut known) = KNOWN.lock() {
            known.insert(uuid.to_owned(), key.clone());
        }
    }

    fn why_none(&self, wrong: usize) -> String {
        match (wrong, &self.file) {
            (0, _) => "it is encrypted; give its key with --key-file FILE, or run lifeboot on a \
                 terminal, which asks for the passphrase"
                .into(),
            (_, Some(file)) => format!(
                "it is encrypted, and the key in {} does not open it",
                file.display()
            ),
            _ => "it is encrypted, and none of the passphrases opened it".into(),
        }
    }
}
