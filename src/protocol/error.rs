//! What a client is told in a `pusher:error` while its connection stays open.

use super::{json_value::ValueError, server_message::SubscriptionErrorType};
use crate::domain::{ChannelName, ChannelNameError, EventNameError};

/// Why a subscription is refused, except for what its application signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubscribeError {
    /// The name of the channel is not allowed.
    #[error("Invalid channel name: {0}")]
    ChannelName(#[from] ChannelNameError),
    /// A field is not what it must be.
    #[error("{0}")]
    Value(#[from] ValueError),
    /// The connection has reached its limit of subscriptions.
    #[error("Connection has {0} subscriptions, which is the limit")]
    TooManySubscriptions(usize),
    /// A presence subscription has no `channel_data`.
    #[error("{0} is a presence channel and subscription must include channel_data")]
    MissingChannelData(ChannelName),
    /// The channel is another user's, or this connection is not signed in.
    #[error("Connection is not signed in as the user of channel {0}")]
    NotThatUser(ChannelName),
    /// The presence channel has reached its limit of users.
    #[error("Presence channel {channel} has {limit} members, which is the limit")]
    ChannelFull {
        /// The channel.
        channel: ChannelName,
        /// Most users of a channel.
        limit: usize,
    },
    /// The app has reached its limit of channels.
    #[error("App has {0} channels, which is the limit")]
    TooManyChannels(usize),
    /// Public channels of the app begin too fast.
    #[error("Subscription rejected due to rate limit: too many public channels begin")]
    PublicChannelRate,
    /// Public channels of the app are subscribed to too fast.
    #[error("Subscription rejected due to rate limit: too many subscriptions to public channels")]
    PublicSubscriptionRate,
}

impl SubscribeError {
    /// The configuration key that decides, if one does.
    #[must_use]
    pub const fn setting(&self) -> Option<&'static str> {
        match self {
            Self::ChannelName(ChannelNameError::TooLong { .. }) => Some("limits.channel_name"),
            Self::TooManySubscriptions(_) => Some("limits.subscriptions_per_connection"),
            Self::ChannelFull { .. } => Some("limits.presence_members"),
            Self::TooManyChannels(_) => Some("limits.channels"),
            Self::PublicChannelRate => Some("limits.public_channels_per_second"),
            Self::PublicSubscriptionRate => Some("limits.public_subscriptions_per_second"),
            Self::ChannelName(ChannelNameError::Empty | ChannelNameError::Forbidden(_))
            | Self::Value(_)
            | Self::MissingChannelData(_)
            | Self::NotThatUser(_) => None,
        }
    }

    /// The class of the refusal.
    #[must_use]
    pub const fn kind(&self) -> SubscriptionErrorType {
        match self {
            Self::ChannelName(ChannelNameError::TooLong { .. }) => SubscriptionErrorType::NameTooLong,
            Self::ChannelName(ChannelNameError::Empty | ChannelNameError::Forbidden(_)) | Self::Value(_) => {
                SubscriptionErrorType::InvalidRequest
            }
            Self::MissingChannelData(_) | Self::NotThatUser(_) => SubscriptionErrorType::AuthError,
            Self::TooManySubscriptions(_)
            | Self::ChannelFull { .. }
            | Self::TooManyChannels(_)
            | Self::PublicChannelRate
            | Self::PublicSubscriptionRate => SubscriptionErrorType::LimitReached,
        }
    }
}

/// A refusal that leaves the connection open (PROTOCOL.md sections 1.9 and 3).
///
/// The texts are the hosted service's where they are known. The code is null unless the service
/// documents one, because some clients disconnect on any code from 4000 to 4299.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// The channel is subscribed on this connection already.
    #[error("Existing subscription to channel {0}")]
    AlreadySubscribed(ChannelName),
    /// The channel is not subscribed on this connection.
    #[error("No current subscription to channel {0}, or subscription in progress")]
    NotSubscribed(ChannelName),
    /// A name is longer than the app allows.
    #[error("Invalid client event: {0}")]
    EventName(EventNameError),
    /// The connection is signed in as another user.
    #[error("Connection is signed in already, as another user")]
    SignedInAsAnother,
    /// The watchlist is over the limit: only the first of its users are watched.
    #[error("Watchlist limit exceeded, only the first {limit} ids are watched: {accepted}")]
    WatchlistCut {
        /// How many are watched.
        limit: usize,
        /// Who.
        accepted: String,
    },
    /// The app has client events switched off.
    #[error(
        "To send client events, you must enable this feature: client_events of the app in the configuration of the server"
    )]
    ClientEventsOff,
    /// The client sent an event to a channel that takes none from clients.
    #[error("Client events are only allowed on private and presence channels, not on {0}")]
    ClientEventOnPublicChannel(ChannelName),
    /// The client sent an event to a channel that it has not joined.
    #[error("Cannot broadcast client event (connection not subscribed to channel {0})")]
    ClientEventNotSubscribed(ChannelName),
    /// The client sends events too fast.
    #[error("Client event rejected due to rate limit")]
    ClientEventRate,
    /// The server has too many bytes waiting to be written out.
    #[error("Client event rejected because the server is over capacity, try again")]
    OverCapacity,
    /// The data of a client event is too long.
    #[error("Client event data is {len} bytes, limit is {limit}")]
    ClientEventTooLarge {
        /// Its length in bytes.
        len: usize,
        /// The most that is allowed.
        limit: usize,
    },
}

