//! What is known of an app's keys, for those who ask.

use std::{borrow::Borrow, ops::Bound};

use super::{Occupancy, Occupied, Record, State};
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
        let (this_channel, later_channels) = match after {
            None | Some(Key::Channel(_)) => (None, Some(Bound::Unbounded)),
            Some(Key::Member(name, user_id)) => (Some((name, user_id)), Some(Bound::Excluded(name))),
            Some(Key::User(_)) => (None, None),
        };
        let users = match after {
            Some(Key::User(user_id)) => Bound::Excluded(user_id),
            _ => Bound::Unbounded,
        };
        let own = channels.into_iter().flat_map(|from| {
            self.channels
                .range::<_, ChannelName>((from, Bound::Unbounded))
                .filter_map(|(name, channel)| Some((Key::Channel(name.clone()), channel.own.as_ref()?)))
        });
        let member = |name: &ChannelName, user_id: &UserId| Key::Member(name.clone(), user_id.clone());
        let of_this = this_channel.into_iter().flat_map(move |(name, user_id)| {
            self.channels.get(name).into_iter().flat_map(move |channel| {
                channel
                    .members
                    .range::<_, UserId>((Bound::Excluded(user_id), Bound::Unbounded))
                    .map(move |(user_id, record)| (member(name, user_id), record))
            })
        });
        let of_later = later_channels.into_iter().flat_map(move |from| {
            self.channels
                .range::<_, ChannelName>((from, Bound::Unbounded))
                .flat_map(move |(name, channel)| {
                    channel
                        .members
                        .iter()
                        .map(move |(user_id, record)| (member(name, user_id), record))
                })
        });
        let of_users = self
            .users
            .range::<_, UserId>((users, Bound::Unbounded))
            .map(|(user_id, record)| (Key::User(user_id.clone()), record));
        own.chain(of_this)
            .chain(of_later)
            .chain(of_users)
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
        let records = channels.filter_map(|(name, channel)| Some((name, channel.own.as_ref()?)));
        page(records, prefix, limit)
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
        let Some(channel) = self.channels.get(name) else {
            return ToldChannel::default();
        };
        ToldChannel {
            told: channel.own.as_ref().and_then(told),
            users: channel
                .members
                .iter()
                .filter_map(|(user_id, record)| Some((user_id.clone(), told(record)?)))
                .collect(),
        }
    }

    /// All that is known of a channel.
    #[must_use]
    pub fn channel_view(&self, name: &ChannelName) -> ChannelView {
        let Some(channel) = self.channels.get(name) else {
            return ChannelView::default();
        };
        let view = |record: &Record| self.key_view(record);
        ChannelView {
            channel: channel.own.as_ref().map(view).unwrap_or_default(),
            users: channel
                .members
                .iter()
                .filter(|(_, record)| record.state != State::Vacant)
                .map(|(user_id, record)| (user_id.clone(), view(record)))
                .collect(),
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
            flaps: record.flaps,
            flapped_ms: record.flapped_ms,
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
    records: impl Iterator<Item = (&'a N, &'a Record)>,
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
