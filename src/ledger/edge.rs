//! What channels and users report: that a key was entered first or left last, and what happened there.

use crate::domain::{ChannelName, Now, UserId, WebhookEvent};

use super::event::Stateless;

/// What has an occupancy: a channel, a user in a presence channel, or a signed-in user.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// A channel.
    Channel(ChannelName),
    /// A user in a presence channel.
    Member(ChannelName, UserId),
    /// A signed-in user.
    User(UserId),
}

impl Key {
    /// The channel that the key is about, if it is about one.
    #[must_use]
    pub const fn channel(&self) -> Option<&ChannelName> {
        match self {
            Self::Channel(channel) | Self::Member(channel, _) => Some(channel),
            Self::User(_) => None,
        }
    }

    /// The kinds of event that tell of it: that it is occupied, and that it is vacant.
    #[must_use]
    pub const fn kinds(&self) -> (WebhookEvent, WebhookEvent) {
        match self {
            Self::Channel(_) => (WebhookEvent::ChannelOccupied, WebhookEvent::ChannelVacated),
            Self::Member(..) => (WebhookEvent::MemberAdded, WebhookEvent::MemberRemoved),
            Self::User(_) => (WebhookEvent::UserOnline, WebhookEvent::UserOffline),
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

/// One thing that is reported, in the order in which it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observed {
    /// An edge, from which the occupancy decides whether anything is told.
    Edge(Edge),
    /// Something that carries no state and is told as it is.
    Stateless(Stateless, Now),
}

impl Observed {
    /// When the channel saw it.
    #[must_use]
    pub const fn at(&self) -> Now {
        match self {
            Self::Edge(edge) => edge.at,
            Self::Stateless(_, at) => *at,
        }
    }
}
