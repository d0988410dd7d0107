//! An event that was decided: what an endpoint is told (PROTOCOL.md section 6.4).

use std::{fmt, str::FromStr};

use crate::domain::{ChannelName, SERVER_TO_USER, SocketId, UserId, WebhookEvent};

use super::{
    edge::Key,
    window::{IdError, hex_after},
};

/// The id of an event, the same at every endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(pub u64);

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "evt_{:016x}", self.0)
    }
}

impl FromStr for EventId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        hex_after(text, "evt_").map(Self).ok_or(IdError("evt_"))
    }
}

/// An event that was decided. It never changes; each endpoint's queue refers to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// What it tells.
    pub body: EventBody,
    /// When it happened, in milliseconds since 1970.
    pub at_ms: u64,
}

/// What an event tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventBody {
    /// A key became occupied or vacant.
    State {
        /// Which.
        key: Key,
        /// Its new state.
        occupied: bool,
        /// The number of the change; it rises with each change of the key.
        seq: u64,
    },
    /// Something that carries no state.
    Stateless(Stateless),
}

/// What is told as it is: no later event makes it untrue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stateless {
    /// A client sent an event.
    Client(ClientEvent),
    /// A subscriber found nothing cached in a cache channel.
    CacheMiss(ChannelName),
    /// The number of subscribers of a channel changed to this.
    SubscriptionCount(ChannelName, usize),
}

/// An event that a client sent to the other subscribers of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientEvent {
    /// Where it was sent.
    pub channel: ChannelName,
    /// Its name, with the prefix `client-`.
    pub event: String,
    /// Its data: a string as it came, anything else as its JSON text.
    pub data: String,
    /// The connection that sent it.
    pub socket_id: SocketId,
    /// The user who sent it, on presence channels.
    pub user_id: Option<UserId>,
}

impl Event {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> WebhookEvent {
        match &self.body {
            EventBody::State {
                key, occupied: true, ..
            } => key.kinds().0,
            EventBody::State { key, .. } => key.kinds().1,
            EventBody::Stateless(Stateless::Client(_)) => WebhookEvent::ClientEvent,
            EventBody::Stateless(Stateless::CacheMiss(_)) => WebhookEvent::CacheMiss,
            EventBody::Stateless(Stateless::SubscriptionCount(..)) => WebhookEvent::SubscriptionCount,
        }
    }

    /// The channel that it is about, if it is about one.
    #[must_use]
    pub const fn channel(&self) -> Option<&ChannelName> {
        match &self.body {
            EventBody::State { key, .. } => key.channel(),
            EventBody::Stateless(stateless) => Some(stateless.channel()),
        }
    }

    /// The key and its new state, of events that carry a state.
    #[must_use]
    pub const fn state(&self) -> Option<(&Key, bool)> {
        match &self.body {
            EventBody::State { key, occupied, .. } => Some((key, *occupied)),
            EventBody::Stateless(_) => None,
        }
    }

    /// The number of the change, of events that carry a state.
    #[must_use]
    pub const fn seq(&self) -> Option<u64> {
        match &self.body {
            EventBody::State { seq, .. } => Some(*seq),
            EventBody::Stateless(_) => None,
        }
    }

    /// The user that it is about or that sent it, if there is one.
    #[must_use]
    pub const fn user_id(&self) -> Option<&UserId> {
        match &self.body {
            EventBody::State { key, .. } => match key {
                Key::Channel(_) => None,
                Key::Member(_, user_id) | Key::User(user_id) => Some(user_id),
            },
            EventBody::Stateless(Stateless::Client(client)) => client.user_id.as_ref(),
            EventBody::Stateless(Stateless::CacheMiss(_) | Stateless::SubscriptionCount(..)) => None,
        }
    }

    /// The length of its JSON object in a webhook body, in bytes, with the keys that are ours or
    /// without. `webhook::delivery` writes it.
    #[must_use]
    pub fn json_bytes(&self, extras: bool) -> usize {
        let extras = if extras { self.extras_bytes() } else { 0 };
        extras + self.plain_json_bytes()
    }

    /// The length of `,"seq":…,"id":"evt_…","at_ms":…`.
    fn extras_bytes(&self) -> usize {
        let digits = |number: u64| number.checked_ilog10().unwrap_or(0) as usize + 1;
        let seq = self.seq().map_or(0, |seq| r#","seq":"#.len() + digits(seq));
        seq + r#","id":"evt_0123456789abcdef","at_ms":"#.len() + digits(self.at_ms)
    }

    fn plain_json_bytes(&self) -> usize {
        let name = r#"{"name":""}"#.len() + self.kind().as_str().len();
        let channel = |channel: &ChannelName| r#","channel":"""#.len() + channel.as_str().len();
        name + self.channel().map_or(0, channel)
            + match &self.body {
                EventBody::State { key, .. } => match key {
                    Key::Channel(_) => 0,
                    Key::Member(_, user_id) => user_bytes(user_id),
                    Key::User(user_id) => {
                        let own_channel = r#","channel":"""#.len() + SERVER_TO_USER.len();
                        own_channel + escaped_bytes(user_id.as_str()) + user_bytes(user_id)
                    }
                },
                EventBody::Stateless(stateless) => stateless.json_bytes(),
            }
    }
}

impl Stateless {
    /// The channel that it is about.
    #[must_use]
    pub const fn channel(&self) -> &ChannelName {
        match self {
            Self::Client(event) => &event.channel,
            Self::CacheMiss(channel) | Self::SubscriptionCount(channel, _) => channel,
        }
    }

