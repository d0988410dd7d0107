//! One endpoint's queue: what it must still be told, cut into requests, retried and parked
//! (DESIGN.md section 6).

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use crate::domain::Now;

use super::{
    cut::{CutLimits, cut},
    edge::Key,
    event::Event,
    window::{Outcome, RequestId},
};

/// How long the bytes of a request stay the same over its attempts. Later ones carry a new time,
/// because an SDK helper refuses a body that is older than 300 s.
const SAME_BYTES_FOR_MS: u64 = 240_000;
/// What a queued event costs besides its JSON, in bytes: its place here and its allocation.
const ENTRY_BYTES: usize = 128;

/// What an outbox is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutboxLimits {
    /// What bounds a request.
    pub cut: CutLimits,
    /// How long an event is retried before it is parked.
    pub retry_for: Duration,
}

/// The events that one endpoint must still be told, in order. At most one request is under way.
#[derive(Debug)]
pub struct Outbox {
    limits: OutboxLimits,
    queue: VecDeque<Entry>,
    head: Option<Head>,
    last_time_ms: u64,
    /// What the queue holds, in bytes; the head is not counted.
    bytes: usize,
}

/// An attempt to make now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The id of the request.
    pub id: RequestId,
    /// The time in its body, in milliseconds since 1970.
    pub time_ms: u64,
    /// Which attempt it is; the first is 1.
    pub number: u32,
    /// The events, in order.
    pub events: Vec<Arc<Event>>,
}

#[derive(Debug, Clone)]
struct Entry {
    event: Arc<Event>,
    committed: Instant,
    attempted: bool,
}

/// The request at the front, which holds what comes after it until it is answered 2xx.
#[derive(Debug)]
struct Head {
    id: RequestId,
    time_ms: u64,
    attempt: u32,
    entries: Vec<Entry>,
    state: HeadState,
}

#[derive(Debug)]
enum HeadState {
    UnderWay,
    /// Failed; to be tried again then.
    WaitsUntil(Instant),
    /// Failed, and what was too old of it is parked; what is left is cut anew then.
    CutAnewAt(Instant),
}

impl Outbox {
    /// Begins with nothing to tell.
    #[must_use]
    pub const fn new(limits: OutboxLimits) -> Self {
        Self {
            limits,
            queue: VecDeque::new(),
            head: None,
            last_time_ms: 0,
            bytes: 0,
        }
    }

    /// Appends an event.
    pub fn push(&mut self, event: Arc<Event>, now: Now) {
        self.bytes += cost(&event);
        self.queue.push_back(Entry {
            event,
            committed: now.instant,
            attempted: false,
        });
    }

    /// Gives the attempt to be made now, if there is one: the next request when none is under way,
    /// or the same one again when its time has come. `next_id` names a request that is cut.
    pub fn next_attempt(&mut self, now: Now, next_id: impl FnOnce() -> RequestId) -> Option<Attempt> {
        match self.head.as_ref().map(|head| &head.state) {
            Some(HeadState::UnderWay) => return None,
            Some(HeadState::WaitsUntil(at) | HeadState::CutAnewAt(at)) if now.instant < *at => {
                return None;
            }
            Some(HeadState::WaitsUntil(_)) => {}
            Some(HeadState::CutAnewAt(_)) | None => {
                // The attempts go on counting over a new cut, so that the backoff does too.
                let attempts = self.head.take().map_or(0, |head| head.attempt);
                self.cut(now, attempts, next_id);
            }
        }
        let time_ms = self.last_time_ms.max(now.wall_ms);
        let head = self.head.as_mut()?;
        if SAME_BYTES_FOR_MS < now.wall_ms.saturating_sub(head.time_ms) {
            head.time_ms = time_ms;
            self.last_time_ms = time_ms;
        }
        head.attempt += 1;
        head.state = HeadState::UnderWay;
        for entry in &mut head.entries {
            entry.attempted = true;
        }
        Some(Attempt {
            id: head.id,
            time_ms: head.time_ms,
            number: head.attempt,
            events: head.entries.iter().map(|entry| Arc::clone(&entry.event)).collect(),
        })
    }

    /// Takes the answer to an attempt and gives the events that are parked because of it, oldest
    /// first. An answer to anything but the request under way changes nothing.
    pub fn answered(&mut self, id: RequestId, outcome: Outcome, now: Now) -> Vec<Arc<Event>> {
        let Some(head) = &mut self.head else {
            return Vec::new();
        };
        if head.id != id || !matches!(head.state, HeadState::UnderWay) {
            return Vec::new();
        }
        match outcome {
            Outcome::Delivered => {
                self.head = None;
                Vec::new()
            }
            Outcome::Failed { retry_in } => {
                let at = now.instant + retry_in;
                head.state = HeadState::WaitsUntil(at);
                self.park(now.instant, at)
            }
            Outcome::Gone => Vec::new(),
        }
    }

    /// When the request that failed is to be tried again.
    #[must_use]
    pub fn retry_at(&self) -> Option<Instant> {
        match self.head.as_ref()?.state {
            HeadState::UnderWay => None,
            HeadState::WaitsUntil(at) | HeadState::CutAnewAt(at) => Some(at),
        }
    }

