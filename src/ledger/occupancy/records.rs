//! The records of keys: where they are, what they cost, and when those of vacant keys are forgotten.

use std::{ops::Bound, sync::Arc};

use imbl::OrdSet;

use super::{Occupancy, Place, Record, State};
use crate::{
    domain::{ChannelName, UserId},
    ledger::{edge::Key, event::EventId},
};

/// How long the record of a vacant key is kept: 24 h, in milliseconds.
const VACANT_KEPT_MS: u64 = 24 * 60 * 60 * 1_000;
/// Most records of vacant keys that an app keeps.
pub(in crate::ledger) const VACANT_KEPT_MAX: usize = 100_000;
/// How many records whose events wait are looked at in a step, before the others are left for later.
const WAITING_LOOKED_AT: usize = 128;
/// What a record costs besides its texts, in bytes.
const RECORD_BYTES: usize = 170;
/// What it costs in the list of vacant keys, in bytes.
pub(super) const VACANT_BYTES: usize = 100;
/// The least that a vacant key costs, in bytes.
pub(in crate::ledger) const VACANT_BYTES_MIN: usize = RECORD_BYTES + VACANT_BYTES;

impl Occupancy {
    /// Tells whether there are vacant keys to forget.
    #[must_use]
    pub fn has_forgettable(&self, lived_ms: u64) -> bool {
        let is_old = |(since_ms, _): &(u64, Key)| VACANT_KEPT_MS <= lived_ms.saturating_sub(*since_ms);
        VACANT_KEPT_MAX < self.vacant.len() || self.vacant.get_min().is_some_and(is_old)
    }

    /// How many vacant keys have a record.
    #[must_use]
    pub fn vacant(&self) -> usize {
        self.vacant.len()
    }

    /// Forgets at most `limit` vacant keys: those that have been for 24 h, and the oldest of more
    /// than `kept_max`, unless their event still waits. Gives them.
    pub fn forget_vacant(
        &mut self,
        lived_ms: u64,
        limit: usize,
        kept_max: usize,
        waits: impl Fn(EventId) -> bool,
    ) -> Vec<Key> {
        let mut forgotten = Vec::new();
        let mut waiting = 0;
        for _ in 0..limit {
            if waiting == WAITING_LOOKED_AT {
                break;
            }
            let Some((since_ms, key)) = self.vacant.get_min().cloned() else {
                break;
            };
            let is_old = VACANT_KEPT_MS <= lived_ms.saturating_sub(since_ms);
            if !is_old && self.vacant.len() <= kept_max {
                break;
            }
            self.vacant.remove_min();
            let event = self.record(&key).and_then(|record| record.event);
            if event.is_some_and(&waits) {
                self.list_vacant(lived_ms, &key);
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
        let own = self.own_key(key);
        if let Some(record) = self.record_mut(key) {
            record.vacant_ms = Some(at_ms);
            self.vacant.insert((at_ms, own));
        }
    }

    /// The same key with the texts of its record, so that each is in memory once.
    fn own_key(&self, key: &Key) -> Key {
        let own = match key {
            Key::Channel(name) => self
                .channels
                .get_key_value(name)
                .map(|(name, _)| Key::Channel(name.clone())),
            Key::Member(name, user_id) => self
                .members
                .get_key_value(&place(name, user_id))
                .and_then(|((name, user_id), _)| Some(Key::Member(name.clone(), user_id.clone()?))),
            Key::User(user_id) => self
                .users
                .get_key_value(user_id)
                .map(|(user_id, _)| Key::User(user_id.clone())),
        };
        own.unwrap_or_else(|| key.clone())
    }

    pub(super) fn insert(&mut self, key: &Key, record: Record) {
        if record.event.is_some() {
            self.bytes += cost(key);
        }
        let record = Arc::new(record);
        match key {
            Key::Channel(name) => {
                self.channels.insert(name.clone(), record);
            }
            Key::Member(name, user_id) => {
                let own = self.channels.get_key_value(name).map(|(name, _)| name.clone());
                let name = own.as_ref().unwrap_or(name);
                self.members.insert(place(name, user_id), record);
            }
            Key::User(user_id) => {
                self.users.insert(user_id.clone(), record);
            }
        }
    }

    pub(super) fn forget(&mut self, key: &Key) {
        let forgotten = match key {
            Key::Channel(name) => self.channels.remove(name),
            Key::Member(name, user_id) => self.members.remove(&place(name, user_id)),
            Key::User(user_id) => self.users.remove(user_id),
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
        let record = match key {
            Key::Channel(name) => self.channels.get(name),
            Key::Member(name, user_id) => self.members.get(&place(name, user_id)),
            Key::User(user_id) => self.users.get(user_id),
        };
        record.map(AsRef::as_ref)
    }

    pub(super) fn record_mut(&mut self, key: &Key) -> Option<&mut Record> {
        let record = match key {
            Key::Channel(name) => self.channels.get_mut(name),
            Key::Member(name, user_id) => self.members.get_mut(&place(name, user_id)),
            Key::User(user_id) => self.users.get_mut(user_id),
        };
        record.map(Arc::make_mut)
    }

    /// The users of a channel that have a record, in the order of their ids.
    pub(super) fn members_of<'a>(&'a self, name: &'a ChannelName) -> impl Iterator<Item = (&'a UserId, &'a Record)> {
        let from = Bound::Excluded((name.clone(), None));
        self.members
            .range::<_, Place>((from, Bound::Unbounded))
            .take_while(move |((of, _), _)| of == name)
            .filter_map(|((_, user_id), record)| Some((user_id.as_ref()?, record.as_ref())))
    }

    /// Every key that has a record.
    pub(super) fn all(&self) -> impl Iterator<Item = (Key, &Record)> {
        let members = self.members.iter().filter_map(|((name, user_id), record)| {
            let key = Key::Member(name.clone(), user_id.clone()?);
            Some((key, record.as_ref()))
        });
        let channels = self
            .channels
            .iter()
            .map(|(name, record)| (Key::Channel(name.clone()), record.as_ref()));
        let users = self
            .users
            .iter()
            .map(|(user_id, record)| (Key::User(user_id.clone()), record.as_ref()));
        members.chain(channels).chain(users)
    }
}

/// Where a user's record is.
pub(super) fn place(name: &ChannelName, user_id: &UserId) -> Place {
    (name.clone(), Some(user_id.clone()))
}

pub(super) fn cost(key: &Key) -> usize {
    RECORD_BYTES
        + match key {
            Key::Channel(name) => name.as_str().len(),
            Key::Member(name, user_id) => name.as_str().len() + user_id.as_str().len(),
            Key::User(user_id) => user_id.as_str().len(),
        }
}
