//! Maps that all threads fill together.

use std::hash::Hash;

use dashmap::DashMap;
use foldhash::fast::RandomState;

/// A map in many parts with a lock each, so that threads seldom wait.
pub(super) type Shared<K, V> = DashMap<K, V, RandomState>;

/// Looks up `key`, or makes and keeps its value. Two threads may both make it;
/// the first one's is kept.
pub(super) fn remembered<K: Eq + Hash, V: Clone>(
    memory: &Shared<K, V>,
    key: K,
    make: impl FnOnce() -> V,
) -> V {
    if let Some(known) = memory.get(&key) {
        return known.clone();
    }
    let made = make();
    memory.entry(key).or_insert(made).clone()
}