    /// Events that wait or are under way.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.len() + self.head.as_ref().map_or(0, |head| head.entries.len())
    }

    /// Tells whether everything was answered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the queue costs, in bytes, by our own sum; what is under way is not counted.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Drops the queued events that carry no state and were never attempted; gives their number.
    pub fn drop_stateless(&mut self) -> usize {
        let before = self.queue.len();
        self.queue
            .retain(|entry| entry.attempted || entry.event.state().is_some());
        self.count_bytes();
        before - self.queue.len()
    }

    /// Folds each key's events that were never attempted against the state before them: pairs
    /// vanish, the newest odd one stays. Gives the number of events that vanished.
    pub fn fold(&mut self) -> usize {
        let mut keys: HashMap<Key, (bool, usize, bool)> = HashMap::new();
        for (at, entry) in self.queue.iter().enumerate() {
            if let Some((key, occupied)) = entry.event.state().filter(|_| !entry.attempted) {
                let (_, newest, newest_occupied) = keys.entry(key.clone()).or_insert((occupied, at, occupied));
                (*newest, *newest_occupied) = (at, occupied);
            }
        }
        let before = self.queue.len();
        let mut at = 0;
        self.queue.retain(|entry| {
            let here = at;
            at += 1;
            // The newest is news if it is as the first was: before that the key was otherwise. An
            // endpoint may ask for one kind of event only, so that a key's events need not alternate.
            match entry.event.state().filter(|_| !entry.attempted) {
                Some((key, _)) => {
                    let (first_occupied, newest, newest_occupied) = keys[key];
                    newest == here && newest_occupied == first_occupied
                }
                None => true,
            }
        });
        self.count_bytes();
        before - self.queue.len()
    }

    fn count_bytes(&mut self) {
        self.bytes = self.queue.iter().map(|entry| cost(&entry.event)).sum();
    }

    fn cut(&mut self, now: Now, attempts: u32, next_id: impl FnOnce() -> RequestId) {
        let taken = cut(self.queue.iter().map(|entry| entry.event.as_ref()), self.limits.cut);
        if taken == 0 {
            return;
        }
        let time_ms = self.last_time_ms.max(now.wall_ms);
        self.last_time_ms = time_ms;
        let entries: Vec<Entry> = self.queue.drain(..taken).collect();
        self.bytes -= entries.iter().map(|entry| cost(&entry.event)).sum::<usize>();
        self.head = Some(Head {
            id: next_id(),
            time_ms,
            attempt: attempts,
            entries,
            state: HeadState::UnderWay,
        });
    }

    /// Parks the head when its oldest event is too old, and with it what is too old in the queue,
    /// except the newest state of each key, which stays in front.
    fn park(&mut self, now: Instant, at: Instant) -> Vec<Arc<Event>> {
        let retry_for = self.limits.retry_for;
        let too_old = |entry: &Entry| retry_for < now.saturating_duration_since(entry.committed);
        let Some(head) = &mut self.head else {
            return Vec::new();
        };
        if !head.entries.iter().any(too_old) {
            return Vec::new();
        }
        let old = self.queue.iter().take_while(|entry| too_old(entry)).count();
        let mut leaving: Vec<Entry> = head.entries.drain(..).collect();
        leaving.extend(self.queue.drain(..old));
        let (stays, parked) = split(leaving, &self.queue);
        for entry in stays.into_iter().rev() {
            self.queue.push_front(entry);
        }
        head.state = HeadState::CutAnewAt(at);
        self.count_bytes();
        parked
    }
}

fn cost(event: &Event) -> usize {
    ENTRY_BYTES + event.json_bytes(true)
}

/// Splits what is to leave into what stays, the newest state of each key, and what is parked.
///
/// A newest state is left out only when none of the key's events was ever attempted and it equals
/// the state before them: then the receiver knows it already.
fn split(leaving: Vec<Entry>, behind: &VecDeque<Entry>) -> (Vec<Entry>, Vec<Arc<Event>>) {
    struct OfKey {
        first_occupied: bool,
        newest: usize,
        attempted: bool,
    }
    let newer: HashSet<&Key> = behind
        .iter()
        .filter_map(|entry| entry.event.state().map(|(key, _)| key))
        .collect();
    let mut keys: HashMap<Key, OfKey> = HashMap::new();
    for (at, entry) in leaving.iter().enumerate() {
        let Some((key, occupied)) = entry.event.state() else {
            continue;
        };
        let of_key = keys.entry(key.clone()).or_insert(OfKey {
            first_occupied: occupied,
            newest: at,
            attempted: false,
        });
        of_key.newest = at;
        of_key.attempted |= entry.attempted;
    }
    let mut stays = Vec::new();
    let mut parked = Vec::new();
    for (at, entry) in leaving.into_iter().enumerate() {
        let is_needed = entry.event.state().is_some_and(|(key, occupied)| {
            let of_key = &keys[key];
            let known = !of_key.attempted && of_key.first_occupied != occupied;
            of_key.newest == at && !newer.contains(key) && !known
        });
        if is_needed {
            stays.push(entry);
        } else {
            parked.push(entry.event);
        }
    }
    (stays, parked)
}

#[cfg(test)]
mod tests;
