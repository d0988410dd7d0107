//! What channels report: that a key was entered first or left last, and what happened there.

use crate::domain::{ChannelName, Now, UserId};

use super::event::ClientEvent;

/// What has an occupancy: a channel, or a user in a presence channel.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// A channel.
    Channel(ChannelName),
    /// A user in a presence channel.
    Member(ChannelName, UserId),
}

impl Key {
    /// The channel that the key is about.
    #[must_use]
    pub const fn channel(&self) -> &ChannelName {
        match self {
            Self::Channel(channel) | Self::Member(channel, _) => channel,
        }
    }
}

/// A key was entered by its first subscription, or left by its last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// Which.
    pub key: Key,
    /// Entered, or left.
    pub entered: bool,
    /// When the channel saw it.
    pub at: Now,
}

/// One thing that a channel reports, in the order in which it saw them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observed {
    /// An edge, from which the occupancy decides whether anything is told.
    Edge(Edge),
    /// A client event, which is told as it is.
    Client(ClientEvent, Now),
}

impl Observed {
    /// When the channel saw it.
    #[must_use]
    pub const fn at(&self) -> Now {
        match self {
            Self::Edge(edge) => edge.at,
            Self::Client(_, at) => *at,
        }
    }
}
