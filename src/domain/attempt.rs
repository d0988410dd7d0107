//! Which subscription of a connection to a channel is spoken of.

use super::ChannelName;

/// One of the subscriptions that a connection asked for. What a channel answers reaches the
/// connection's session later, when it may have ended that subscription and asked again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The channel.
    pub channel: ChannelName,
    /// Which of the connection's subscriptions.
    pub number: u32,
}
