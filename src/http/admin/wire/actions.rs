//! What may be asked for and what came of it, and how the ledger is.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::EndpointMode;
use crate::ledger::LedgerStatus;

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// In words.
    pub error: String,
}

/// What is to be delivered once more: the event or the request `id`, or what an `endpoint` was to
/// be told `since` and `until`, or what is dead.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Replay {
    /// An event (`evt_…`) or a request (`msg_…`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The dead letters, of all apps and endpoints unless one is named.
    #[serde(skip_serializing_if = "is_false")]
    pub dead: bool,
    /// Those dead letters too that were replayed already.
    #[serde(skip_serializing_if = "is_false")]
    pub again: bool,
    /// Only of this app.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// Only to this endpoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// From this time on: a date and time of RFC 3339, milliseconds since 1970, or a duration like
    /// `10m`, which means so long ago.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Before this time; without, until now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

/// What was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Deleted {
    /// How many dead letters.
    pub letters: usize,
}

/// What is delivered once more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Replayed {
    /// How many events, over all endpoints.
    pub events: usize,
    /// Events that are not, since their endpoint is configured no more, or the log holds them no
    /// more.
    pub skipped: usize,
    /// Events that are not, since their endpoint is disabled.
    pub disabled: usize,
    /// How many to each endpoint, by app and id.
    pub endpoints: Vec<ReplayedTo>,
}

/// What an endpoint is told once more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReplayedTo {
    /// The app.
    pub app: String,
    /// The endpoint.
    pub endpoint: String,
    /// Whether it is delivered to; when it is paused they wait until it is resumed.
    pub mode: EndpointMode,
    /// How many events.
    pub events: usize,
}

/// How a request without meaning was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tested {
    /// The app.
    pub app: String,
    /// The endpoint.
    pub endpoint: String,
    /// The status that was answered, if one was.
    pub status: Option<u16>,
    /// Why it counts as failed; null when it was answered 2xx in time.
    pub error: Option<String>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// How the ledger is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = LedgerStatus)]
pub struct Ledger {
    /// Where it is kept; null: in memory.
    pub path: Option<String>,
    /// Why nothing can be stored at the moment; null: all is well.
    pub failing: Option<String>,
    /// What it holds, in bytes.
    pub bytes: u64,
    /// Most bytes that it may hold.
    pub bytes_max: u64,
    /// Channels and users that are told occupied.
    pub occupied: usize,
    /// Pairs of vacated and occupied that were not told, since the server started.
    pub suppressed_flaps: u64,
    /// Events without state that were not told because nothing could be stored.
    pub dropped: u64,
    /// Commits since the server started.
    pub commits: u64,
    /// How long half of the last commits took at most, in milliseconds.
    pub commit_p50_ms: f64,
    /// How long 99 % of the last commits took at most, in milliseconds.
    pub commit_p99_ms: f64,
}

/// A message of a stream besides what it is for: something was left out, since it was read too
/// slowly.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Lost {
    /// How many messages.
    pub lost: u64,
}

/// What who listens is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Heard {
    /// A copy of a request.
    Posted(Posted),
    /// Some are lost.
    Lost(Lost),
}

/// A copy of a request, as it is posted to an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = RequestCopy)]
pub struct Posted {
    /// The app.
    pub app: String,
    /// The endpoint.
    pub endpoint: String,
    /// The request: `msg_…`.
    pub id: String,
    /// Which attempt it is; the first is 1.
    pub attempt: u32,
    /// Names and values of the headers that the server set.
    pub headers: Vec<(String, String)>,
    /// The body, byte for byte.
    pub body: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

impl Ledger {
    pub(in crate::http::admin) fn new(status: &LedgerStatus) -> Self {
        let ms = |us: u64| us as f64 / 1_000.0;
        Self {
            path: status.path.as_ref().map(|path| path.display().to_string()),
            failing: status.failing.clone(),
            bytes: status.bytes,
            bytes_max: status.bytes_max,
            occupied: status.occupied,
            suppressed_flaps: status.suppressed_flaps,
            dropped: status.dropped,
            commits: status.commits,
            commit_p50_ms: ms(status.commit_p50_us),
            commit_p99_ms: ms(status.commit_p99_us),
        }
    }
}
