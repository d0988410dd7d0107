//! Endpoints with their queues.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Event;
use crate::{
    domain::{self, ChannelPatternSource, WebhookEvent},
    http::admin::state::EndpointInfo,
    ledger::{AsideView, BreakerState, DisabledBecause, EndpointView, FailingView, Mode, WaitView},
};

/// Some endpoints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Endpoints {
    /// By app and id.
    pub endpoints: Vec<Endpoint>,
}

/// An endpoint with its queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Endpoint {
    /// The app.
    pub app: String,
    /// Its id, unique in the app.
    pub id: String,
    /// Where requests go, without user info and query; null when it is not configured any more.
    pub url: Option<String>,
    /// The kinds of event that it asks for.
    pub events: Vec<String>,
    /// Which channels it asks for.
    pub channels: Channels,
    /// Whether it is delivered to: `enabled`, `paused` or `disabled`.
    pub mode: EndpointMode,
    /// Why it is disabled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disabled_because: Option<String>,
    /// Its breaker: `closed` lets everything through, `open` nothing, `half_open` one request.
    pub breaker: Breaker,
    /// How many requests may be under way.
    pub lanes: u32,
    /// Events that wait or are under way.
    pub queued: usize,
    /// What they cost, in bytes.
    pub queued_bytes: usize,
    /// When the oldest of them was stored, in milliseconds since 1970.
    pub oldest_ms: Option<u64>,
    /// Requests that are under way.
    pub under_way: usize,
    /// When a request that failed is tried again, in milliseconds since 1970.
    pub retry_ms: Option<u64>,
    /// Null unless the endpoint fails: from a failed attempt until each lane that failed has had a success.
    pub failing: Option<Failing>,
    /// Requests that the endpoint refused again and again: only their own channels wait for them.
    pub aside: Vec<Aside>,
    /// Most bytes of a body, when it answered 413 to a larger one; absent when it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_bytes_max: Option<usize>,
    /// Dead letters that are kept and were not replayed.
    pub dead_letters: u64,
    /// What happened since the server started.
    pub since_start: Counts,
}

/// A failing endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Failing {
    /// Since when, in milliseconds since 1970; not before the server started.
    pub since_ms: u64,
    /// Attempts that have failed since then.
    pub attempts: u32,
    /// When the last of them failed, in milliseconds since 1970.
    pub last_ms: u64,
    /// Why it failed.
    pub error: String,
    /// The requests that hold up the failing lanes, at most one each.
    pub requests: Vec<Stuck>,
}

/// A request for which others wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Stuck {
    /// Its id; null while it is being cut again.
    pub request: Option<String>,
    /// Its first event.
    pub event: Event,
    /// How many events it holds.
    pub events: usize,
    /// How often it was attempted under this id.
    pub attempts: u32,
    /// Whether it was set aside, so that it holds up only the events behind it.
    pub is_aside: bool,
    /// When it is tried, in milliseconds since 1970; null while it is under way.
    pub next_ms: Option<u64>,
    /// Events that wait behind it.
    pub waiting: usize,
}

/// A request that is aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Aside {
    /// Its id; null for the moment in which it is cut anew.
    pub request: Option<String>,
    /// Its event.
    pub event: Event,
    /// Since when it is aside, in milliseconds since 1970.
    pub since_ms: u64,
    /// How often it was attempted under this id.
    pub attempts: u32,
    /// The status that the endpoint answered last.
    pub status: u16,
    /// When it is tried again, in milliseconds since 1970; null while it is under way.
    pub retry_ms: Option<u64>,
    /// Events that wait behind it.
    pub waiting: usize,
}

/// What happened to an endpoint's events since the server started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = EndpointCounts)]
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
    /// Events that vanished in pairs.
    pub compacted: u64,
    /// Channels and users that were left and entered again within the vacated delay: no event each.
    pub suppressed_flaps: u64,
    /// Events without state that were dropped at the bound.
    pub dropped: u64,
}

/// Whether an endpoint is delivered to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndpointMode {
    /// It is.
    Enabled,
    /// Its queue grows until it is resumed.
    Paused,
    /// What it would be told is parked.
    Disabled,
}

/// What a breaker is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Breaker {
    /// Everything goes through.
    Closed,
    /// Nothing goes through.
    Open,
    /// One request is under way, to see whether the endpoint answers again.
    HalfOpen,
}

/// Which channels an endpoint asks for: those for whose names `only` holds and `not` does not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[schema(as = ChannelFilter)]
pub struct Channels {
    /// What must hold of a name.
    pub only: NameTests,
    /// What must not hold of it.
    pub not: NameTests,
}

/// Tests of a name that must all hold; of each list one must match, an empty one is no test.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct NameTests {
    /// What it may begin with.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub prefix: Vec<String>,
    /// What it may end with.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub suffix: Vec<String>,
    /// Globs of which it may be one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub glob: Vec<String>,
    /// Regular expressions that it may match.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub regex: Vec<String>,
}

