//! An event that was decided: what an endpoint is told (PROTOCOL.md section 6.4).

use crate::domain::{ChannelName, SocketId, UserId, WebhookEvent};

use super::edge::Key;

/// An event that was decided. It never changes; each endpoint's queue refers to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
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
    /// A client sent an event.
    Client(ClientEvent),
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
            EventBody::State { key, occupied, .. } => match (key, occupied) {
                (Key::Channel(_), true) => WebhookEvent::ChannelOccupied,
                (Key::Channel(_), false) => WebhookEvent::ChannelVacated,
                (Key::Member(..), true) => WebhookEvent::MemberAdded,
                (Key::Member(..), false) => WebhookEvent::MemberRemoved,
            },
            EventBody::Client(_) => WebhookEvent::ClientEvent,
        }
    }

    /// The channel that it is about.
    #[must_use]
    pub const fn channel(&self) -> &ChannelName {
        match &self.body {
            EventBody::State { key, .. } => key.channel(),
            EventBody::Client(event) => &event.channel,
        }
    }

    /// The key and its new state, of events that carry a state.
    #[must_use]
    pub const fn state(&self) -> Option<(&Key, bool)> {
        match &self.body {
            EventBody::State { key, occupied, .. } => Some((key, *occupied)),
            EventBody::Client(_) => None,
        }
    }

    /// The length of its JSON object in a webhook body, in bytes. `webhook::delivery` writes it.
    #[must_use]
    pub fn json_bytes(&self) -> usize {
        let frame = r#"{"name":"","channel":""}"#.len() + self.kind().as_str().len();
        let channel = self.channel().as_str().len();
        frame
            + channel
            + match &self.body {
                EventBody::State {
                    key: Key::Channel(_), ..
                } => 0,
                EventBody::State {
                    key: Key::Member(_, user_id),
                    ..
                } => user_bytes(user_id),
                EventBody::Client(event) => {
                    r#","event":"","data":"","socket_id":"""#.len()
                        + escaped_bytes(&event.event)
                        + escaped_bytes(&event.data)
                        + event.socket_id.to_string().len()
                        + event.user_id.as_ref().map_or(0, user_bytes)
                }
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
            body: EventBody::State { key, occupied, seq: 1 },
            at_ms: 0,
        }
    }

    #[test]
    fn the_kind_follows_from_key_and_state() {
        let channel = || Key::Channel("presence-x".parse().expect("valid"));
        let member = || Key::Member("presence-x".parse().expect("valid"), "7".parse().expect("valid"));
        for (key, occupied, kind) in [
            (channel(), true, WebhookEvent::ChannelOccupied),
            (channel(), false, WebhookEvent::ChannelVacated),
            (member(), true, WebhookEvent::MemberAdded),
            (member(), false, WebhookEvent::MemberRemoved),
        ] {
            let event = state(key.clone(), occupied);
            assert_eq!(event.kind(), kind);
            assert_eq!(event.state(), Some((&key, occupied)));
            assert_eq!(event.channel().as_str(), "presence-x");
        }
    }

    #[test]
    fn a_client_event_carries_no_state() {
        let event = Event {
            body: EventBody::Client(ClientEvent {
                channel: "private-x".parse().expect("valid"),
                event: "client-a".into(),
                data: "1".into(),
                socket_id: "1.2".parse().expect("valid"),
                user_id: None,
            }),
            at_ms: 0,
        };
        assert_eq!(event.kind(), WebhookEvent::ClientEvent);
        assert_eq!((event.state(), event.channel().as_str()), (None, "private-x"));
    }

    #[test]
    fn the_length_is_that_of_the_json_object() {
        let occupied = state(Key::Channel("my-channel".parse().expect("valid")), true);
        assert_eq!(
            occupied.json_bytes(),
            r#"{"name":"channel_occupied","channel":"my-channel"}"#.len()
        );
        let removed = state(
            Key::Member("presence-x".parse().expect("valid"), "a\"b".parse().expect("valid")),
            false,
        );
        assert_eq!(
            removed.json_bytes(),
            r#"{"name":"member_removed","channel":"presence-x","user_id":"a\"b"}"#.len()
        );
        let client = Event {
            body: EventBody::Client(ClientEvent {
                channel: "presence-x".parse().expect("valid"),
                event: "client-a".into(),
                data: "{\"on\":\n\u{1}}".into(),
                socket_id: "12.34".parse().expect("valid"),
                user_id: Some("7".parse().expect("valid")),
            }),
            at_ms: 0,
        };
        assert_eq!(
            client.json_bytes(),
            r#"{"name":"client_event","channel":"presence-x","event":"client-a","data":"{\"on\":\n\u0001}","socket_id":"12.34","user_id":"7"}"#.len()
        );
    }
}
