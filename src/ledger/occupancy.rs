//! Decides what is told: the state machine of every key of one app (DESIGN.md section 5).

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use imbl::{OrdMap, OrdSet};

use crate::domain::{ChannelName, Now, UserId};

use super::{
    counters::Counters,
    edge::{Edge, Key},
    event::EventId,
    store::KeyRecord,
    view::Told,
};

mod deadline;
mod lists;
mod records;

use deadline::{Deadline, Rank, deadline, rank};
pub(super) use records::{VACANT_BYTES_MIN, VACANT_KEPT_MAX};

/// A change that is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// What changed.
    pub key: Key,
    /// Its new state.
    pub occupied: bool,
    /// The number of the change.
    pub seq: u64,
    /// When it happened.
    pub at: Now,
}

/// The state of every key of one app. A key without a record is vacant. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct Occupancy {
    vacated_delay: Duration,
    // The nodes of the maps have room for 16 entries and are half empty on the way, so that what is
    // large is pointed to. One map holds the users of all channels, since most have few.
    channels: OrdMap<ChannelName, Arc<Record>>,
    /// The users in presence channels.
    members: OrdMap<Place, Arc<Record>>,
    /// The signed-in users.
    users: OrdMap<UserId, Arc<Record>>,
    deadlines: OrdSet<Deadline>,
    /// The vacant keys that have a record, by when they became vacant or were last found to have an
    /// event that waits.
    vacant: OrdSet<(u64, Key)>,
    /// The end of the recovery window, once it has begun.
    recovered_at: Option<Now>,
    occupied: usize,
    suppressed_flaps: u64,
    bytes: usize,
}

/// A user in a channel. Without one it comes before all users of the channel, and is where they begin.
type Place = (ChannelName, Option<UserId>);

#[derive(Debug, Clone)]
struct Record {
    state: State,
    seq: u64,
    since_ms: u64,
    /// Its place in the list of vacant keys; none when it is not in it.
    vacant_ms: Option<u64>,
    /// The event that told of the change; none when nobody asks for it.
    event: Option<EventId>,
    /// It was occupied before the server started.
    is_found: bool,
    flaps: u32,
    /// When the last of its flaps was; without meaning before the first.
    flapped_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Vacant,
    Occupied,
    Pending(Now),
    Recovering,
}

/// A key that is told occupied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occupied {
    /// The key.
    pub key: Key,
    /// The number of the change and when it was.
    pub told: Told,
    /// The event that told of it; none when nobody asked for it.
    pub event: Option<EventId>,
}

impl Occupancy {
    /// Begins with every key vacant. Without a delay, leaving tells vacated at once.
    #[must_use]
    pub fn new(vacated_delay: Duration) -> Self {
        Self {
            vacated_delay,
            channels: OrdMap::new(),
            members: OrdMap::new(),
            users: OrdMap::new(),
            deadlines: OrdSet::new(),
            vacant: OrdSet::new(),
            recovered_at: None,
            occupied: 0,
            suppressed_flaps: 0,
            bytes: 0,
        }
    }

    /// Takes another delay for what is left from here on.
    pub const fn delay(&mut self, vacated_delay: Duration) {
        self.vacated_delay = vacated_delay;
    }

    /// Begins with a key as it was kept, each key once. What was occupied is recovering: it is told
    /// occupied with the number that it had, and restoring tells nothing.
    pub fn restore(&mut self, key: &Key, record: &KeyRecord) {
        let state = if record.occupied {
            State::Recovering
        } else {
            State::Vacant
        };
        let restored = Record {
            state,
            seq: record.seq,
            since_ms: record.since_ms,
            vacant_ms: None,
            event: Some(record.event),
            is_found: record.occupied,
            flaps: 0,
            flapped_ms: 0,
        };
        self.insert(key, restored);
        if record.occupied {
            self.occupied += 1;
        } else {
            self.list_vacant(record.since_ms, key);
        }
    }

    /// Starts the recovery window: a key that is not entered again within `window`, or within the delay if
    /// that is longer, is told vacated. Whether a key was occupied or pending at the crash is not stored, and
    /// a pending one may be entered again for as long as the delay. Call it once. Gives how many channels are
    /// waited for.
    pub fn recover(&mut self, now: Now, window: Duration) -> usize {
        let until = now.after(window.max(self.vacated_delay));
        self.recovered_at = Some(until);
        let recovering: Vec<Key> = self
            .all()
            .filter(|(_, record)| record.state == State::Recovering)
            .map(|(key, _)| key)
            .collect();
        for key in &recovering {
            self.deadlines.insert(deadline(until, key));
        }
        recovering.iter().filter(|key| matches!(key, Key::Channel(_))).count()
    }

    /// Takes an edge, after what was due by its time, and appends what is told.
    ///
    /// An edge that changes nothing (entering what is occupied, leaving what is vacant) tells
    /// nothing, so that folded edges can be applied to any state.
    pub fn apply(&mut self, edge: &Edge, counters: &mut Counters, told: &mut Vec<Transition>) {
        self.due(edge.at.instant, counters, told);
        if edge.entered {
            self.enter(edge, counters, told);
        } else {
            self.leave(edge, counters, told);
        }
    }

    /// Tells vacated what was to be by `now` or earlier, in the order of the deadlines.
    pub fn due(&mut self, now: Instant, counters: &mut Counters, told: &mut Vec<Transition>) {
        while self.next_due().is_some_and(|until| until <= now) {
            self.due_next(counters, told);
        }
    }

