//! Questions to the ledger and their answers.

use crate::domain::{AppId, ChannelName, EndpointId, UserId};

use super::{
    breaker::BreakerState,
    log::{DeadPage, DeadQuery, EventRef, LogPage, LogQuery},
    window::{Mode, RequestId},
};

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
    /// The signed-in users of an app that are told online.
    ToldUsers {
        /// The app.
        app: AppId,
        /// What their ids begin with; empty for all.
        prefix: String,
        /// The id after which the page begins.
        after: Option<String>,
        /// Most users in the page.
        limit: usize,
    },
    /// One channel of an app, with its users.
    ToldChannel {
        /// The app.
        app: AppId,
        /// The channel.
        channel: ChannelName,
    },
    /// One channel of an app, with all that decides whether its changes are told.
    Channel {
        /// The app.
        app: AppId,
        /// The channel.
        channel: ChannelName,
    },
    /// How much is not yet answered.
    Unanswered,
    /// Every endpoint with its queue.
    Endpoints,
    /// Lines of the delivery log.
    Log(LogQuery),
    /// Dead letters.
    DeadLetters(DeadQuery),
    /// How the ledger itself is.
    Status,
}

/// The answer to a [`Query`], in the variant of the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum View {
    /// Channels that are told occupied.
    ToldPage(ToldPage<ChannelName>),
    /// Users that are told online.
    ToldUsers(ToldPage<UserId>),
    /// One channel.
    ToldChannel(ToldChannel),
    /// One channel.
    Channel(ChannelView),
    /// Events that wait in the queues or are under way.
    Unanswered(usize),
    /// Every endpoint, by app and id.
    Endpoints(Vec<EndpointView>),
    /// Lines of the log.
    Log(LogPage),
    /// Dead letters.
    DeadLetters(DeadPage),
    /// How the ledger is.
    Status(LedgerStatus),
}

/// What is known of a channel, told or not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChannelView {
    /// The channel itself.
    pub channel: KeyView,
    /// Its users that are not vacant, in the order of their ids.
    pub users: Vec<(UserId, KeyView)>,
    /// The endpoints for which events of the channel wait, and what each waits for.
    pub waits: Vec<(EndpointId, WaitView)>,
}

/// What is known of a key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeyView {
    /// Its state.
    pub state: KeyState,
    /// The number of its last change; none when nothing is known of it.
    pub seq: Option<u64>,
    /// When that was, in milliseconds since 1970.
    pub since_ms: Option<u64>,
    /// How often it was left and entered again within the vacated delay since the server started,
    /// which makes no event.
    pub flaps: u64,
    /// When that was last, in milliseconds since 1970.
    pub flapped_ms: Option<u64>,
}

/// The state of a key (DESIGN.md section 5).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum KeyState {
    /// Nobody is there.
    #[default]
    Vacant,
    /// Somebody is there.
    Occupied,
    /// The last one has left; it is told vacated then, in milliseconds since 1970.
    Pending {
        /// When.
        until_ms: u64,
    },
    /// It was occupied before the server started; it is told vacated then unless somebody comes
    /// back, in milliseconds since 1970. None: the listener does not accept yet.
    Recovering {
        /// When.
        until_ms: Option<u64>,
    },
}

/// An endpoint with its queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointView {
    /// The app.
    pub app: AppId,
    /// Its id.
    pub id: EndpointId,
    /// Whether it is delivered to.
    pub mode: Mode,
    /// Its breaker.
    pub breaker: BreakerState,
    /// How many requests may be under way.
    pub lanes: u32,
    /// Events that wait or are under way.
    pub queued: usize,
    /// What they cost, in bytes, by our own sum.
    pub queued_bytes: usize,
    /// When the oldest of them was stored, in milliseconds since 1970.
    pub oldest_ms: Option<u64>,
    /// Requests that are under way.
    pub under_way: usize,
    /// When a request that failed is tried again, in milliseconds since 1970; the earliest.
    pub retry_ms: Option<u64>,
    /// Set from a failed attempt until each lane that failed has had a success.
    pub failing: Option<FailingView>,
    /// Requests that were set aside, which hold up nothing but their own channels.
    pub aside: Vec<AsideView>,
    /// Most bytes of a body, when it answered 413 to a larger one than it is set to get.
    pub body_bytes_max: Option<usize>,
    /// Dead letters that are kept.
    pub dead_letters: u64,
    /// What happened since the server started.
    pub counts: Counts,
}

