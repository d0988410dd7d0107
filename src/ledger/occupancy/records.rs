//! The records of keys: where they are, what they cost, and when those of vacant keys are forgotten.

use imbl::{OrdSet, ordmap::Entry};

use super::{Occupancy, Record, State};
use crate::{
    domain::Now,
    ledger::{edge::Key, event::EventId},
};

/// How long the record of a vacant key is kept: 24 h, in milliseconds.
const VACANT_KEPT_MS: u64 = 24 * 60 * 60 * 1_000;
/// Most records of vacant keys that an app keeps.
const VACANT_KEPT_MAX: usize = 100_000;
/// How many records whose events wait are looked at in a step, before the others are left for later.
const WAITING_LOOKED_AT: usize = 16;
/// What a record costs besides its key, in bytes.
const RECORD_BYTES: usize = 96;

impl Occupancy {
    /// Tells whether there are vacant keys to forget.
    #[must_use]
    pub fn has_forgettable(&self, now: Now) -> bool {
        let is_old = |(since_ms, _): &(u64, Key)| VACANT_KEPT_MS <= now.wall_ms.saturating_sub(*since_ms);
        VACANT_KEPT_MAX < self.vacant.len() || self.vacant.get_min().is_some_and(is_old)
    }

    /// Forgets at most `limit` vacant keys: those that have been for 24 h, and the oldest of too
    /// many, unless their event still waits. Gives them.
    pub fn forget_vacant(&mut self, now: Now, limit: usize, waits: impl Fn(EventId) -> bool) -> Vec<Key> {
        let mut forgotten = Vec::new();
        let mut waiting = 0;
        for _ in 0..limit {
            if waiting == WAITING_LOOKED_AT {
                break;
            }
            let Some((since_ms, key)) = self.vacant.get_min().cloned() else {
                break;
            };
            let is_old = VACANT_KEPT_MS <= now.wall_ms.saturating_sub(since_ms);
            if !is_old && self.vacant.len() <= VACANT_KEPT_MAX {
                break;
            }
            self.vacant.remove_min();
            let event = self.record(&key).and_then(|record| record.event);
            if event.is_some_and(&waits) {
                self.list_vacant(now.wall_ms, &key);
                waiting += 1;
            } else {
                self.forget(&key);
                forgotten.push(key);
            }
        }
        forgotten
    }

    /// Forgets at most `limit` keys of any state, and gives them: the app is no more.
    pub fn forget_some(&mut self, limit: usize) -> Vec<Key> {
        let keys: Vec<Key> = self.all().map(|(key, _)| key).take(limit).collect();
        for key in &keys {
            self.forget(key);
        }
        self.deadlines = OrdSet::new();
        self.vacant = OrdSet::new();
        keys
    }

    pub(super) fn list_vacant(&mut self, at_ms: u64, key: &Key) {
        if let Some(record) = self.record_mut(key) {
            record.vacant_ms = Some(at_ms);
            self.vacant.insert((at_ms, key.clone()));
        }
    }

    pub(super) fn insert(&mut self, key: &Key, record: Record) {
        if record.event.is_some() {
            self.bytes += cost(key);
        }
        match key {
            Key::Channel(name) => {
                self.channels.entry(name.clone()).or_default().own = Some(record);
            }
            Key::Member(name, user_id) => {
                let channel = self.channels.entry(name.clone()).or_default();
                channel.members.insert(user_id.clone(), record);
            }
            Key::User(user_id) => {
                self.users.insert(user_id.clone(), record);
            }
        }
    }

    pub(super) fn forget(&mut self, key: &Key) {
        let forgotten = match key {
            Key::User(user_id) => self.users.remove(user_id),
            Key::Channel(name) | Key::Member(name, _) => {
                let Entry::Occupied(mut entry) = self.channels.entry(name.clone()) else {
                    return;
                };
                let channel = entry.get_mut();
                let forgotten = match key {
                    Key::Member(_, user_id) => channel.members.remove(user_id),
                    Key::Channel(_) | Key::User(_) => channel.own.take(),
                };
                if channel.own.is_none() && channel.members.is_empty() {
                    entry.remove();
                }
                forgotten
            }
        };
        if let Some(record) = forgotten {
            if record.event.is_some() {
                self.bytes -= cost(key);
            }
            if record.state != State::Vacant {
                self.occupied -= 1;
            }
        }
    }

    pub(super) fn record(&self, key: &Key) -> Option<&Record> {
        match key {
            Key::Channel(name) => self.channels.get(name)?.own.as_ref(),
            Key::Member(name, user_id) => self.channels.get(name)?.members.get(user_id),
            Key::User(user_id) => self.users.get(user_id),
        }
    }

    pub(super) fn record_mut(&mut self, key: &Key) -> Option<&mut Record> {
        match key {
            Key::Channel(name) => self.channels.get_mut(name)?.own.as_mut(),
            Key::Member(name, user_id) => self.channels.get_mut(name)?.members.get_mut(user_id),
            Key::User(user_id) => self.users.get_mut(user_id),
        }
    }

    /// Every key that has a record: channels with their members, and users.
    pub(super) fn all(&self) -> impl Iterator<Item = (Key, &Record)> {
        let channels = self.channels.iter().flat_map(|(name, channel)| {
            let members = channel
                .members
                .iter()
                .map(|(user_id, record)| (Key::Member(name.clone(), user_id.clone()), record));
            let own = channel.own.iter().map(|record| (Key::Channel(name.clone()), record));
            members.chain(own)
        });
        let users = self
            .users
            .iter()
            .map(|(user_id, record)| (Key::User(user_id.clone()), record));
        channels.chain(users)
    }
}

pub(super) fn cost(key: &Key) -> usize {
    RECORD_BYTES
        + match key {
            Key::Channel(name) => name.as_str().len(),
            Key::Member(name, user_id) => name.as_str().len() + user_id.as_str().len(),
            Key::User(user_id) => user_id.as_str().len(),
        }
}
