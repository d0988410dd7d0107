//! What goes into a step of the ledger, and what comes out.

use std::{
    fmt,
    str::FromStr,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::domain::{AppId, EndpointId, Now};

use super::{breaker::BreakerLimits, cut::CutLimits, edge::Observed, event::Event, filter::Filter};

/// All that is carried out and stored at once, of any number of apps.
#[derive(Debug, Clone, Default)]
pub struct Step {
    /// Changes of what the ledger is to do.
    pub controls: Vec<Control>,
    /// What endpoints answered.
    pub answers: Vec<Answer>,
    /// What channels reported.
    pub windows: Vec<Window>,
}

/// What an app's channels reported until a moment.
#[derive(Debug, Clone)]
pub struct Window {
    /// The app.
    pub app: AppId,
    /// What they reported, in order.
    pub observed: Vec<Observed>,
    /// The moment: what falls due by then is told after what was reported.
    pub until: Now,
}

/// How an attempt to deliver a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The app.
    pub app: AppId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The request.
    pub request: RequestId,
    /// How it ended.
    pub outcome: Outcome,
    /// What is written down of it.
    pub report: AttemptReport,
}

/// What is written down of an attempt, besides how it ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AttemptReport {
    /// When it began, in milliseconds since 1970.
    pub at_ms: u64,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// The status that the endpoint answered, if it answered one.
    pub status: Option<u16>,
    /// Why it failed, in words without secrets.
    pub error: Option<String>,
}

/// How an attempt to deliver ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The endpoint answered 2xx in time.
    Delivered,
    /// No answer came, or one that asks for patience; to be tried again after so long.
    Failed {
        /// How long to wait before the next attempt.
        retry_in: Duration,
    },
    /// The endpoint answered something else than 2xx, so it has not taken this request.
    Refused {
        /// How long to wait before the next attempt.
        retry_in: Duration,
        /// What it answered.
        status: u16,
    },
    /// The endpoint answered 410: it wants nothing more and is disabled.
    Gone,
}

/// Whether an endpoint is delivered to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// It is.
    #[default]
    Enabled,
    /// Its queue grows until it is enabled again.
    Paused,
    /// What it would be told is parked, but for the newest state of each key, until it is enabled
    /// again.
    Disabled(DisabledBecause),
}

/// Why an endpoint is disabled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisabledBecause {
    /// It answered 410.
    Gone,
    /// An operator asked for it.
    Operator,
}

/// A change of what the ledger is to do.
#[derive(Debug, Clone)]
pub enum Control {
    /// These are the apps from here on, with their endpoints. What was known of others is parked
    /// and dropped.
    Configure(Vec<AppRules>),
    /// The listener accepts: recovery windows begin.
    Accepting,
    /// Pauses, disables or enables an endpoint.
    SetMode {
        /// The app.
        app: AppId,
        /// The endpoint.
        endpoint: EndpointId,
        /// What it is to be.
        mode: Mode,
    },
    /// Tries now what waits for an endpoint, unless an operator has stopped it.
    Retry {
        /// The app.
        app: AppId,
        /// The endpoint.
        endpoint: EndpointId,
    },
    /// Delivers events once more, in requests of their own that say so, outside the order.
    Replay {
        /// The app.
        app: AppId,
        /// The endpoint.
        endpoint: EndpointId,
        /// The events, in order.
        events: Vec<Arc<Event>>,
        /// The numbers of the dead letters that hold some of them, which are marked as replayed.
        letters: Vec<u64>,
    },
    /// Deletes the dead letters of these numbers.
    DeleteDead(Vec<u64>),
    /// The server is going away. From here on no edge is applied and nothing falls due; an engine
    /// that nothing survives tells vacated of everything instead.
    Drain,
}

/// What the ledger has to know of an app.
#[derive(Debug, Clone)]
pub struct AppRules {
    /// Its id.
    pub id: AppId,
    /// Whether clients are served; of an app without, everything is vacant.
    pub enabled: bool,
    /// How long a key stays told occupied after it was left.
    pub vacated_delay: Duration,
    /// How long clients have to come back after a start before what they left is told vacated.
    pub recovery_window: Duration,
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
    /// How many requests may be under way; each channel belongs to one lane. 1 or more.
    pub lanes: u32,
    /// Whether pairs of occupied and vacated that were never attempted vanish from the queue.
    pub compact: bool,
    /// Whether it is told of what is occupied already when it is added.
    pub announce: bool,
    /// When it is left alone for a while.
    pub breaker: BreakerLimits,
}

