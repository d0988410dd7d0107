//! Parking: what is told no more, because it is too old or its endpoint is disabled or gone.
//!
//! The newest state of each key stays, so that the first 2xx makes the receiver's picture right. It
//! is left out only when none of the key's parked events was ever attempted and it equals the state
//! before them: then the receiver knows it already.

use std::{
    collections::{HashMap, hash_map::Entry as MapEntry},
    sync::Arc,
    time::Instant,
};

use super::{
    Effects, Outbox,
    lane::{Entry, Head, Parking},
};
use crate::{
    domain::Now,
    ledger::{edge::Key, event::Event, log::ParkedBecause},
};

/// What was seen of a key's events while they are parked.
#[derive(Debug, Clone, Copy)]
struct OfKey {
    first_occupied: bool,
    attempted: bool,
    /// The state in the newest event of it that was parked.
    parked: Option<bool>,
}

impl OfKey {
    /// Tells whether the state that the receiver knows need not be the one before what is left.
    fn is_uncertain(&self) -> bool {
        self.parked
            .is_some_and(|parked| self.attempted || parked == self.first_occupied)
    }
}

impl Outbox {
    /// Makes a dead letter of an event that the outbox holds no more.
    pub(super) fn park(&mut self, event: Arc<Event>, because: ParkedBecause, effects: &mut Effects) {
        self.counts.parked += 1;
        effects.settled.push(event.id);
        effects.parked.push((event, because));
    }

    /// Parks a request whole, and of its lane what is as old. What is left is cut at `cut_at`.
    pub(super) fn park_head(&mut self, head: Head, cut_at: (Instant, u32), now: Now, effects: &mut Effects) {
        let because = self.disabled().unwrap_or(ParkedBecause::TooOld);
        effects.requests.push((head.id, None));
        let whole_until = head.entries.last().map_or(0, |(place, _)| *place);
        let mut lanes = Vec::new();
        for (place, entry) in head.entries.iter() {
            let lane = self.lane_of(&entry.event);
            effects.queued.push((*place, Some(entry.record())));
            let entry = Entry {
                is_of_old_request: true,
                ..entry.clone()
            };
            self.insert(*place, entry);
            if !lanes.contains(&lane) {
                lanes.push(lane);
            }
        }
        for lane in lanes {
            let lane = &mut self.lanes[lane];
            lane.cut_at = Some(cut_at);
            lane.refused = head.refused;
            let parking = Parking::new(because, whole_until);
            lane.parking = Some(lane.parking.map_or(parking, |before| before.join(parking)));
        }
        self.park_some(now, effects);
    }

    /// Parks everything that is not under way, but for the newest state of each key.
    pub(super) fn park_all(&mut self, now: Now, effects: &mut Effects) {
        let Some(because) = self.disabled() else { return };
        let mut heads: Vec<Head> = Vec::new();
        for lane in &mut self.lanes {
            heads.extend(lane.head.take_if(|head| !head.is_under_way()));
        }
        let (under_way, waiting) = std::mem::take(&mut self.finishing)
            .into_iter()
            .partition(Head::is_under_way);
        self.finishing = under_way;
        heads.extend::<Vec<Head>>(waiting);
        for head in heads {
            self.len -= head.entries.len();
            self.bytes -= head.bytes();
            effects.requests.push((head.id, None));
            for (place, entry) in head.entries.iter() {
                effects.queued.push((*place, Some(entry.record())));
                self.insert(*place, entry.clone());
            }
        }
        // What comes later is parked as it comes, or not at all when it comes after this has ended.
        let Some(last) = self.next_place.checked_sub(1) else {
            return;
        };
        for lane in &mut self.lanes {
            lane.parking = Some(Parking::new(because, last));
        }
        self.park_some(now, effects);
    }

    /// Tells whether more is to be parked in a later step.
    #[must_use]
    pub fn is_parking(&self) -> bool {
        self.lanes.iter().any(|lane| lane.parking.is_some())
    }

    /// Goes on parking, for as many events as a step may park. Wherever a step ends, and whatever
    /// happens before the next, the receiver ends with the newest state of each key.
    pub fn go_on_parking(&mut self, now: Now, effects: &mut Effects) {
        self.park_some(now, effects);
        self.dissolve_empty();
    }

