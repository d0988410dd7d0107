//! What one app may do (PROTOCOL.md section 7).

use super::{
    channel_name::{ChannelName, ChannelNameError},
    event_name::{EventName, EventNameError},
    limits::{
        BATCH_EVENTS_MAX, CHANNEL_NAME_BYTES_MAX, CLIENT_EVENTS_PER_SECOND, CLIENT_MESSAGE_BYTES_MAX, ESCAPED_BYTES,
        EVENT_DATA_BYTES_MAX, EVENT_NAME_CHARS_MAX, REQUEST_BODY_BYTES_CEILING, REQUEST_BODY_BYTES_MAX,
        SUBSCRIPTIONS_PER_CONNECTION_MAX, TRIGGER_CHANNELS_MAX, USER_ID_CHARS_MAX, USER_INFO_BYTES_MAX,
    },
    member::{UserId, UserIdError},
};

/// Bytes of a message besides those that the limits are about: field names, an `auth`, an idempotency key.
const ENVELOPE_BYTES: usize = 4_096;

/// The limits of one app. Unless set otherwise they are Pusher's, and ours where Pusher has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppLimits {
    /// Longest data of an event, in bytes of the decoded string: 10,240. Longer data is refused,
    /// over HTTP with 413, from a client with code 4301.
    pub event_data_bytes: usize,
    /// Longest name of an event, in characters: 200. An event with a longer one is refused, over
    /// HTTP with 400.
    pub event_name_chars: usize,
    /// Longest name of a channel with its prefix, in bytes: 164. A subscription or a publish to a
    /// longer one is refused.
    pub channel_name_bytes: usize,
    /// Most channels that one publish names: 100. One that names more is refused with 400, whole.
    pub trigger_channels: usize,
    /// Most events in one batch: 10. A larger batch is refused with 400, whole.
    pub batch_events: usize,
    /// Most distinct users in one presence channel: 100. A further user's subscription is refused;
    /// a user who is in may always come in with a further connection.
    pub presence_members: usize,
    /// Longest id of a user, in characters: 128. A subscription or sign-in with a longer one is
    /// refused.
    pub user_id_chars: usize,
    /// Longest `user_info` of a user, in bytes of JSON: 1,024. A subscription or sign-in with a
    /// longer one is refused.
    pub user_info_bytes: usize,
    /// Client events that one connection may send in a second: 10; it may save up as many. What
    /// comes faster is refused with code 4301.
    pub client_events_per_second: u32,
    /// Most users that one connection watches: 100. Of a longer watchlist the first ones count,
    /// and the client is told with code 4302.
    pub watchlist_users: usize,
    /// Most connections at once; none means no limit of the app's own. A further connection is
    /// closed with 4004.
    pub connections: Option<usize>,
    /// Most subscriptions that one connection holds: 10,000. A further one is refused.
    pub subscriptions_per_connection: usize,
    /// Subscribe and unsubscribe commands that one connection may send in a second, steadily: 200.
    /// A faster connection is not read until it may again.
    pub commands_per_second: u32,
    /// Such commands that one connection may send at once after a pause: 2,000.
    pub commands_burst: u32,
    /// Most channels at once that need a signature, and most of all kinds together: 100,000. A subscription
    /// that would begin one more is refused.
    pub channels: usize,
    /// Public channels that may begin per second, and at once after a pause: 200 and 50,000; `None` means no
    /// limit. A subscription that would begin one more is refused.
    pub public_channels: Option<Pace>,
    /// Subscriptions to public channels per second, and at once after a pause: 20,000 and 500,000. One more
    /// is refused.
    pub public_subscriptions: Option<Pace>,
    /// Most bytes of cached events, with what it takes to hold them: 64 MiB. Beyond it the events
    /// that expire first are forgotten.
    pub cached_bytes: usize,
    /// API calls that its back end may make in a second, and save up as many; none means as many as
    /// it likes. One more is refused with 429.
    pub api_calls_per_second: Option<u32>,
}

/// How often something may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Steadily, per second.
    pub per_second: u32,
    /// At once, after a pause.
    pub burst: u32,
}

