//! Questions to the ledger and their answers.

use crate::domain::{AppId, ChannelName, UserId};

/// A question about what is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// The channels of an app that are told occupied.
    ToldPage {
        /// The app.
        app: AppId,
        /// What their names begin with; empty for all.
        prefix: String,
        /// The name after which the page begins.
        after: Option<String>,
        /// Most channels in the page.
        limit: usize,
    },
    /// One channel of an app, with its users.
    ToldChannel {
        /// The app.
        app: AppId,
        /// The channel.
        channel: ChannelName,
    },
    /// How much is not yet answered.
    Unanswered,
}

/// The answer to a [`Query`], in the variant of the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum View {
    /// Channels that are told occupied.
    ToldPage(ToldPage),
    /// One channel.
    ToldChannel(ToldChannel),
    /// Events that wait in the queues or are under way.
    Unanswered(usize),
}

/// What was told of a key that is occupied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// The number of the change.
    pub seq: u64,
    /// Since when, in milliseconds since 1970.
    pub since_ms: u64,
}

/// A page of the told list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToldPage {
    /// The channels, in the order of their names.
    pub channels: Vec<(ChannelName, Told)>,
    /// The `after` of the next page, when there is more.
    pub next: Option<ChannelName>,
}

/// What is told of one channel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToldChannel {
    /// The channel itself, when it is told occupied.
    pub told: Option<Told>,
    /// Its users that are told added, in the order of their ids.
    pub users: Vec<(UserId, Told)>,
}
