//! Decides what is told: the state machine of every key of one app (DESIGN.md section 5).

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    ops::Bound,
    time::{Duration, Instant},
};

use crate::domain::{ChannelName, Now, UserId};

use super::{
    edge::{Edge, Key},
    view::{Told, ToldChannel, ToldPage},
};

/// Hands out the numbers of changes: each is above the key's last one and above all that were
/// handed out to keys whose records are gone.
#[derive(Debug, Default)]
pub struct Numbers {
    high_water: u64,
}

impl Numbers {
    /// Begins with nothing handed out.
    #[must_use]
    pub const fn new() -> Self {
        Self { high_water: 0 }
    }

    /// The number of a change at `at` of a key whose last number was `last`.
    ///
    /// The later of `last + 1` and the wall clock in milliseconds; for a key without a record, above
    /// everything handed out so far.
    pub fn next(&mut self, last: Option<u64>, at: Now) -> u64 {
        let seq = at.wall_ms.max(last.unwrap_or(self.high_water) + 1);
        self.high_water = self.high_water.max(seq);
        seq
    }
}

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

/// The state of every key of one app. A key without a record is vacant.
#[derive(Debug)]
pub struct Occupancy {
    vacated_delay: Duration,
    channels: BTreeMap<ChannelName, Channel>,
    deadlines: BTreeSet<Deadline>,
    suppressed_flaps: u64,
}

/// When a pending key is vacated; of what falls due together, members come before their channel.
type Deadline = (Instant, Rank, Key);

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Member,
    Channel,
}

#[derive(Debug, Default)]
struct Channel {
    told: Option<Record>,
    members: BTreeMap<UserId, Record>,
}

/// A key that was told occupied.
#[derive(Debug)]
struct Record {
    seq: u64,
    since_ms: u64,
    /// The moment at which it is told vacated, unless it is entered before: it is pending.
    until: Option<Now>,
}

impl Occupancy {
    /// Begins with every key vacant. Without a delay, leaving tells vacated at once.
    #[must_use]
    pub const fn new(vacated_delay: Duration) -> Self {
        Self {
            vacated_delay,
            channels: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            suppressed_flaps: 0,
        }
    }

    /// Takes an edge, after what was due by its time, and appends what is told.
    ///
    /// An edge that changes nothing (entering what is occupied, leaving what is vacant) tells
    /// nothing, so that folded edges can be applied to any state.
    pub fn apply(&mut self, edge: &Edge, numbers: &mut Numbers, told: &mut Vec<Transition>) {
        self.due(edge.at.instant, numbers, told);
        if edge.entered {
            self.enter(edge, numbers, told);
        } else {
            self.leave(edge, numbers, told);
        }
    }

    /// Tells vacated what was pending until `now` or earlier, in the order of the deadlines.
    pub fn due(&mut self, now: Instant, numbers: &mut Numbers, told: &mut Vec<Transition>) {
        while let Some((until, _, _)) = self.deadlines.first()
            && *until <= now
        {
            let Some((_, _, key)) = self.deadlines.pop_first() else {
                return;
            };
            self.vacate(key, None, numbers, told);
        }
    }

    /// Tells vacated everything that was told occupied, members before their channel.
    pub fn vacate_all(&mut self, now: Now, numbers: &mut Numbers, told: &mut Vec<Transition>) {
        let keys: Vec<Key> = self
            .channels
            .iter()
            .flat_map(|(name, channel)| {
                let members = channel
                    .members
                    .keys()
                    .map(|user_id| Key::Member(name.clone(), user_id.clone()));
                let own = channel.told.iter().map(|_| Key::Channel(name.clone()));
                members.chain(own)
            })
            .collect();
        self.deadlines.clear();
        for key in keys {
            self.vacate(key, Some(now), numbers, told);
        }
    }