impl AppLimits {
    /// Checks a channel name, which is valid in itself.
    ///
    /// # Errors
    /// When it is longer than the app allows.
    pub fn check_channel_name(&self, name: &ChannelName) -> Result<(), ChannelNameError> {
        let (len, limit) = (name.as_str().len(), self.channel_name_bytes);
        if limit < len {
            return Err(ChannelNameError::TooLong { len, limit });
        }
        Ok(())
    }

    /// Checks an event name, which is valid in itself.
    ///
    /// # Errors
    /// When it is longer than the app allows.
    pub fn check_event_name(&self, name: &EventName) -> Result<(), EventNameError> {
        let (len, limit) = (name.as_str().chars().count(), self.event_name_chars);
        if limit < len {
            return Err(EventNameError::TooLong { len, limit });
        }
        Ok(())
    }

    /// Checks a user id, which is valid in itself.
    ///
    /// # Errors
    /// When it is longer than the app allows.
    pub fn check_user_id(&self, id: &UserId) -> Result<(), UserIdError> {
        let (len, limit) = (id.as_str().chars().count(), self.user_id_chars);
        if limit < len {
            return Err(UserIdError::TooLong { len, limit });
        }
        Ok(())
    }

    /// The longest request body, in bytes, at most 64 MB: a full batch, or an event to as many channels as it
    /// may name, with every byte escaped.
    #[must_use]
    pub fn request_body_bytes(&self) -> usize {
        let event = self.event_bytes();
        let batch = event.saturating_mul(self.batch_events);
        let names = (self.channel_name_bytes + 4).saturating_mul(self.trigger_channels);
        let trigger = event.saturating_add(names);
        batch
            .max(trigger)
            .clamp(REQUEST_BODY_BYTES_MAX, REQUEST_BODY_BYTES_CEILING)
    }

    /// The longest message of a client, in bytes: the longest that these limits allow in any notation, at
    /// least 128 KB.
    #[must_use]
    pub fn client_message_bytes(&self) -> usize {
        // The id is in JSON within a JSON string.
        let user = ESCAPED_BYTES * (self.user_info_bytes + 2 * ESCAPED_BYTES * self.user_id_chars) + ENVELOPE_BYTES;
        // The characters of an id need no escape, but the quotes around it do.
        let watchlist = self.watchlist_users.saturating_mul(2 * self.user_id_chars + 16);
        let longest = self.event_bytes().max(user.saturating_add(watchlist));
        longest.max(CLIENT_MESSAGE_BYTES_MAX)
    }

    /// The longest body of a request to `xhr_send`, in bytes: one message with each quote and backslash
    /// escaped again.
    #[must_use]
    pub fn fallback_body_bytes(&self) -> usize {
        let message = 2 * self.client_message_bytes() + ENVELOPE_BYTES;
        message.max(REQUEST_BODY_BYTES_MAX)
    }

    /// The longest event, in bytes, with every byte escaped.
    const fn event_bytes(&self) -> usize {
        // A character outside the basic plane takes two escapes.
        let name = 2 * ESCAPED_BYTES * self.event_name_chars;
        ESCAPED_BYTES * (self.event_data_bytes + self.channel_name_bytes) + name + ENVELOPE_BYTES
    }
}

