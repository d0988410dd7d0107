//! The back end behind an endpoint: it discards what repeats a request that it has, and expects of
//! the rest what the contract promises.

use std::collections::{BTreeMap, BTreeSet};

use vacancy::ledger::{Event, EventId, Key, Request, RequestId};

/// What one endpoint has got, from its configuration to its removal.
#[derive(Debug, Default)]
pub struct Receiver {
    /// The requests that it has, and what was in those that it was ever sent.
    has: BTreeSet<RequestId>,
    sent: BTreeMap<RequestId, (Vec<EventId>, u64)>,
    /// The request in which each event was cut.
    cut: BTreeMap<EventId, RequestId>,
    pub accepted: BTreeSet<EventId>,
    pub parked: BTreeSet<EventId>,
    /// What was decided and is asked for.
    pub wanted: BTreeMap<EventId, u64>,
    pub keys: BTreeMap<Key, Picture>,
    /// Of what it answers every request that it does not have otherwise than with 2xx.
    pub refuses: Option<Key>,
    /// The requests that it has refused and does not have, so that their events come in others.
    refused: BTreeSet<RequestId>,
    /// It was disabled once, so that a request may have been parked that it had got.
    pub was_disabled: bool,
}

/// What it knows of a key.
#[derive(Debug, Default)]
pub struct Picture {
    pub occupied: bool,
    pub seq: u64,
    /// Something of it was parked or not asked for, or may be repeated in another request.
    pub has_gaps: bool,
    /// It was not asked for in between.
    pub was_narrowed: bool,
}

impl Receiver {
    /// A request is handed out to it; the time that has passed, that of the wall clock and `retry_for`
    /// in milliseconds.
    pub fn is_sent(&mut self, request: &Request, now: u64, wall_ms: u64, retry_for: u64) {
        let events: Vec<EventId> = request.events.iter().map(|event| event.id).collect();
        let (before, time_ms) = self
            .sent
            .entry(request.id)
            .or_insert_with(|| (events.clone(), request.time_ms));
        assert_eq!(*before, events, "a request has the same events at every attempt");
        if *time_ms != request.time_ms {
            assert!(
                *time_ms + 240_000 < request.time_ms || wall_ms + 2_000 < *time_ms,
                "the bytes stay the same for 240 s, unless they are of the future: {time_ms}, {}",
                request.time_ms
            );
            *time_ms = request.time_ms;
        }
        assert!(
            request.time_ms <= wall_ms + 2_000,
            "no body is of the future: {}",
            request.time_ms
        );
        if request.replay {
            return;
        }
        for event in &request.events {
            let Some(before) = self.cut.insert(event.id, request.id).filter(|cut| *cut != request.id) else {
                continue;
            };
            // A request is parked whole when its oldest event is too old.
            let decided_at = |id: &EventId| self.wanted.get(id).copied().unwrap_or(0);
            let is_too_old = |id: &EventId| decided_at(id) + retry_for < now;
            let of_key = event.state().and_then(|(key, _)| self.keys.get(key));
            // What was asked for no more and then again is announced again.
            if of_key.is_some_and(|picture| picture.was_narrowed) {
                continue;
            }
            assert!(
                self.was_disabled || self.refused.contains(&before) || self.sent[&before].0.iter().any(is_too_old),
                "cut anew though it is neither refused nor too old nor parked: {event:?}"
            );
            if self.refused.contains(&before) {
                continue;
            }
            if let Some((key, _)) = event.state() {
                self.keys.entry(key.clone()).or_default().has_gaps = true;
            }
        }
    }

    /// Tells whether it refuses a request; one that it has it takes again.
    pub fn refuses(&self, request: &Request) -> bool {
        let is_refused = |event: &Event| event.state().is_some_and(|(key, _)| Some(key) == self.refuses.as_ref());
        !self.has.contains(&request.id) && request.events.iter().any(|event| is_refused(event))
    }

    /// It refuses a request, unless it has it; tells whether it does.
    pub fn refuse(&mut self, request: &Request) -> bool {
        let is_new = !self.has.contains(&request.id);
        if is_new {
            self.refused.insert(request.id);
        }
        is_new
    }

    /// It gets a request, whatever it answers.
    pub fn accept(&mut self, request: &Request) {
        self.refused.remove(&request.id);
        if !self.has.insert(request.id) || request.replay {
            return;
        }
        for event in &request.events {
            self.accepted.insert(event.id);
            self.learn(event);
        }
    }

    fn learn(&mut self, event: &Event) {
        let (Some((key, occupied)), Some(seq)) = (event.state(), event.seq()) else {
            return;
        };
        let picture = self.keys.entry(key.clone()).or_default();
        if picture.has_gaps {
            assert!(picture.seq <= seq, "order: {event:?} after {picture:?}");
        } else {
            assert!(picture.seq < seq, "order: {event:?} after {picture:?}");
            assert_ne!(picture.occupied, occupied, "alternation: {event:?} after {picture:?}");
        }
        picture.seq = seq;
        picture.occupied = occupied;
    }

    /// An event became a dead letter.
    pub fn park(&mut self, event: &Event) {
        self.parked.insert(event.id);
        if let Some((key, _)) = event.state() {
            self.keys.entry(key.clone()).or_default().has_gaps = true;
        }
    }

    /// From here on it asks for the key no more.
    pub fn narrow(&mut self, key: &Key) {
        let picture = self.keys.entry(key.clone()).or_default();
        picture.has_gaps = true;
        picture.was_narrowed = true;
    }

    pub fn missing(&self) -> Vec<EventId> {
        let is_there = |id: &&EventId| self.accepted.contains(id) || self.parked.contains(id);
        self.wanted.keys().filter(|id| !is_there(id)).copied().collect()
    }
}