    fn park_some(&mut self, now: Now, effects: &mut Effects) {
        for lane in 0..self.lanes.len() {
            let Some(mut parking) = self.lanes[lane].parking.take() else {
                continue;
            };
            let mut keys = HashMap::new();
            while 0 < effects.bulk_left {
                let next = self.lanes[lane].queue.range(parking.from..).next();
                let Some((place, entry)) = next.map(|(place, entry)| (*place, entry.clone())) else {
                    break;
                };
                let Some(is_taken) = parking.takes(place, &entry, now, self.rules.retry_for) else {
                    break;
                };
                effects.bulk_left -= 1;
                parking.from = place + 1;
                if !is_taken {
                    continue;
                }
                if let Some(was_attempted) = self.is_needed(place, &entry, &mut keys) {
                    if was_attempted && !entry.attempted {
                        self.mark_attempted(lane, place, effects);
                    }
                } else if let Some(entry) = self.remove(lane, place) {
                    effects.queued.push((place, None));
                    self.park(entry.event, parking.because, effects);
                }
            }
            self.need_newest(lane, parking.from, &keys, effects);
            if effects.bulk_left == 0 {
                self.lanes[lane].parking = Some(parking);
                return;
            }
        }
    }

    /// Parks as many events as a step may of an endpoint that is gone, the newest states too. Tells
    /// whether nothing is left.
    pub fn remove_some(&mut self, effects: &mut Effects) -> bool {
        let mut heads: Vec<Head> = std::mem::take(&mut self.finishing);
        heads.extend(self.lanes.iter_mut().filter_map(|lane| lane.head.take()));
        let replays = std::mem::take(&mut self.replays);
        for head in &heads {
            effects.requests.push((head.id, None));
            for (_, entry) in head.entries.iter() {
                self.park(Arc::clone(&entry.event), ParkedBecause::EndpointRemoved, effects);
            }
        }
        for head in &replays {
            effects.requests.push((head.id, None));
            effects
                .settled
                .extend(head.entries.iter().map(|(_, entry)| entry.event.id));
        }
        for head in heads.iter().chain(&replays) {
            self.len -= head.entries.len();
            self.bytes -= head.bytes();
        }
        for lane in 0..self.lanes.len() {
            let places: Vec<u64> = self.lanes[lane].queue.keys().take(effects.bulk_left).copied().collect();
            effects.bulk_left -= places.len();
            for place in places {
                if let Some(entry) = self.remove(lane, place) {
                    effects.queued.push((place, None));
                    self.park(entry.event, ParkedBecause::EndpointRemoved, effects);
                }
            }
        }
        self.lanes.iter().all(|lane| lane.queue.is_empty())
    }

    /// Has the newest events stay of keys of which some were parked, when those from `from` on are
    /// left for now: who looks at them later does not know what was parked.
    fn need_newest(&mut self, lane: usize, from: u64, keys: &HashMap<Key, OfKey>, effects: &mut Effects) {
        for (key, _) in keys.iter().filter(|(_, of_key)| of_key.is_uncertain()) {
            let newest = self.places.newest(key).filter(|newest| from <= *newest);
            let Some(place) = newest else { continue };
            self.mark_attempted(lane, place, effects);
        }
    }

    /// Has an event count as attempted, so that no later one makes a pair with it: whether the
    /// receiver knows the state before it is uncertain.
    fn mark_attempted(&mut self, lane: usize, place: u64, effects: &mut Effects) {
        if let Some(entry) = self.lanes[lane].queue.get_mut(&place) {
            entry.attempted = true;
            // Not a new record, but another one in its place.
            effects.queued.push((place, None));
            effects.queued.push((place, Some(entry.record())));
        }
    }

    /// Tells whether an event that is to be parked has to stay, and then whether one of its key was
    /// attempted.
    fn is_needed(&self, place: u64, entry: &Entry, keys: &mut HashMap<Key, OfKey>) -> Option<bool> {
        let (key, occupied) = entry.event.state()?;
        let of_key = match keys.entry(key.clone()) {
            MapEntry::Occupied(of_key) => of_key.into_mut(),
            MapEntry::Vacant(vacant) => vacant.insert(OfKey {
                first_occupied: occupied,
                attempted: false,
                parked: None,
            }),
        };
        of_key.attempted |= entry.attempted;
        let is_known = !of_key.attempted && of_key.first_occupied != occupied;
        let is_newest = self.places.newest(key) == Some(place);
        let is_needed = is_newest && !is_known;
        if !is_needed {
            of_key.parked = Some(occupied);
        }
        is_needed.then_some(of_key.attempted)
    }
}
