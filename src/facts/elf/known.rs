//! What was already found out by the rules of one loader, so that a whole root
//! of programs asks each question once.

use std::sync::Arc;

use super::constants::Constants;
use super::files::{Files, Opened};
use super::shared::Shared;

/// What remembering one name costs besides its text.
const NAME_BYTES: usize = 192;

/// One loader's constants, and what was found by them.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) constants: Constants,
    /// Where a name leads that is asked for by nobody with search paths of its
    /// own: the same for every program.
    found: Shared<String, (Arc<str>, Arc<Opened>)>,
}

impl Rules {
    pub(super) fn new(constants: Constants) -> Self {
        Self {
            constants,
            found: Shared::default(),
        }
    }

    /// Where `name` was found before.
    pub(super) fn place_of(&self, name: &str) -> Option<(Arc<str>, Arc<Opened>)> {
        self.found.get(name).map(|known| known.clone())
    }

    /// Remembers where `name` was found.
    pub(super) fn remember_place(
        &self,
        files: &Files<'_>,
        name: &str,
        path: &Arc<str>,
        opened: &Arc<Opened>,
    ) {
        if files.has_room(name.len() + path.len() + NAME_BYTES) {
            let place = (Arc::clone(path), Arc::clone(opened));
            self.found.insert(name.to_owned(), place);
        }
    }
}
