//! What was already found out by the rules of one loader, so that a whole root
//! of programs asks each question once.

use std::sync::Arc;

use super::constants::Constants;
use super::files::{Files, Id, Opened};
use super::shared::Shared;

/// What remembering one name costs besides its text.
const NAME_BYTES: usize = 192;

/// What remembering one pair of objects costs.
const PAIR_BYTES: usize = 64;

/// One loader's constants, and what was found by them.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) constants: Constants,
    /// Where a name leads that is asked for by nobody with search paths of its
    /// own: the same for every program.
    found: Shared<String, (Arc<str>, Arc<Opened>)>,
    /// The versions that the first object needs by its nth list are all
    /// offered by the second.
    agreed: Shared<(Id, usize, Id), ()>,
}

impl Rules {
    pub(super) fn new(constants: Constants) -> Self {
        Self {
            constants,
            found: Shared::default(),
            agreed: Shared::default(),
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

    /// True when this pair was compared before and fits.
    pub(super) fn agree(&self, asking: Id, list: usize, library: Id) -> bool {
        self.agreed.contains_key(&(asking, list, library))
    }

    /// Remembers a pair that fits.
    pub(super) fn remember_pair(&self, files: &Files<'_>, asking: Id, list: usize, library: Id) {
        if files.has_room(PAIR_BYTES) {
            self.agreed.insert((asking, list, library), ());
        }
    }
}
