//! Channels, as they were told and as they are.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Endpoint, Event};
use crate::ledger::{KeyState, KeyView};

/// Some apps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Apps {
    /// By id.
    pub apps: Vec<App>,
}

/// An app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct App {
    /// Its id.
    pub id: String,
    /// Its connections.
    pub connections: usize,
    /// Its channels with subscribers.
    pub channels: usize,
}

/// A page of channels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChannelList {
    /// The channels that are told occupied or have subscribers, by app and name.
    pub channels: Vec<Channel>,
    /// The `after` of the next page; null at the end.
    pub next: Option<String>,
}

/// A channel, as it was told and as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Channel {
    /// The app.
    pub app: String,
    /// Its name.
    pub channel: String,
    /// Whether it is told occupied.
    pub told: bool,
    /// The number of that change.
    pub seq: Option<u64>,
    /// When that was, in milliseconds since 1970.
    pub since_ms: Option<u64>,
    /// Connections that are subscribed now.
    pub subscriptions: usize,
    /// Distinct users now; 0 except on presence channels.
    pub users: usize,
}

/// All that is known of a channel, and in words why its webhooks came or did not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Why {
    /// The app.
    pub app: String,
    /// The channel.
    pub channel: String,
    /// Why webhooks came or did not, in sentences.
    pub answer: Vec<String>,
    /// What the ledger knows of it.
    pub state: State,
    /// What it knows of its users.
    pub users: Vec<User>,
    /// Who is there now.
    pub live: Members,
    /// The endpoints of the app, and whether they ask for it.
    pub endpoints: Vec<Asking>,
    /// The last events, the newest first.
    pub events: Vec<Happened>,
}

/// What the ledger knows of a channel or a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = KeyState)]
pub struct State {
    /// `vacant`, `occupied`, `pending` (left, and told vacated at `until_ms`) or `recovering`
    /// (occupied before the server started, and told vacated at `until_ms`, unless somebody comes
    /// back).
    pub state: StateName,
    /// When it is told vacated, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
    /// The number of its last change.
    pub seq: Option<u64>,
    /// When that was, in milliseconds since 1970.
    pub since_ms: Option<u64>,
    /// How often it was left and entered again within the vacated delay, since the server started.
    pub flaps: u64,
    /// When that was last, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flapped_ms: Option<u64>,
}

/// The name of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StateName {
    /// Nobody is there.
    Vacant,
    /// Somebody is there.
    Occupied,
    /// The last one has left a moment ago.
    Pending,
    /// It was occupied before the server started.
    Recovering,
}

/// A user of a presence channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = UserState)]
pub struct User {
    /// The user.
    pub user_id: String,
    /// What the ledger knows.
    #[serde(flatten)]
    pub state: State,
}

/// Who is in a channel now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Members {
    /// Connections that are subscribed.
    pub subscriptions: usize,
    /// Distinct users; 0 except on presence channels.
    pub users: usize,
    /// The worker threads that they are on.
    pub workers: Vec<Worker>,
}

/// A worker thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Worker {
    /// Its place among them, from 0.
    pub worker: u16,
    /// Connections of it that are subscribed.
    pub subscriptions: usize,
}

/// Whether an endpoint asks for a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Asking {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// The kinds of event of this channel that it is told.
    pub told: Vec<String>,
    /// Why it is not told of the channel's coming and going.
    pub not_because: Option<String>,
}

/// An event of a channel with what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Happened {
    /// The event.
    pub event: Event,
    /// When it was decided, in milliseconds since 1970; null when the log has that no more.
    pub decided_ms: Option<u64>,
    /// The attempts to deliver it, the newest first.
    pub attempts: Vec<Delivery>,
    /// Where it was parked.
    pub parked: Vec<Parked>,
}

/// An attempt to deliver an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Delivery {
    /// When it was written down, in milliseconds since 1970.
    pub at_ms: u64,
    /// The endpoint.
    pub endpoint: String,
    /// The request: `msg_…`.
    pub request: String,
    /// Which attempt it was; the first is 1.
    pub attempt: u32,
    /// Whether an operator asked for it.
    pub replay: bool,
    /// The status that was answered, if one was.
    pub status: Option<u16>,
    /// Why it failed; null when it was delivered.
    pub error: Option<String>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// When it is tried again, in milliseconds since 1970.
    pub next_at_ms: Option<u64>,
}

/// An event that an endpoint is not told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Parked {
    /// When it was parked, in milliseconds since 1970.
    pub at_ms: u64,
    /// The endpoint.
    pub endpoint: String,
    /// Why.
    pub because: String,
}

impl State {
    pub(in crate::http::admin) fn new(view: &KeyView) -> Self {
        let (state, until_ms) = match view.state {
            KeyState::Vacant => (StateName::Vacant, None),
            KeyState::Occupied => (StateName::Occupied, None),
            KeyState::Pending { until_ms } => (StateName::Pending, Some(until_ms)),
            KeyState::Recovering { until_ms } => (StateName::Recovering, until_ms),
        };
        Self {
            state,
            until_ms,
            seq: view.seq,
            since_ms: view.since_ms,
            flaps: view.flaps,
            flapped_ms: view.flapped_ms,
        }
    }
}
