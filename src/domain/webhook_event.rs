//! The names of webhook events, as an endpoint asks for them and as they stand in a body.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The kind of a webhook event (PROTOCOL.md section 6.4). It is stored by its name on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookEvent {
    /// A channel got its first subscriber.
    ChannelOccupied,
    /// A channel has had no subscriber for the vacated delay.
    ChannelVacated,
    /// A user joined a presence channel with a first connection.
    MemberAdded,
    /// A user has had no connection in a presence channel for the vacated delay.
    MemberRemoved,
    /// A client sent an event to a private or presence channel.
    ClientEvent,
    /// A subscriber found nothing cached in a cache channel.
    CacheMiss,
    /// The number of subscribers of a channel changed.
    SubscriptionCount,
    /// A signed-in user got a first connection. Of our own.
    UserOnline,
    /// A signed-in user has had no connection for the vacated delay. Of our own.
    UserOffline,
}

/// A text that names no webhook event.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such webhook event")]
pub struct WebhookEventError;

impl WebhookEvent {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 9] = [
        Self::ChannelOccupied,
        Self::ChannelVacated,
        Self::MemberAdded,
        Self::MemberRemoved,
        Self::ClientEvent,
        Self::CacheMiss,
        Self::SubscriptionCount,
        Self::UserOnline,
        Self::UserOffline,
    ];

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ChannelOccupied => "channel_occupied",
            Self::ChannelVacated => "channel_vacated",
            Self::MemberAdded => "member_added",
            Self::MemberRemoved => "member_removed",
            Self::ClientEvent => "client_event",
            Self::CacheMiss => "cache_miss",
            Self::SubscriptionCount => "subscription_count",
            Self::UserOnline => "user_online",
            Self::UserOffline => "user_offline",
        }
    }
}

impl FromStr for WebhookEvent {
    type Err = WebhookEventError;

    fn from_str(raw: &str) -> Result<Self, WebhookEventError> {
        Self::ALL
            .into_iter()
            .find(|event| event.as_str() == raw)
            .ok_or(WebhookEventError)
    }
}

impl fmt::Display for WebhookEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_are_those_on_the_wire() {
        assert_eq!(
            WebhookEvent::ALL.map(WebhookEvent::as_str),
            [
                "channel_occupied",
                "channel_vacated",
                "member_added",
                "member_removed",
                "client_event",
                "cache_miss",
                "subscription_count",
                "user_online",
                "user_offline",
            ]
        );
    }

    #[test]
    fn every_event_reads_back_from_its_name() {
        for event in WebhookEvent::ALL {
            assert_eq!(event.to_string().parse(), Ok(event));
            let stored = serde_json::to_string(&event).expect("a name");
            assert_eq!(stored, format!("\"{event}\""));
            assert_eq!(serde_json::from_str::<WebhookEvent>(&stored).expect("a name"), event);
        }
        assert_eq!("channel_opened".parse::<WebhookEvent>(), Err(WebhookEventError));
    }
}