impl Default for AppLimits {
    fn default() -> Self {
        Self {
            event_data_bytes: EVENT_DATA_BYTES_MAX,
            event_name_chars: EVENT_NAME_CHARS_MAX,
            channel_name_bytes: CHANNEL_NAME_BYTES_MAX,
            trigger_channels: TRIGGER_CHANNELS_MAX,
            batch_events: BATCH_EVENTS_MAX,
            presence_members: 100,
            user_id_chars: USER_ID_CHARS_MAX,
            user_info_bytes: USER_INFO_BYTES_MAX,
            client_events_per_second: CLIENT_EVENTS_PER_SECOND,
            watchlist_users: 100,
            connections: None,
            subscriptions_per_connection: SUBSCRIPTIONS_PER_CONNECTION_MAX,
            commands_per_second: 200,
            commands_burst: 2_000,
            channels: 100_000,
            public_channels: Some(Pace {
                per_second: 200,
                burst: 50_000,
            }),
            public_subscriptions: Some(Pace {
                per_second: 20_000,
                burst: 500_000,
            }),
            cached_bytes: 64 * 1_024 * 1_024,
            api_calls_per_second: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_against_the_apps_own_limits() {
        let limits = AppLimits {
            channel_name_bytes: 3,
            event_name_chars: 3,
            user_id_chars: 3,
            ..AppLimits::default()
        };
        let channel = |raw: &str| limits.check_channel_name(&raw.parse().expect("valid"));
        assert_eq!(channel("abc"), Ok(()));
        assert_eq!(channel("abcd"), Err(ChannelNameError::TooLong { len: 4, limit: 3 }));
        let event = |raw: &str| limits.check_event_name(&raw.parse().expect("valid"));
        assert_eq!(event("żżż"), Ok(()));
        assert_eq!(event("abcd"), Err(EventNameError::TooLong { len: 4, limit: 3 }));
        let user = |raw: &str| limits.check_user_id(&raw.parse().expect("valid"));
        assert_eq!(user("żżż"), Ok(()));
        assert_eq!(user("abcd"), Err(UserIdError::TooLong { len: 4, limit: 3 }));
    }

    #[test]
    fn a_body_holds_a_full_batch() {
        let body = |event_data_bytes, batch_events| {
            let limits = AppLimits {
                event_data_bytes,
                batch_events,
                ..AppLimits::default()
            };
            limits.request_body_bytes()
        };
        assert_eq!(body(10_240, 10), 1_048_576);
        assert_eq!(body(1_000_000, 10), 60_074_800);
        assert_eq!(body(1_000_000, 10_000), 67_108_864);
    }

    #[test]
    fn a_body_holds_an_event_to_as_many_channels_as_it_may_name() {
        let limits = AppLimits {
            batch_events: 1,
            trigger_channels: 10_000,
            ..AppLimits::default()
        };
        assert!(10_000 * (164 + 3) + 10_240 <= limits.request_body_bytes());
    }

    #[test]
    fn a_message_of_a_client_is_as_long_as_any_limit_allows_however_it_is_written() {
        let bytes = |set: fn(&mut AppLimits)| {
            let mut limits = AppLimits::default();
            set(&mut limits);
            (limits.client_message_bytes(), limits.fallback_body_bytes())
        };
        assert_eq!(bytes(|_| ()), (131_072, 1_048_576));
        let (message, body) = bytes(|limits| limits.event_data_bytes = 1_048_576);
        assert!(6 * 1_048_576 < message && 7 * 1_048_576 < body, "{message} {body}");
        let (message, _) = bytes(|limits| limits.user_info_bytes = 65_536);
        assert!(6 * 65_536 < message, "{message}");
        // Each id is in escaped quotes and followed by a comma.
        let (message, _) = bytes(|limits| limits.watchlist_users = 10_000);
        assert!(10_000 * (128 + 5) < message, "{message}");
    }

    #[test]
    fn unless_set_the_limits_are_the_documented_ones() {
        let want = AppLimits {
            event_data_bytes: 10_240,
            event_name_chars: 200,
            channel_name_bytes: 164,
            trigger_channels: 100,
            batch_events: 10,
            presence_members: 100,
            user_id_chars: 128,
            user_info_bytes: 1_024,
            client_events_per_second: 10,
            watchlist_users: 100,
            connections: None,
            subscriptions_per_connection: 10_000,
            commands_per_second: 200,
            commands_burst: 2_000,
            channels: 100_000,
            public_channels: Some(Pace {
                per_second: 200,
                burst: 50_000,
            }),
            public_subscriptions: Some(Pace {
                per_second: 20_000,
                burst: 500_000,
            }),
            cached_bytes: 67_108_864,
            api_calls_per_second: None,
        };
        assert_eq!(AppLimits::default(), want);
    }
}