    /// Reports the key with the earliest deadline as vacated, whatever the time is.
    pub fn due_next(&mut self, counters: &mut Counters, told: &mut Vec<Transition>) {
        let Some((_, _, key)) = self.deadlines.remove_min() else {
            return;
        };
        let at = match self.record(&key).map(|record| record.state) {
            Some(State::Pending(at)) => Some(at),
            Some(State::Recovering) => self.recovered_at,
            Some(State::Vacant | State::Occupied) | None => None,
        };
        if let Some(at) = at {
            self.vacate(key, at, counters, told);
        }
    }

    /// Tells vacated everything that was told occupied, members before their channel.
    pub fn vacate_all(&mut self, now: Now, counters: &mut Counters, told: &mut Vec<Transition>) {
        let keys: Vec<(Rank, Key)> = {
            let occupied = self.all().filter(|(_, record)| record.state != State::Vacant);
            let mut keys: Vec<_> = occupied.map(|(key, _)| (rank(&key), key)).collect();
            keys.sort();
            keys
        };
        self.deadlines = OrdSet::new();
        for (_, key) in keys {
            self.vacate(key, now, counters, told);
        }
    }

    /// Learns which event tells of a change, if one does, and tells whether an earlier change of
    /// the key was told. A vacant key of which nobody is told has no record.
    pub fn told(&mut self, key: &Key, seq: u64, event: Option<EventId>) -> bool {
        let Some(record) = self.record_mut(key) else {
            return false;
        };
        let was_told = record.event.is_some();
        if record.seq != seq {
            return was_told;
        }
        record.event = event;
        let (is_vacant, since_ms) = (record.state == State::Vacant, record.since_ms);
        match (was_told, event.is_some()) {
            (false, true) => self.bytes += records::cost(key),
            (true, false) => self.bytes -= records::cost(key),
            (true, true) | (false, false) => {}
        }
        if is_vacant {
            if event.is_some() {
                self.list_vacant(since_ms, key);
            } else {
                self.forget(key);
            }
        }
        was_told
    }

    /// When the next key is to be told vacated.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        self.deadlines.get_min().map(|(until, _, _)| *until)
    }

    /// How many pairs of vacated and occupied were not told, because the key was entered again
    /// within the delay.
    #[must_use]
    pub const fn suppressed_flaps(&self) -> u64 {
        self.suppressed_flaps
    }

    /// How many keys are told occupied.
    #[must_use]
    pub const fn occupied(&self) -> usize {
        self.occupied
    }

    /// What the records cost that are told, in bytes, by our own sum: what they hold in memory. The
    /// others are not kept.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes + self.vacant.len() * records::VACANT_BYTES
    }

    /// Tells whether every key is vacant and has no record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.members.is_empty() && self.users.is_empty()
    }

    fn enter(&mut self, edge: &Edge, counters: &mut Counters, told: &mut Vec<Transition>) {
        let key = &edge.key;
        let mut last = None;
        if let Some(record) = self.record_mut(key) {
            let was = std::mem::replace(&mut record.state, State::Occupied);
            match was {
                State::Occupied => return,
                State::Pending(until) => {
                    record.flaps = record.flaps.saturating_add(1);
                    record.flapped_ms = edge.at.wall_ms;
                    self.suppressed_flaps += 1;
                    self.deadlines.remove(&deadline(until, key));
                    return;
                }
                State::Recovering => {
                    if let Some(until) = self.recovered_at {
                        self.deadlines.remove(&deadline(until, key));
                    }
                    return;
                }
                State::Vacant => {
                    last = Some(record.seq);
                    if let Some(vacant_ms) = record.vacant_ms {
                        self.vacant.remove(&(vacant_ms, key.clone()));
                    }
                }
            }
        }
        let seq = counters.next_seq(last, edge.at);
        self.occupied += 1;
        let fresh = Record {
            state: State::Occupied,
            seq,
            since_ms: edge.at.wall_ms,
            vacant_ms: None,
            event: None,
            is_found: false,
            flaps: 0,
            flapped_ms: 0,
        };
        match self.record_mut(key) {
            Some(record) => {
                *record = Record {
                    event: record.event,
                    ..fresh
                };
            }
            None => self.insert(key, fresh),
        }
        told.push(Transition {
            key: key.clone(),
            occupied: true,
            seq,
            at: edge.at,
        });
    }

    fn leave(&mut self, edge: &Edge, counters: &mut Counters, told: &mut Vec<Transition>) {
        let key = &edge.key;
        let recovered_at = self.recovered_at;
        let mut until = edge.at.after(self.vacated_delay);
        let Some(record) = self.record_mut(key) else {
            return;
        };
        if record.state != State::Occupied {
            return;
        }
        // Others of a key that came back may still be on their way.
        if let Some(recovered_at) = recovered_at.filter(|_| record.is_found)
            && until.instant < recovered_at.instant
        {
            until = recovered_at;
        }
        record.state = State::Pending(until);
        if until.instant <= edge.at.instant {
            self.vacate(key.clone(), until, counters, told);
        } else {
            self.deadlines.insert(deadline(until, key));
        }
    }

    /// Makes a key vacant that is told occupied.
    fn vacate(&mut self, key: Key, at: Now, counters: &mut Counters, told: &mut Vec<Transition>) {
        let Some(record) = self.record_mut(&key) else { return };
        let seq = counters.next_seq(Some(record.seq), at);
        record.state = State::Vacant;
        record.seq = seq;
        record.since_ms = at.wall_ms;
        record.is_found = false;
        self.occupied -= 1;
        told.push(Transition {
            key,
            occupied: false,
            seq,
            at,
        });
    }
}

impl Record {
    const fn told(&self) -> Told {
        Told {
            seq: self.seq,
            since_ms: self.since_ms,
        }
    }
}

#[cfg(test)]
mod tests;
