//! Why a subscription is refused, whatever the reason, and the one way in which its client is told.

use super::member_data::MemberDataError;
use crate::{
    protocol::{ServerMessage, SubscribeError, SubscriptionErrorType},
    signature::subscription::SubscriptionAuthError,
};

/// Why a subscription is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SubscriptionRefused {
    /// For what was asked.
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
    /// The texts that tell the client, in their order.
    pub(super) fn texts(&self, channel: &str) -> [String; 2] {
        let text = self.to_string();
        ServerMessage::refused_subscription(channel, self.kind(), &text).map(|message| message.encode())
    }

    const fn kind(&self) -> SubscriptionErrorType {
        match self {
            Self::Request(error) => error.kind(),
            Self::Auth(_) => SubscriptionErrorType::AuthError,
            Self::Member(error) => error.kind(),
        }
    }
}