/// What a step asks to be done.
#[derive(Debug, Default)]
pub struct Done {
    /// Requests to send now. At most one per lane is under way.
    pub requests: Vec<Request>,
    /// For each app of the step's windows, when its next pending key falls due. Apps with a window left are
    /// missing.
    pub due: Vec<(AppId, Option<Instant>)>,
    /// When a step is needed for a retry or for what is left of a long job, if nothing else comes.
    pub retry_at: Option<Instant>,
    /// What is left of the step's windows, in order.
    pub left: Vec<Left>,
}

/// A window that a step did not complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// The window's place among those of the step, from 0.
    pub window: usize,
    /// How many of its first observations are done.
    pub observed: usize,
}

/// The id of a request, sent as `webhook-id`; it stays the same over retries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "msg_{:016x}", self.0)
    }
}

impl FromStr for RequestId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        hex_after(text, "msg_").map(Self).ok_or(IdError("msg_"))
    }
}

/// A text that is no id of a request or of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("such an id is {0} and 16 hexadecimal digits")]
pub struct IdError(pub(super) &'static str);

/// Reads the number in an id.
pub(super) fn hex_after(text: &str, prefix: &str) -> Option<u64> {
    let digits = text.strip_prefix(prefix)?;
    let is_hex = digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u64::from_str_radix(digits, 16).ok().filter(|_| is_hex)
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
    /// The lane; requests of one lane follow each other.
    pub lane: u32,
    /// The time in its body, in milliseconds since 1970.
    pub time_ms: u64,
    /// The attempt that this is; the first is 1.
    pub attempt: u32,
    /// How many failures in a row the wait after this attempt counts, should it fail too, itself
    /// included.
    pub backoff: u32,
    /// Whether an operator asked for it: it tells what was told before, outside the order.
    pub replay: bool,
    /// Its events, in order; at least one.
    pub events: Vec<Arc<Event>>,
}

#[cfg(test)]
impl AppRules {
    /// An app with a delay of 3 s and a recovery window of 30 s.
    pub(crate) fn of_test(id: &str, endpoints: Vec<EndpointRules>) -> Self {
        Self {
            id: id.parse().expect("valid"),
            enabled: true,
            vacated_delay: Duration::from_secs(3),
            recovery_window: Duration::from_secs(30),
            endpoints,
        }
    }
}

#[cfg(test)]
impl EndpointRules {
    /// An endpoint with one lane that asks for everything and retries for 60 s.
    pub(crate) fn of_test(id: &str) -> Self {
        Self {
            id: id.parse().expect("valid"),
            filter: Filter {
                events: crate::domain::WebhookEvent::ALL.to_vec(),
                ..Filter::default()
            },
            cut: CutLimits {
                events_max: 100,
                body_bytes_max: 100_000,
                extras: false,
            },
            retry_for: Duration::from_secs(60),
            lanes: 1,
            compact: false,
            announce: true,
            breaker: BreakerLimits {
                after: 10,
                open_for: Duration::from_secs(30),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::EventId;

    #[test]
    fn an_id_is_read_as_it_is_written_and_nothing_else_is_one() {
        for number in [0, 1, 0xab, u64::MAX] {
            assert_eq!(RequestId(number).to_string().parse(), Ok(RequestId(number)));
            assert_eq!(EventId(number).to_string().parse(), Ok(EventId(number)));
        }
        for text in [
            "",
            "msg_",
            "msg_1",
            "evt_00000000000000ab",
            "msg_00000000000000ag",
            "msg_+0000000000000ab",
        ] {
            assert_eq!(text.parse::<RequestId>(), Err(IdError("msg_")), "{text}");
        }
        let error = "msg_00000000000000ab".parse::<EventId>().expect_err("another kind");
        assert_eq!(error.to_string(), "such an id is evt_ and 16 hexadecimal digits");
    }
}