impl ProtocolError {
    /// The configuration key that decides, if one does.
    #[must_use]
    pub const fn setting(&self) -> Option<&'static str> {
        match self {
            Self::ClientEventRate => Some("limits.client_events_per_second"),
            Self::ClientEventTooLarge { .. } => Some("limits.event_data"),
            Self::EventName(EventNameError::TooLong { .. }) => Some("limits.event_name"),
            Self::WatchlistCut { .. } => Some("limits.watchlist"),
            Self::ClientEventsOff => Some("client_events"),
            Self::OverCapacity => Some("server.publish_backlog"),
            Self::EventName(EventNameError::Empty)
            | Self::AlreadySubscribed(_)
            | Self::NotSubscribed(_)
            | Self::SignedInAsAnother
            | Self::ClientEventOnPublicChannel(_)
            | Self::ClientEventNotSubscribed(_) => None,
        }
    }

    /// The code in the `pusher:error`, for the few that document one.
    #[must_use]
    pub const fn code(&self) -> Option<u16> {
        match self {
            Self::ClientEventRate | Self::OverCapacity | Self::ClientEventTooLarge { .. } => Some(4301),
            Self::WatchlistCut { .. } => Some(4302),
            Self::AlreadySubscribed(_)
            | Self::NotSubscribed(_)
            | Self::EventName(_)
            | Self::SignedInAsAnother
            | Self::ClientEventsOff
            | Self::ClientEventOnPublicChannel(_)
            | Self::ClientEventNotSubscribed(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(error: &ProtocolError, code: Option<u16>, text: &str) {
        assert_eq!((error.code(), error.to_string().as_str()), (code, text));
    }

    #[test]
    fn the_texts_are_the_hosted_services() {
        let room: ChannelName = "private-room".parse().expect("valid");
        check(
            &ProtocolError::AlreadySubscribed(room.clone()),
            None,
            "Existing subscription to channel private-room",
        );
        check(
            &ProtocolError::NotSubscribed(room.clone()),
            None,
            "No current subscription to channel private-room, or subscription in progress",
        );
        check(
            &ProtocolError::ClientEventNotSubscribed(room.clone()),
            None,
            "Cannot broadcast client event (connection not subscribed to channel private-room)",
        );
        assert_eq!(
            SubscribeError::MissingChannelData(room.clone()).to_string(),
            "private-room is a presence channel and subscription must include channel_data",
        );
        check(
            &ProtocolError::ClientEventsOff,
            None,
            "To send client events, you must enable this feature: client_events of the app in the configuration of the server",
        );
        assert_eq!(ProtocolError::ClientEventOnPublicChannel(room).code(), None);
    }

    #[test]
    fn only_refused_client_events_and_a_cut_watchlist_carry_a_code() {
        check(
            &ProtocolError::WatchlistCut {
                limit: 2,
                accepted: "a, b".into(),
            },
            Some(4302),
            "Watchlist limit exceeded, only the first 2 ids are watched: a, b",
        );
        assert_eq!(ProtocolError::SignedInAsAnother.code(), None);
        check(
            &ProtocolError::ClientEventRate,
            Some(4301),
            "Client event rejected due to rate limit",
        );
        check(
            &ProtocolError::ClientEventTooLarge { len: 11, limit: 10 },
            Some(4301),
            "Client event data is 11 bytes, limit is 10",
        );
        assert_eq!(ProtocolError::OverCapacity.code(), Some(4301));
    }
}
