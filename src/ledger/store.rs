//! What an engine keeps over a restart, as records, and who keeps them.
//!
//! The engine decides in memory and describes each step as [`Changes`] of records; a [`Store`]
//! keeps all of a step's changes or none. [`Loaded`] is what an engine begins with.

use std::{collections::BTreeMap, sync::Arc};

use imbl::OrdMap;

use crate::domain::{AppId, EndpointId};

use super::{
    LedgerError,
    counters::Counters,
    edge::Key,
    embedded::Snapshot,
    event::{Event, EventId},
    filter::Filter,
    log::{DeadLetter, DeadMark, DeadPage, DeadQuery, LogEntry, LogPage, LogQuery},
    row_times::RowTimes,
    window::{Mode, RequestId},
};

/// Keeps the records of an engine.
pub trait Store: Send {
    /// Keeps all of the changes or, on an error, none of them. Records are set, so that the same ones
    /// once more change nothing; the log and the dead letters are added to.
    ///
    /// # Errors
    /// When they could not be kept. Later calls may succeed.
    fn commit(&mut self, changes: &Changes) -> Result<(), LedgerError>;

    /// Looks whether what is kept would be found by a later start. Called every second and before each
    /// step.
    ///
    /// # Errors
    /// When it would not. Later calls may succeed.
    fn look(&mut self) -> Result<(), LedgerError> {
        Ok(())
    }

    /// How much the log and the dead letters are.
    fn usage(&self) -> Usage;

    /// A part of the log.
    ///
    /// # Errors
    /// When it cannot be read.
    fn log(&self, query: &LogQuery) -> Result<LogPage, LedgerError>;

    /// A part of the dead letters.
    ///
    /// # Errors
    /// When they cannot be read.
    fn dead_letters(&self, query: &DeadQuery) -> Result<DeadPage, LedgerError>;

    /// Where the records are; none when nothing survives a restart.
    fn path(&self) -> Option<&std::path::Path>;

    /// All that is kept at this moment, to be copied while commits go on; none of a store that keeps nothing
    /// over a restart.
    ///
    /// # Errors
    /// When it cannot be read.
    fn snapshot(&self) -> Result<Option<Snapshot>, LedgerError> {
        Ok(None)
    }

    /// How long the last commit took, and how many there were, for those who watch; zero of a store
    /// that does not wait for a disk.
    fn commits(&self) -> CommitTimes;
}

/// How long commits took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CommitTimes {
    /// Commits since the start.
    pub count: u64,
    /// Half of the last 1,000 took at most so many microseconds.
    pub p50_us: u64,
    /// 99 % of the last 1,000 took at most so many microseconds.
    pub p99_us: u64,
}

/// How much the log and the dead letters are, in bytes of their records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usage {
    /// The log.
    pub log_bytes: u64,
    /// The dead letters.
    pub dead_bytes: u64,
    /// How many dead letters each endpoint has that were not replayed.
    pub dead: OrdMap<(AppId, EndpointId), u64>,
    /// When the oldest line of the log was written at the latest, in milliseconds since 1970.
    pub oldest_log_ms: Option<u64>,
    /// When the oldest dead letter was parked at the latest, in milliseconds since 1970.
    pub oldest_dead_ms: Option<u64>,
    /// Where the clock was set back between lines of the log.
    pub log_times: RowTimes,
    /// Where the clock was set back between dead letters.
    pub dead_times: RowTimes,
}

impl Usage {
    /// Counts a new dead letter.
    pub(super) fn count(&mut self, app: &AppId, endpoint: &EndpointId) {
        *self.dead.entry((app.clone(), endpoint.clone())).or_insert(0) += 1;
    }

    /// Counts a dead letter that is gone, or was replayed.
    pub(super) fn forget(&mut self, app: &AppId, endpoint: &EndpointId) {
        let of = (app.clone(), endpoint.clone());
        match self.dead.get_mut(&of) {
            Some(count) if 1 < *count => *count -= 1,
            Some(_) | None => {
                self.dead.remove(&of);
            }
        }
    }
}