    /// The length of what it adds to name and channel, in bytes.
    fn json_bytes(&self) -> usize {
        match self {
            Self::Client(event) => {
                r#","event":"","data":"","socket_id":"""#.len()
                    + escaped_bytes(&event.event)
                    + escaped_bytes(&event.data)
                    + event.socket_id.to_string().len()
                    + event.user_id.as_ref().map_or(0, user_bytes)
            }
            Self::CacheMiss(_) => 0,
            Self::SubscriptionCount(_, count) => r#","subscription_count":"#.len() + count.to_string().len(),
        }
    }
}

fn user_bytes(user_id: &UserId) -> usize {
    r#","user_id":"""#.len() + escaped_bytes(user_id.as_str())
}

/// The length of a text inside a JSON string, in bytes.
fn escaped_bytes(text: &str) -> usize {
    text.bytes()
        .map(|byte| match byte {
            b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
            0x00..0x20 => 6,
            _ => 1,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(key: Key, occupied: bool) -> Event {
        Event {
            id: EventId(1),
            body: EventBody::State { key, occupied, seq: 1 },
            at_ms: 0,
        }
    }

    #[test]
    fn the_kind_follows_from_key_and_state() {
        let channel = || Key::Channel("presence-x".parse().expect("valid"));
        let member = || Key::Member("presence-x".parse().expect("valid"), "7".parse().expect("valid"));
        let user = || Key::User("7".parse().expect("valid"));
        for (key, occupied, kind) in [
            (channel(), true, WebhookEvent::ChannelOccupied),
            (channel(), false, WebhookEvent::ChannelVacated),
            (member(), true, WebhookEvent::MemberAdded),
            (member(), false, WebhookEvent::MemberRemoved),
            (user(), true, WebhookEvent::UserOnline),
            (user(), false, WebhookEvent::UserOffline),
        ] {
            let event = state(key.clone(), occupied);
            assert_eq!(event.kind(), kind);
            assert_eq!(event.state(), Some((&key, occupied)));
            let name = event.channel().map(ChannelName::as_str);
            assert_eq!(name, (!matches!(key, Key::User(_))).then_some("presence-x"));
        }
    }

    #[test]
    fn a_client_event_carries_no_state() {
        let event = Event {
            id: EventId(1),
            body: EventBody::Stateless(Stateless::Client(ClientEvent {
                channel: "private-x".parse().expect("valid"),
                event: "client-a".into(),
                data: "1".into(),
                socket_id: "1.2".parse().expect("valid"),
                user_id: None,
            })),
            at_ms: 0,
        };
        assert_eq!(event.kind(), WebhookEvent::ClientEvent);
        let name = event.channel().map(ChannelName::as_str);
        assert_eq!((event.state(), name), (None, Some("private-x")));
    }

    #[test]
    fn the_length_is_that_of_the_json_object() {
        let occupied = state(Key::Channel("my-channel".parse().expect("valid")), true);
        assert_eq!(
            occupied.json_bytes(false),
            r#"{"name":"channel_occupied","channel":"my-channel"}"#.len()
        );
        let removed = state(
            Key::Member("presence-x".parse().expect("valid"), "a\"b".parse().expect("valid")),
            false,
        );
        assert_eq!(
            removed.json_bytes(false),
            r#"{"name":"member_removed","channel":"presence-x","user_id":"a\"b"}"#.len()
        );
        let client = Event {
            id: EventId(1),
            body: EventBody::Stateless(Stateless::Client(ClientEvent {
                channel: "presence-x".parse().expect("valid"),
                event: "client-a".into(),
                data: "{\"on\":\n\u{1}}".into(),
                socket_id: "12.34".parse().expect("valid"),
                user_id: Some("7".parse().expect("valid")),
            })),
            at_ms: 0,
        };
        assert_eq!(
            client.json_bytes(false),
            r#"{"name":"client_event","channel":"presence-x","event":"client-a","data":"{\"on\":\n\u0001}","socket_id":"12.34","user_id":"7"}"#.len()
        );
    }
    #[test]
    fn the_length_of_an_event_about_a_user_or_with_a_count_is_exact_too() {
        let online = state(Key::User("7".parse().expect("valid")), true);
        assert_eq!(
            online.json_bytes(false),
            r##"{"name":"user_online","channel":"#server-to-user-7","user_id":"7"}"##.len()
        );
        let stateless = |body| Event {
            id: EventId(1),
            body: EventBody::Stateless(body),
            at_ms: 0,
        };
        let channel = || "cache-x".parse().expect("valid");
        let miss = stateless(Stateless::CacheMiss(channel()));
        assert_eq!(miss.kind(), WebhookEvent::CacheMiss);
        assert_eq!(
            miss.json_bytes(false),
            r#"{"name":"cache_miss","channel":"cache-x"}"#.len()
        );
        let count = stateless(Stateless::SubscriptionCount(channel(), 123));
        assert_eq!(count.kind(), WebhookEvent::SubscriptionCount);
        assert_eq!(
            count.json_bytes(false),
            r#"{"name":"subscription_count","channel":"cache-x","subscription_count":123}"#.len()
        );
    }
}
