//! Making a queue shorter that is over the ledger's bound.

use std::collections::HashMap;

use super::{Effects, Outbox};
use crate::ledger::edge::Key;

impl Outbox {
    /// Drops queued events that carry no state and were never attempted, as many as a step may; gives
    /// their number. In portions or at once it leaves the same, and again it changes nothing.
    pub fn drop_stateless(&mut self, effects: &mut Effects) -> usize {
        let stateless = self.lanes.iter().enumerate().flat_map(|(lane, it)| {
            let stateless = |entry: &super::Entry| !entry.attempted && entry.event.state().is_none();
            let places = it.queue.iter().filter(move |(_, entry)| stateless(entry));
            places.map(move |(place, _)| (lane, *place))
        });
        let places: Vec<(usize, u64)> = stateless.take(effects.bulk_left).collect();
        let dropped = self.drop_all(&places, effects);
        self.counts.dropped += dropped as u64;
        dropped
    }

    /// Folds the queued events of each key that were never attempted against the state before them:
    /// pairs vanish, the newest odd one stays. As many events vanish as a step may let; gives their
    /// number.
    ///
    /// The law: in portions or at once, at any place and any number of times, it leaves the same, and
    /// who gets what is left ends with the same state of each key.
    pub fn fold(&mut self, effects: &mut Effects) -> usize {
        let mut vanish: Vec<(usize, u64)> = Vec::new();
        for (lane, it) in self.lanes.iter().enumerate() {
            // An endpoint may ask for one kind of event only, so that a key's events need not
            // alternate; then the newest stays.
            let mut odd: HashMap<&Key, (u64, bool)> = HashMap::new();
            for (place, entry) in &it.queue {
                if effects.bulk_left <= vanish.len() + 1 {
                    break;
                }
                let Some((key, occupied)) = entry.event.state() else {
                    continue;
                };
                if entry.attempted {
                    // It stays, and what it changes may be known: nothing before it makes a pair with
                    // what comes after it.
                    odd.remove(key);
                    continue;
                }
                match odd.insert(key, (*place, occupied)) {
                    None => {}
                    Some((before, was_occupied)) => {
                        vanish.push((lane, before));
                        if was_occupied != occupied {
                            vanish.push((lane, *place));
                            odd.remove(key);
                        }
                    }
                }
            }
        }
        let folded = self.drop_all(&vanish, effects);
        self.counts.compacted += folded as u64;
        folded
    }

    fn drop_all(&mut self, places: &[(usize, u64)], effects: &mut Effects) -> usize {
        effects.bulk_left -= places.len();
        for (lane, place) in places {
            if let Some(entry) = self.remove(*lane, *place) {
                effects.queued.push((*place, None));
                effects.settled.push(entry.event.id);
            }
        }
        places.len()
    }
}
