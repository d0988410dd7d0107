//! What goes into a step of the ledger, and what comes out.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::domain::{AppId, EndpointId, Now};

use super::{cut::CutLimits, edge::Observed, event::Event, filter::Filter};

/// All that is carried out and stored at once, of any number of apps.
#[derive(Debug, Default)]
pub struct Step {
    /// Changes of what the ledger is to do.
    pub controls: Vec<Control>,
    /// What endpoints answered.
    pub answers: Vec<Answer>,
    /// What channels reported.
    pub windows: Vec<Window>,
}

/// What an app's channels reported until a moment.
#[derive(Debug)]
pub struct Window {
    /// The app.
    pub app: AppId,
    /// What they reported, in order.
    pub observed: Vec<Observed>,
    /// The moment: what falls due by then is told after what was reported.
    pub until: Now,
}

/// How an attempt to deliver a request ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// The app.
    pub app: AppId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The request.
    pub request: RequestId,
    /// How it ended.
    pub outcome: Outcome,
}

/// How an attempt to deliver ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The endpoint answered 2xx in time.
    Delivered,
    /// Anything else; to be tried again after so long.
    Failed {
        /// How long to wait before the next attempt.
        retry_in: Duration,
    },
}

/// A change of what the ledger is to do.
#[derive(Debug)]
pub enum Control {
    /// Makes an app known, with its endpoints.
    AddApp(AppRules),
    /// The server is going away. From here on no edge is applied and nothing falls due; an engine
    /// that nothing survives tells vacated of everything instead.
    Drain,
}

/// What the ledger has to know of an app.
#[derive(Debug)]
pub struct AppRules {
    /// Its id.
    pub id: AppId,
    /// How long a key stays told occupied after it was left.
    pub vacated_delay: Duration,
    /// Its endpoints.
    pub endpoints: Vec<EndpointRules>,
}

/// What the ledger has to know of an endpoint.
#[derive(Debug, Clone)]
pub struct EndpointRules {
    /// Its id, unique in the app.
    pub id: EndpointId,
    /// What it asks for.
    pub filter: Filter,
    /// What bounds its requests.
    pub cut: CutLimits,
    /// How long an event is retried before it is parked.
    pub retry_for: Duration,
}

/// What a step asks to be done.
#[derive(Debug, Default)]
pub struct Done {
    /// Requests to send now. At most one per endpoint is under way.
    pub requests: Vec<Request>,
    /// For each app of the step's windows, when its next pending key falls due.
    pub due: Vec<(AppId, Option<Instant>)>,
    /// When a step is needed for a retry, if nothing else comes.
    pub retry_at: Option<Instant>,
}

/// The id of a request, sent as `webhook-id`; it stays the same over retries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "msg_{:016x}", self.0)
    }
}

/// A request to an endpoint: the same events with the same id at every attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its id.
    pub id: RequestId,
    /// The app.
    pub app: AppId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The time in its body, in milliseconds since 1970.
    pub time_ms: u64,
    /// The attempt that this is; the first is 1.
    pub attempt: u32,
    /// Its events, in order; at least one.
    pub events: Vec<Arc<Event>>,
}
