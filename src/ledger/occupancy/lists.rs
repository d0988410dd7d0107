//! What is known of an app's keys, for those who ask.

use std::{borrow::Borrow, ops::Bound, sync::Arc};

use super::{Occupancy, Occupied, Place, Record, State, records::place};
use crate::{
    domain::{ChannelName, UserId},
    ledger::{
        edge::Key,
        view::{ChannelView, KeyState, KeyView, Told, ToldChannel, ToldPage},
    },
};

impl Occupancy {
    /// The next keys that are told occupied, in the order of keys, from the first after `after` on;
    /// at most `limit`.
    #[must_use]
    pub fn occupied_after(&self, after: Option<&Key>, limit: usize) -> Vec<Occupied> {
        let channels = match after {
            None => Some(Bound::Unbounded),
            Some(Key::Channel(name)) => Some(Bound::Excluded(name)),
            Some(Key::Member(..) | Key::User(_)) => None,
        };
        let members = match after {
            None | Some(Key::Channel(_)) => Some(Bound::Unbounded),
            Some(Key::Member(name, user_id)) => Some(Bound::Excluded(place(name, user_id))),
            Some(Key::User(_)) => None,
        };
        let users = match after {
            None | Some(Key::Channel(_) | Key::Member(..)) => Bound::Unbounded,
            Some(Key::User(user_id)) => Bound::Excluded(user_id),
        };
        let channels = channels.into_iter().flat_map(|from| {
            self.channels
                .range::<_, ChannelName>((from, Bound::Unbounded))
                .map(|(name, record)| (Key::Channel(name.clone()), record))
        });
        let members = members.into_iter().flat_map(|from| {
            self.members
                .range::<_, Place>((from, Bound::Unbounded))
                .filter_map(|((name, user_id), record)| Some((Key::Member(name.clone(), user_id.clone()?), record)))
        });
        let users = self
            .users
            .range::<_, UserId>((users, Bound::Unbounded))
            .map(|(user_id, record)| (Key::User(user_id.clone()), record));
        channels
            .chain(members)
            .chain(users)
            .filter(|(_, record)| record.state != State::Vacant)
            .take(limit)
            .map(|(key, record)| Occupied {
                key,
                told: record.told(),
                event: record.event,
            })
            .collect()
    }

    /// The channels told occupied whose names begin with `prefix`, in the order of their names,
    /// from the first after `after` on; at most `limit`.
    #[must_use]
    pub fn told_page(&self, prefix: &str, after: Option<&str>, limit: usize) -> ToldPage<ChannelName> {
        let channels = self.channels.range::<_, str>((first(prefix, after), Bound::Unbounded));
        page(channels, prefix, limit)
    }

    /// The same of signed-in users that are told online.
    #[must_use]
    pub fn told_users(&self, prefix: &str, after: Option<&str>, limit: usize) -> ToldPage<UserId> {
        let users = self.users.range::<_, str>((first(prefix, after), Bound::Unbounded));
        page(users, prefix, limit)
    }

    /// A channel told occupied, with its users.
    #[must_use]
    pub fn told_channel(&self, name: &ChannelName) -> ToldChannel {
        let told = |record: &Record| (record.state != State::Vacant).then(|| record.told());
        ToldChannel {
            told: self.channels.get(name).and_then(|record| told(record)),
            users: self
                .members_of(name)
                .filter_map(|(user_id, record)| Some((user_id.clone(), told(record)?)))
                .collect(),
        }
    }

    /// All that is known of a channel.
    #[must_use]
    pub fn channel_view(&self, name: &ChannelName) -> ChannelView {
        let view = |record: &Record| self.key_view(record);
        ChannelView {
            channel: self.channels.get(name).map(|record| view(record)).unwrap_or_default(),
            users: self
                .members_of(name)
                .filter(|(_, record)| record.state != State::Vacant)
                .map(|(user_id, record)| (user_id.clone(), view(record)))
                .collect(),
            waits: Vec::new(),
        }
    }

    fn key_view(&self, record: &Record) -> KeyView {
        let state = match record.state {
            State::Vacant => KeyState::Vacant,
            State::Occupied => KeyState::Occupied,
            State::Pending(until) => KeyState::Pending {
                until_ms: until.wall_ms,
            },
            State::Recovering => KeyState::Recovering {
                until_ms: self.recovered_at.map(|until| until.wall_ms),
            },
        };
        KeyView {
            state,
            seq: Some(record.seq),
            since_ms: Some(record.since_ms),
            flaps: record.flaps.into(),
            flapped_ms: (0 < record.flaps).then_some(record.flapped_ms),
        }
    }
}

/// Where a page begins.
fn first<'a>(prefix: &'a str, after: Option<&'a str>) -> Bound<&'a str> {
    match after {
        Some(after) if prefix <= after => Bound::Excluded(after),
        Some(_) | None => Bound::Included(prefix),
    }
}

/// The first of these, which are in the order of their names, that are told occupied.
fn page<'a, N: Borrow<str> + Clone + 'a>(
    records: impl Iterator<Item = (&'a N, &'a Arc<Record>)>,
    prefix: &str,
    limit: usize,
) -> ToldPage<N> {
    let mut matching = records
        .take_while(|(name, _)| (*name).borrow().starts_with(prefix))
        .filter(|(_, record)| record.state != State::Vacant);
    let told: Vec<(N, Told)> = matching
        .by_ref()
        .take(limit)
        .map(|(name, record)| (name.clone(), record.told()))
        .collect();
    let more = matching.next().is_some();
    ToldPage {
        next: told.last().filter(|_| more).map(|(name, _)| name.clone()),
        told,
    }
}
