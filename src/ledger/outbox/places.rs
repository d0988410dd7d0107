//! Where the queued events of each key are.

use imbl::{OrdMap, OrdSet};

use crate::ledger::edge::Key;

/// The places of the queued events that tell of a key's state. Whatever order they come and go in,
/// the newest of a key is the last of those that are there. Cloning it is cheap.
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    newest: OrdMap<Key, u64>,
    /// The others, so that most keys, which have one event, need no place here.
    older: OrdSet<(Key, u64)>,
}

impl Places {
    /// The place of the newest event of a key.
    pub(super) fn newest(&self, key: &Key) -> Option<u64> {
        self.newest.get(key).copied()
    }

    pub(super) fn insert(&mut self, key: &Key, place: u64) {
        let Some(newest) = self.newest.get_mut(key) else {
            self.newest.insert(key.clone(), place);
            return;
        };
        let older = place.min(*newest);
        *newest = place.max(*newest);
        self.older.insert((key.clone(), older));
    }

    pub(super) fn remove(&mut self, key: &Key, place: u64) {
        if self.newest(key) != Some(place) {
            self.older.remove(&(key.clone(), place));
            return;
        }
        let of_key = (key.clone(), 0)..(key.clone(), place);
        match self.older.range(of_key).next_back().cloned() {
            Some(before) => {
                self.newest.insert(key.clone(), before.1);
                self.older.remove(&before);
            }
            None => {
                self.newest.remove(key);
            }
        }
    }
}
