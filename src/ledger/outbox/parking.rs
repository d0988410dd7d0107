//! Parking: what is told no more, because it is too old or its endpoint is disabled or gone.
//!
//! The newest state of each key stays, so that the first 2xx makes the receiver's picture right. It
//! is left out only when none of the key's parked events was ever attempted and it equals the state
//! before them: then the receiver knows it already.

use std::{sync::Arc, time::Instant};

use imbl::{HashMap, hashmap::Entry as MapEntry};

use super::{
    BULK_MAX, Effects, Outbox,
    lane::{Entry, Head, OfKey, Parking},
};
use crate::{
    domain::Now,
    ledger::{event::Event, log::ParkedBecause},
};

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
            self.insert(*place, entry.clone());
            if !lanes.contains(&lane) {
                lanes.push(lane);
            }
        }
        for lane in lanes {
            let lane = &mut self.lanes[lane];
            lane.cut_at = Some(cut_at);
            lane.parking = Some(Parking::new(because, whole_until));
        }
        self.go_on_parking(now, effects);
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
        for lane in &mut self.lanes {
            lane.parking = Some(Parking::new(because, u64::MAX));
        }
        self.go_on_parking(now, effects);
    }

    /// Tells whether more is to be parked in a later step.
    #[must_use]
    pub fn is_parking(&self) -> bool {
        self.lanes.iter().any(|lane| lane.parking.is_some())
    }

    /// Goes on parking, for at most 1,000 events.
    pub fn go_on_parking(&mut self, now: Now, effects: &mut Effects) {
        let mut left = BULK_MAX;
        for lane in 0..self.lanes.len() {
            let Some(mut parking) = self.lanes[lane].parking.take() else {
                continue;
            };
            while 0 < left {
                left -= 1;
                let next = self.lanes[lane].queue.range(parking.from..).next();
                let Some((place, entry)) = next.map(|(place, entry)| (*place, entry.clone())) else {
                    break;
                };
                if parking.whole_until < place && !entry.is_too_old(now, self.rules.retry_for) {
                    break;
                }
                parking.from = place + 1;
                if !self.is_needed(place, &entry, &mut parking.keys)
                    && let Some(entry) = self.remove(lane, place)
                {
                    effects.queued.push((place, None));
                    self.park(entry.event, parking.because, effects);
                }
            }
            if left == 0 {
                self.lanes[lane].parking = Some(parking);
                return;
            }
        }
    }

    /// Parks at most 1,000 events of an endpoint that is gone, the newest states too. Tells whether
    /// nothing is left.
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
            let places: Vec<u64> = self.lanes[lane].queue.keys().take(BULK_MAX).copied().collect();
            for place in places {
                if let Some(entry) = self.remove(lane, place) {
                    effects.queued.push((place, None));
                    self.park(entry.event, ParkedBecause::EndpointRemoved, effects);
                }
            }
            if !self.lanes[lane].queue.is_empty() {
                return false;
            }
        }
        true
    }

    /// Tells whether an event that is to be parked has to stay.
    fn is_needed(&self, place: u64, entry: &Entry, keys: &mut HashMap<crate::ledger::Key, OfKey>) -> bool {
        let Some((key, occupied)) = entry.event.state() else {
            return false;
        };
        let of_key = match keys.entry(key.clone()) {
            MapEntry::Occupied(of_key) => of_key.into_mut(),
            MapEntry::Vacant(vacant) => vacant.insert(OfKey {
                first_occupied: occupied,
                attempted: false,
            }),
        };
        of_key.attempted |= entry.attempted;
        let is_known = !of_key.attempted && of_key.first_occupied != occupied;
        let is_newest = self.newest.get(key).is_none_or(|newest| *newest == place);
        is_newest && !is_known
    }
}

impl Parking {
    fn new(because: ParkedBecause, whole_until: u64) -> Self {
        Self {
            because,
            whole_until,
            from: 0,
            keys: HashMap::new(),
        }
    }
}
