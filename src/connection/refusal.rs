//! Every reason to refuse a subscription, and the one way to tell its client.

use super::member_data::MemberDataError;
use crate::{
    app::Mistake,
    protocol::{ServerMessage, SubscribeError, SubscriptionErrorType},
    signature::subscription::SubscriptionAuthError,
};

/// The log text for an invalid signature.
pub(super) const NOT_SIGNED: &str = "Invalid signature: it was made with another secret, or for another connection";

/// Why a subscription is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SubscriptionRefused {
    /// For the request itself.
    #[error(transparent)]
    Request(#[from] SubscribeError),
    /// For its `auth`.
    #[error(transparent)]
    Auth(#[from] SubscriptionAuthError),
    /// For its `channel_data`, which the application signed.
    #[error(transparent)]
    Member(#[from] MemberDataError),
}

impl SubscriptionRefused {
    /// The messages to the client, in order.
    pub(super) fn texts(&self, channel: &str) -> [String; 2] {
        let text = self.to_string();
        ServerMessage::refused_subscription(channel, self.kind(), &text).map(|message| message.encode())
    }

    /// The log entry. It leaves out the signed text, which holds personal data.
    pub(super) fn mistake(&self, channel: &str) -> Mistake {
        let (reason, setting) = match self {
            Self::Request(error) => (error.to_string(), error.setting()),
            Self::Auth(SubscriptionAuthError::Signature { .. }) => (NOT_SIGNED.to_owned(), None),
            Self::Auth(error) => (error.to_string(), None),
            Self::Member(error) => (error.to_string(), error.setting()),
        };
        let reason = format!("subscription to {channel}: {reason}");
        Mistake { reason, setting }
    }

    const fn kind(&self) -> SubscriptionErrorType {
        match self {
            Self::Request(error) => error.kind(),
            Self::Auth(_) => SubscriptionErrorType::AuthError,
            Self::Member(error) => error.kind(),
        }
    }
}