impl Endpoint {
    /// Joins what the ledger knows of an endpoint with what is configured.
    pub(in crate::http::admin) fn new(view: &EndpointView, info: Option<&EndpointInfo>) -> Self {
        let because = match view.mode {
            Mode::Enabled | Mode::Paused => None,
            Mode::Disabled(because) => Some(because),
        };
        let names = |events: &[WebhookEvent]| events.iter().map(|event| event.as_str().to_owned()).collect();
        Self {
            app: view.app.to_string(),
            id: view.id.to_string(),
            url: info.map(|info| info.url.clone()),
            events: info.map(|info| names(&info.filter.events)).unwrap_or_default(),
            channels: info
                .map(|info| Channels::of(info.filter.channels.source()))
                .unwrap_or_default(),
            mode: EndpointMode::of(view.mode),
            disabled_because: because.map(|because| disabled_because(because).into()),
            breaker: match view.breaker {
                BreakerState::Closed => Breaker::Closed,
                BreakerState::Open => Breaker::Open,
                BreakerState::HalfOpen => Breaker::HalfOpen,
            },
            lanes: view.lanes,
            queued: view.queued,
            queued_bytes: view.queued_bytes,
            oldest_ms: view.oldest_ms,
            under_way: view.under_way,
            retry_ms: view.retry_ms,
            failing: view.failing.as_ref().map(Failing::new),
            aside: view.aside.iter().map(Aside::new).collect(),
            body_bytes_max: view.body_bytes_max,
            dead_letters: view.dead_letters,
            since_start: Counts {
                created: view.counts.created,
                delivered: view.counts.delivered,
                attempts_delivered: view.counts.attempts_delivered,
                attempts_failed: view.counts.attempts_failed,
                parked: view.counts.parked,
                compacted: view.counts.compacted,
                suppressed_flaps: view.counts.suppressed_flaps,
                dropped: view.counts.dropped,
            },
        }
    }
}

impl Failing {
    fn new(view: &FailingView) -> Self {
        Self {
            since_ms: view.since_ms,
            attempts: view.attempts,
            last_ms: view.last_ms,
            error: view.error.clone(),
            requests: view.requests.iter().map(Stuck::new).collect(),
        }
    }

    /// When the next attempt is due, in milliseconds since 1970; `None` while one is under way.
    #[must_use]
    pub fn next_ms(&self) -> Option<u64> {
        let next: Option<Vec<u64>> = self.requests.iter().map(|request| request.next_ms).collect();
        next?.into_iter().min()
    }
}

impl Stuck {
    fn new(view: &WaitView) -> Self {
        Self {
            request: view.request.map(|request| request.to_string()),
            event: Event::new(&view.event),
            events: view.events,
            attempts: view.attempts,
            is_aside: view.is_aside,
            next_ms: view.next_ms,
            waiting: view.waiting,
        }
    }
}

impl Aside {
    fn new(view: &AsideView) -> Self {
        Self {
            request: view.request.map(|request| request.to_string()),
            event: Event::new(&view.event),
            since_ms: view.since_ms,
            attempts: view.attempts,
            status: view.status,
            retry_ms: view.retry_ms,
            waiting: view.waiting,
        }
    }
}

/// Why an endpoint is disabled, in words.
pub(in crate::http::admin) const fn disabled_because(because: DisabledBecause) -> &'static str {
    match because {
        DisabledBecause::Gone => "the endpoint answered 410",
        DisabledBecause::Operator => "an operator disabled it",
    }
}

impl EndpointMode {
    pub(in crate::http::admin) const fn of(mode: Mode) -> Self {
        match mode {
            Mode::Enabled => Self::Enabled,
            Mode::Paused => Self::Paused,
            Mode::Disabled(_) => Self::Disabled,
        }
    }
}

impl Channels {
    fn of(pattern: &ChannelPatternSource) -> Self {
        let tests = |tests: &domain::NameTests| NameTests {
            prefix: tests.prefix.clone(),
            suffix: tests.suffix.clone(),
            glob: tests.glob.clone(),
            regex: tests.regex.clone(),
        };
        Self {
            only: tests(&pattern.only),
            not: tests(&pattern.not),
        }
    }

    /// In words: `all channels`, or `channels that begin with job-`.
    #[must_use]
    pub fn in_words(&self) -> String {
        let only = self.only.in_words();
        let not = self.not.in_words();
        match (only.is_empty(), not.is_empty()) {
            (true, true) => "all channels".into(),
            (false, true) => format!("channels that {only}"),
            (true, false) => format!("all channels but those that {not}"),
            (false, false) => format!("channels that {only}, but for those that {not}"),
        }
    }
}

impl NameTests {
    fn in_words(&self) -> String {
        let tests = [
            ("begin with", &self.prefix),
            ("end with", &self.suffix),
            ("match", &self.glob),
            ("match the expression", &self.regex),
        ];
        let given = tests.iter().filter(|(_, texts)| !texts.is_empty());
        let words = given.map(|(verb, texts)| format!("{verb} {}", texts.join(" or ")));
        words.collect::<Vec<_>>().join(" and ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_told_in_words() {
        let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let mut channels = Channels::default();
        assert_eq!(channels.in_words(), "all channels");
        channels.not.suffix = list(&["-eu"]);
        assert_eq!(channels.in_words(), "all channels but those that end with -eu");
        channels.only.prefix = list(&["job-", "task-"]);
        channels.only.glob = list(&["*-[0-9]"]);
        assert_eq!(
            channels.in_words(),
            "channels that begin with job- or task- and match *-[0-9], but for those that end with -eu"
        );
        channels.not = NameTests::default();
        channels.only.glob.clear();
        assert_eq!(channels.in_words(), "channels that begin with job- or task-");
    }
}