    /// When the next pending key is to be told vacated.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        self.deadlines.first().map(|(until, _, _)| *until)
    }

    /// How many pairs of vacated and occupied were not told, because the key was entered again
    /// within the delay.
    #[must_use]
    pub const fn suppressed_flaps(&self) -> u64 {
        self.suppressed_flaps
    }

    /// Tells whether every key is vacant.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.deadlines.is_empty()
    }

    /// The channels told occupied whose names begin with `prefix`, in the order of their names,
    /// from the first after `after` on; at most `limit`.
    #[must_use]
    pub fn told_page(&self, prefix: &str, after: Option<&str>, limit: usize) -> ToldPage {
        let from = match after {
            Some(after) if prefix <= after => Bound::Excluded(after),
            Some(_) | None => Bound::Included(prefix),
        };
        let mut matching = self
            .channels
            .range::<str, _>((from, Bound::Unbounded))
            .take_while(|(name, _)| name.as_str().starts_with(prefix))
            .filter_map(|(name, channel)| Some((name, channel.told.as_ref()?)));
        let channels: Vec<_> = matching
            .by_ref()
            .take(limit)
            .map(|(name, record)| (name.clone(), record.told()))
            .collect();
        let more = matching.next().is_some();
        ToldPage {
            next: channels.last().filter(|_| more).map(|(name, _)| name.clone()),
            channels,
        }
    }

    /// A channel told occupied, with its users.
    #[must_use]
    pub fn told_channel(&self, name: &ChannelName) -> ToldChannel {
        let Some(channel) = self.channels.get(name) else {
            return ToldChannel::default();
        };
        ToldChannel {
            told: channel.told.as_ref().map(Record::told),
            users: channel
                .members
                .iter()
                .map(|(user_id, record)| (user_id.clone(), record.told()))
                .collect(),
        }
    }

    fn enter(&mut self, edge: &Edge, numbers: &mut Numbers, told: &mut Vec<Transition>) {
        let channel = self.channels.entry(edge.key.channel().clone()).or_default();
        let record = match &edge.key {
            Key::Channel(_) => channel.told.as_mut(),
            Key::Member(_, user_id) => channel.members.get_mut(user_id),
        };
        if let Some(record) = record {
            if let Some(until) = record.until.take() {
                self.suppressed_flaps += 1;
                self.deadlines.remove(&deadline(until, &edge.key));
            }
            return;
        }
        let seq = numbers.next(None, edge.at);
        let record = Record {
            seq,
            since_ms: edge.at.wall_ms,
            until: None,
        };
        match &edge.key {
            Key::Channel(_) => channel.told = Some(record),
            Key::Member(_, user_id) => {
                channel.members.insert(user_id.clone(), record);
            }
        }
        told.push(Transition {
            key: edge.key.clone(),
            occupied: true,
            seq,
            at: edge.at,
        });
    }

    fn leave(&mut self, edge: &Edge, numbers: &mut Numbers, told: &mut Vec<Transition>) {
        let until = edge.at.after(self.vacated_delay);
        let Some(record) = self.record_mut(&edge.key) else {
            return;
        };
        if record.until.is_some() {
            return;
        }
        record.until = Some(until);
        if self.vacated_delay.is_zero() {
            self.vacate(edge.key.clone(), None, numbers, told);
        } else {
            self.deadlines.insert(deadline(until, &edge.key));
        }
    }

    /// Forgets a key and tells that it is vacant, since `at` or since it was due.
    fn vacate(&mut self, key: Key, at: Option<Now>, numbers: &mut Numbers, told: &mut Vec<Transition>) {
        let Entry::Occupied(mut entry) = self.channels.entry(key.channel().clone()) else {
            return;
        };
        let channel = entry.get_mut();
        let record = match &key {
            Key::Channel(_) => channel.told.take(),
            Key::Member(_, user_id) => channel.members.remove(user_id),
        };
        if channel.told.is_none() && channel.members.is_empty() {
            entry.remove();
        }
        let Some(record) = record else { return };
        let Some(at) = at.or(record.until) else {
            return;
        };
        told.push(Transition {
            key,
            occupied: false,
            seq: numbers.next(Some(record.seq), at),
            at,
        });
    }

    fn record_mut(&mut self, key: &Key) -> Option<&mut Record> {
        let channel = self.channels.get_mut(key.channel())?;
        match key {
            Key::Channel(_) => channel.told.as_mut(),
            Key::Member(_, user_id) => channel.members.get_mut(user_id),
        }
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

fn deadline(until: Now, key: &Key) -> Deadline {
    let rank = match key {
        Key::Member(..) => Rank::Member,
        Key::Channel(_) => Rank::Channel,
    };
    (until.instant, rank, key.clone())
}

#[cfg(test)]
mod tests;
