//! How much of a queue goes into one request.

use crate::domain::{ChannelKind, ChannelName};

use super::event::Event;

/// What bounds one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CutLimits {
    /// Most events; 1 or more.
    pub events_max: usize,
    /// Most bytes of the body; a single larger event still goes, alone.
    pub body_bytes_max: usize,
    /// Whether events carry the keys that are ours.
    pub extras: bool,
}

/// The bytes of a body besides its events: `{"time_ms":…,"events":[…]}`.
const FRAME_BYTES: usize = r#"{"time_ms":1700000000000,"events":[]}"#.len();

/// Tells how many events from the front of a queue make the next request; 0 of an empty queue.
///
/// An event of a `private-encrypted-` channel goes in a request of its own, because some SDK
/// helpers refuse a whole batch that holds one. Nothing is overtaken.
pub fn cut<'a>(queue: impl IntoIterator<Item = &'a Event>, limits: CutLimits) -> usize {
    let mut bytes = FRAME_BYTES;
    let mut taken = 0;
    for event in queue {
        let is_encrypted = |channel: &ChannelName| channel.kind() == ChannelKind::PrivateEncrypted;
        let alone = event.channel().is_some_and(is_encrypted);
        if 0 < taken {
            bytes += ",".len();
        }
        bytes += event.json_bytes(limits.extras);
        let full = limits.events_max <= taken || limits.body_bytes_max < bytes;
        if 0 < taken && (full || alone) {
            break;
        }
        taken += 1;
        if alone {
            break;
        }
    }
    taken
}

/// The length of a body with these events.
#[must_use]
pub fn body_bytes<'a>(events: impl IntoIterator<Item = &'a Event>, extras: bool) -> usize {
    let (count, bytes) = events
        .into_iter()
        .fold((0_usize, FRAME_BYTES), |(count, bytes), event| {
            (count + 1, bytes + event.json_bytes(extras))
        });
    bytes + count.saturating_sub(1) * ",".len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{EventBody, Key};

    fn events(channels: &[&str]) -> Vec<Event> {
        let event = |channel: &&str| Event {
            id: crate::ledger::EventId(1),
            body: EventBody::State {
                key: Key::Channel(channel.parse().expect("valid")),
                occupied: true,
                seq: 1,
            },
            at_ms: 0,
        };
        channels.iter().map(event).collect()
    }

    #[track_caller]
    fn check(channels: &[&str], events_max: usize, body_bytes_max: usize, want: usize) {
        let limits = CutLimits {
            events_max,
            body_bytes_max,
            extras: false,
        };
        assert_eq!(cut(&events(channels), limits), want, "{channels:?}");
    }

    #[test]
    fn a_request_holds_at_most_the_events_allowed() {
        check(&[], 2, 10_000, 0);
        check(&["a"], 2, 10_000, 1);
        check(&["a", "b"], 2, 10_000, 2);
        check(&["a", "b", "c"], 2, 10_000, 2);
        check(&["a", "b", "c"], 1, 10_000, 1);
    }

    #[test]
    fn a_request_holds_at_most_the_bytes_allowed_but_always_one_event() {
        let two = r#"{"time_ms":1700000000000,"events":[{"name":"channel_occupied","channel":"a"},{"name":"channel_occupied","channel":"b"}]}"#;
        check(&["a", "b", "c"], 100, two.len(), 2);
        check(&["a", "b", "c"], 100, two.len() - 1, 1);
        check(&["a", "b"], 100, 1, 1);
        let third = r#",{"name":"channel_occupied","channel":"c"}"#.len();
        check(&["a", "b", "c", "d"], 100, two.len() + third, 3);
        check(&["a", "b", "c", "d"], 100, two.len() + third - 1, 2);
    }

    #[test]
    fn an_event_of_an_encrypted_channel_goes_alone_and_overtakes_nothing() {
        check(&["private-encrypted-x", "a"], 100, 10_000, 1);
        check(&["a", "b", "private-encrypted-x", "c"], 100, 10_000, 2);
        check(&["private-encrypted-x", "private-encrypted-x"], 100, 10_000, 1);
    }
}