/// A failing endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailingView {
    /// Since when, in milliseconds since 1970; not before the server started.
    pub since_ms: u64,
    /// Attempts that have failed since then.
    pub attempts: u32,
    /// When the last of them failed, in milliseconds since 1970.
    pub last_ms: u64,
    /// Why it failed.
    pub error: String,
    /// The requests that hold up the failing lanes, at most one each.
    pub requests: Vec<WaitView>,
}

/// A request for which other events of its lane wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitView {
    /// Its id; `None` while it is being cut again.
    pub request: Option<RequestId>,
    /// Its first event.
    pub event: EventRef,
    /// How many events it holds.
    pub events: usize,
    /// How often it was attempted under this id.
    pub attempts: u32,
    /// Whether it was set aside.
    pub is_aside: bool,
    /// When it is tried, in milliseconds since 1970; `None` while it is under way.
    pub next_ms: Option<u64>,
    /// Events that wait behind it.
    pub waiting: usize,
}

/// A request that was set aside: the endpoint refused it again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsideView {
    /// Its id; none while it is cut anew.
    pub request: Option<RequestId>,
    /// Its event.
    pub event: EventRef,
    /// Since when it is aside, in milliseconds since 1970.
    pub since_ms: u64,
    /// How often it was attempted under this id.
    pub attempts: u32,
    /// What the endpoint answered last.
    pub status: u16,
    /// When it is tried again, in milliseconds since 1970; none: it is under way or waits for the lane.
    pub retry_ms: Option<u64>,
    /// Events that wait behind it.
    pub waiting: usize,
}

/// What happened to an endpoint's events since the server started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events put into its queue.
    pub created: u64,
    /// Events answered 2xx.
    pub delivered: u64,
    /// Attempts answered 2xx.
    pub attempts_delivered: u64,
    /// Attempts that failed.
    pub attempts_failed: u64,
    /// Events parked.
    pub parked: u64,
    /// Events that vanished in pairs, by `compact` or at the bound.
    pub compacted: u64,
    /// Events without state that were dropped at the bound.
    pub dropped: u64,
    /// Keys it asks for that were left and entered again within the vacated delay: no event each.
    pub suppressed_flaps: u64,
}

/// How the ledger is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LedgerStatus {
    /// Where it is kept; none: in memory.
    pub path: Option<std::path::PathBuf>,
    /// Why nothing can be stored at the moment; none: all is well.
    pub failing: Option<String>,
    /// What it holds, in bytes, by our own sum.
    pub bytes: u64,
    /// Most bytes that it may hold.
    pub bytes_max: u64,
    /// Keys that are told occupied.
    pub occupied: usize,
    /// Pairs of vacated and occupied that were not told, since the server started.
    pub suppressed_flaps: u64,
    /// Events without state that were not told because nothing could be stored, since the server
    /// started.
    pub dropped: u64,
    /// Commits since the server started.
    pub commits: u64,
    /// How long half of the last 1,000 commits took at most, in microseconds.
    pub commit_p50_us: u64,
    /// How long 99 % of the last 1,000 commits took at most, in microseconds.
    pub commit_p99_us: u64,
}

/// What was told of a key that is occupied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// The number of the change.
    pub seq: u64,
    /// Since when, in milliseconds since 1970.
    pub since_ms: u64,
}

/// A page of the told list: of channels, or of users that are signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldPage<N> {
    /// They, in the order of their names.
    pub told: Vec<(N, Told)>,
    /// The `after` of the next page, when there is more.
    pub next: Option<N>,
}

impl<N> Default for ToldPage<N> {
    fn default() -> Self {
        Self {
            told: Vec::new(),
            next: None,
        }
    }
}

/// What is told of one channel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToldChannel {
    /// The channel itself, when it is told occupied.
    pub told: Option<Told>,
    /// Its users that are told added, in the order of their ids.
    pub users: Vec<(UserId, Told)>,
}