/// What a step changes, record by record. A record of `None` is removed. Each record is in it once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// The counters, if one has changed.
    pub counters: Option<Counters>,
    /// Endpoints.
    pub endpoints: BTreeMap<(AppId, EndpointId), Option<EndpointRecord>>,
    /// Keys whose state is told.
    pub keys: BTreeMap<(AppId, Key), Option<KeyRecord>>,
    /// Events that a queue or a request refers to.
    pub events: BTreeMap<EventId, Option<Arc<Event>>>,
    /// Events that wait, by their place in the endpoint's queue.
    pub queued: BTreeMap<(AppId, EndpointId, u64), Option<QueuedRecord>>,
    /// Requests that were cut and are not answered.
    pub requests: BTreeMap<(AppId, EndpointId, RequestId), Option<RequestRecord>>,
    /// New lines of the log, in order.
    pub log: Vec<LogEntry>,
    /// New dead letters, in order.
    pub dead: Vec<DeadLetter>,
    /// What was done with earlier dead letters, by their numbers. One that is gone is passed over.
    pub dead_marked: BTreeMap<u64, DeadMark>,
    /// Which of the oldest lines of the log go.
    pub log_trimmed: Trim,
    /// Which of the oldest dead letters go.
    pub dead_trimmed: Trim,
}

/// Which of the oldest records go: from the oldest on, at most `rows_max`, while the oldest was
/// written before `before_ms` or all together are more than `bytes_max`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trim {
    /// Most records that go in this step; 0: none.
    pub rows_max: usize,
    /// What was written before this, in milliseconds since 1970.
    pub before_ms: u64,
    /// What is more than so many bytes, the records of this step counted.
    pub bytes_max: u64,
}

impl Changes {
    /// Tells whether there is nothing to keep.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What is kept of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointRecord {
    /// What it asks for, as it was last configured.
    pub filter: Filter,
    /// How many lanes its requests were cut for.
    pub lanes: u32,
    /// Whether it is delivered to.
    pub mode: Mode,
    /// Whether it is configured no more, and what is left of its queue is being parked.
    pub is_removed: bool,
    /// While it is told of what was occupied when its filter was widened: how far that is.
    pub announcing: Option<AnnouncingRecord>,
}

/// How far an announcement is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnnouncingRecord {
    /// What it asked for before; none of a new endpoint.
    pub before: Option<Filter>,
    /// The last key that was looked at, in the order of keys; none at the beginning.
    pub after: Option<Key>,
}

/// What is kept of a key that an endpoint asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyRecord {
    /// Its state as it was last decided.
    pub occupied: bool,
    /// The number of that change.
    pub seq: u64,
    /// When it was, in milliseconds since 1970.
    pub since_ms: u64,
    /// The event that told it.
    pub event: EventId,
}

/// What is kept of an event that waits in a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueuedRecord {
    /// The event.
    pub event: EventId,
    /// When it was stored, in milliseconds since 1970.
    pub committed_ms: u64,
    /// Whether it was in a request that was posted.
    pub attempted: bool,
}

/// What is kept of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRecord {
    /// Its lane.
    pub lane: u32,
    /// The time in its body, in milliseconds since 1970.
    pub time_ms: u64,
    /// How often it was handed out.
    pub attempt: u32,
    /// When it is handed out again, in milliseconds since 1970; none: it is under way.
    pub retry_ms: Option<u64>,
    /// Whether an operator asked for it.
    pub replay: bool,
    /// Since when it is aside, if it is.
    pub aside: Option<AsideRecord>,
    /// Its events in order: the place in the queue that each had, and its record.
    pub entries: Vec<(u64, QueuedRecord)>,
}

/// What is kept of a request that was set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AsideRecord {
    /// Since when, in milliseconds since 1970.
    pub since_ms: u64,
    /// What the endpoint answered last.
    pub status: u16,
}

/// All records, as an engine begins with them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The counters; none of a ledger that is new.
    pub counters: Option<Counters>,
    /// Endpoints.
    pub endpoints: BTreeMap<(AppId, EndpointId), EndpointRecord>,
    /// Keys.
    pub keys: BTreeMap<(AppId, Key), KeyRecord>,
    /// Events.
    pub events: BTreeMap<EventId, Arc<Event>>,
    /// Events that wait.
    pub queued: BTreeMap<(AppId, EndpointId, u64), QueuedRecord>,
    /// Requests.
    pub requests: BTreeMap<(AppId, EndpointId, RequestId), RequestRecord>,
}

impl Loaded {
    /// Makes the changes: what a store has to give back after it has kept them.
    pub fn apply(&mut self, changes: &Changes) {
        if let Some(counters) = changes.counters {
            self.counters = Some(counters);
        }
        change(&mut self.endpoints, &changes.endpoints);
        change(&mut self.keys, &changes.keys);
        change(&mut self.events, &changes.events);
        change(&mut self.queued, &changes.queued);
        change(&mut self.requests, &changes.requests);
    }
}

fn change<K: Clone + Ord, V: Clone>(records: &mut BTreeMap<K, V>, changes: &BTreeMap<K, Option<V>>) {
    for (key, record) in changes {
        match record {
            Some(record) => records.insert(key.clone(), record.clone()),
            None => records.remove(key),
        };
    }
}

#[cfg(test)]
pub(super) mod suite;
