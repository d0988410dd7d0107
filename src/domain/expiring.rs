//! A map that knows which of its entries ends first.

use std::{
    collections::{BTreeMap, HashMap},
    hash::Hash,
    time::{Duration, Instant},
};

use ahash::RandomState;

/// Entries that each end at a moment of their own.
///
/// It is the holder that bounds it: [`pop_first`](Self::pop_first) makes room and
/// [`pop_expired`](Self::pop_expired) takes away what ended, one entry at a time, in the order of
/// their ends; of those that end together the one inserted first comes first. Every method takes
/// at most the logarithm of the size.
#[derive(Debug)]
pub struct Expiring<K, V> {
    entries: HashMap<K, Entry<V>, RandomState>,
    order: BTreeMap<Place, K>,
    next_number: u64,
}

/// An entry's place in the order: its end and the number of its insertion.
type Place = (Instant, u64);

#[derive(Debug)]
struct Entry<V> {
    value: V,
    place: Place,
}

impl<K: Clone + Eq + Hash, V> Expiring<K, V> {
    /// Puts an entry in and returns the value that it replaces, ended or not.
    pub fn insert(&mut self, key: K, value: V, ends_at: Instant) -> Option<V> {
        let replaced = self.remove(&key);
        let place = (ends_at, self.next_number);
        self.next_number += 1;
        self.order.insert(place, key.clone());
        self.entries.insert(key, Entry { value, place });
        replaced
    }

    /// The value of an entry that has not ended, and how long it has left.
    #[must_use]
    pub fn get(&self, key: &K, now: Instant) -> Option<(&V, Duration)> {
        let Entry { value, place } = self.entries.get(key)?;
        let left = place.0.saturating_duration_since(now);
        (!left.is_zero()).then_some((value, left))
    }

    /// The value of an entry, ended or not.
    #[must_use]
    pub fn peek(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|entry| &entry.value)
    }

    /// Takes an entry out, ended or not.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let Entry { value, place } = self.entries.remove(key)?;
        self.order.remove(&place);
        if self.entries.is_empty() {
            self.entries.shrink_to_fit();
        }
        Some(value)
    }

    /// Takes out the entry that ends first.
    pub fn pop_first(&mut self) -> Option<V> {
        let key = self.order.first_key_value()?.1.clone();
        self.remove(&key)
    }

    /// Takes out the entry that ends first if it has ended.
    pub fn pop_expired(&mut self, now: Instant) -> Option<V> {
        let ((ends_at, _), _) = self.order.first_key_value()?;
        if now < *ends_at {
            return None;
        }
        self.pop_first()
    }

    /// How many entries there are, with those that have ended and are not taken out yet.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Tells whether there is no entry, not even one that has ended.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl<K, V> Default for Expiring<K, V> {
    fn default() -> Self {
        Self {
            entries: HashMap::default(),
            order: BTreeMap::new(),
            next_number: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Now;

    fn of(now: Now, entries: &[(&'static str, u32, u64)]) -> Expiring<&'static str, u32> {
        let mut map = Expiring::default();
        for (key, value, ends_ms) in entries {
            map.insert(*key, *value, now.ms(*ends_ms).instant);
        }
        map
    }

    #[test]
    fn an_entry_is_there_until_its_end() {
        let now = Now::of_test();
        let map = of(now, &[("a", 1, 100)]);
        assert_eq!(map.get(&"a", now.instant), Some((&1, Duration::from_millis(100))));
        assert_eq!(map.get(&"a", now.ms(99).instant), Some((&1, Duration::from_millis(1))));
        assert_eq!(map.get(&"a", now.ms(100).instant), None);
        assert_eq!(map.get(&"a", now.ms(101).instant), None);
        assert_eq!(map.get(&"b", now.instant), None);
        assert_eq!((map.peek(&"a"), map.peek(&"b")), (Some(&1), None));
    }

    #[test]
    fn entries_come_out_in_the_order_of_their_ends_and_then_of_their_insertion() {
        let now = Now::of_test();
        let mut map = of(now, &[("a", 1, 300), ("b", 2, 100), ("c", 3, 100), ("d", 4, 200)]);
        let order: Vec<_> = std::iter::from_fn(|| map.pop_first()).collect();
        assert_eq!(order, [2, 3, 4, 1]);
        assert!(map.is_empty());
    }

    #[test]
    fn only_what_has_ended_is_popped_as_expired() {
        let now = Now::of_test();
        let mut map = of(now, &[("a", 1, 200), ("b", 2, 100)]);
        assert_eq!(map.pop_expired(now.ms(99).instant), None);
        assert_eq!(map.pop_expired(now.ms(100).instant), Some(2));
        assert_eq!(map.pop_expired(now.ms(199).instant), None);
        assert_eq!(map.len(), 1);
        assert_eq!(map.pop_expired(now.ms(201).instant), Some(1));
        assert_eq!(map.pop_expired(now.ms(999).instant), None);
    }

    #[test]
    fn what_is_inserted_again_has_its_new_value_and_its_new_place() {
        let now = Now::of_test();
        let mut map = of(now, &[("a", 1, 100), ("b", 2, 200)]);
        assert_eq!(map.insert("a", 3, now.ms(300).instant), Some(1));
        assert_eq!(map.insert("c", 4, now.ms(400).instant), None);
        assert_eq!(map.len(), 3);
        assert_eq!((map.pop_first(), map.pop_first()), (Some(2), Some(3)));
    }

    #[test]
    fn what_is_removed_leaves_nothing_behind() {
        let now = Now::of_test();
        let mut map = of(now, &[("a", 1, 100)]);
        assert!(!map.is_empty());
        assert_eq!((map.remove(&"a"), map.remove(&"a")), (Some(1), None));
        assert!(map.is_empty() && map.order.is_empty());
        assert_eq!((map.len(), map.entries.capacity(), map.pop_first()), (0, 0, None));
    }
}
