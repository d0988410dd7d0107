//! The records that come of a step.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    sync::Arc,
};

use super::{Reference, turn::Turn};
use crate::{
    domain::{AppId, EndpointId},
    ledger::{
        event::{Event, EventId},
        log::{DeadLetter, EventRef, LogEntry, Logged},
        outbox::Effects,
    },
};

/// What an event costs besides its JSON, in bytes.
pub(super) const EVENT_BYTES: u64 = 128;

/// Which records in the changes replace others of the same key, so that they leave something to
/// remove when they go in the same step.
#[derive(Debug, Default)]
pub(super) struct Replaced {
    queued: BTreeSet<(AppId, EndpointId, u64)>,
    events: BTreeSet<EventId>,
}

impl Turn<'_> {
    /// Effects that come of what an outbox does in this step.
    pub(super) fn effects(&self) -> Effects {
        Effects {
            bulk_left: self.bulk_left,
            ..Effects::default()
        }
    }

    /// Keeps what an outbox's step has become.
    pub(super) fn absorb(&mut self, app: &AppId, id: &EndpointId, effects: Effects) {
        self.bulk_left = effects.bulk_left;
        for (place, record) in effects.queued {
            let key = (app.clone(), id.clone(), place);
            put(&mut self.changes.queued, &mut self.replaced.queued, key, record);
        }
        for (request, record) in effects.requests {
            let key = (app.clone(), id.clone(), request);
            self.changes.requests.insert(key, record);
        }
        for (event, because) in effects.parked {
            let line = Logged::Parked {
                endpoint: id.clone(),
                because,
                event: EventRef::new(&event),
            };
            self.log(app, line);
            let letter = DeadLetter {
                no: self.state.counters.next_dead(),
                at_ms: self.now.wall_ms,
                app: app.clone(),
                endpoint: id.clone(),
                because,
                event,
                replayed_ms: None,
            };
            self.changes.dead.push(letter);
        }
        for event in effects.settled {
            self.release(event);
        }
    }

    pub(super) fn keep_endpoint(&mut self, app: &AppId, id: &EndpointId) {
        if let Some(endpoint) = self.state.endpoint(app, id) {
            let record = endpoint.record();
            self.changes.endpoints.insert((app.clone(), id.clone()), Some(record));
        }
    }

    pub(super) fn log(&mut self, app: &AppId, what: Logged) {
        let entry = LogEntry {
            no: self.state.counters.next_log(),
            at_ms: self.now.wall_ms,
            app: app.clone(),
            what,
        };
        self.changes.log.push(entry);
    }

    /// Counts a reference to an event; the first keeps it.
    pub(super) fn refer(&mut self, event: &Arc<Event>) {
        let bytes = EVENT_BYTES + event.json_bytes(true) as u64;
        let reference = self
            .state
            .references
            .entry(event.id)
            .or_insert(Reference { count: 0, bytes });
        reference.count += 1;
        if reference.count == 1 {
            self.state.event_bytes += bytes;
            let (events, replaced) = (&mut self.changes.events, &mut self.replaced.events);
            put(events, replaced, event.id, Some(Arc::clone(event)));
        }
    }

    /// Counts one reference less; the last lets go of the event.
    pub(super) fn release(&mut self, id: EventId) {
        let Some(reference) = self.state.references.get_mut(&id) else {
            return;
        };
        reference.count -= 1;
        if 0 < reference.count {
            return;
        }
        self.state.event_bytes -= reference.bytes;
        self.state.references.remove(&id);
        put(&mut self.changes.events, &mut self.replaced.events, id, None);
    }
}

/// Puts a record into the changes. However often one is put, the changes leave of it what the last
/// one leaves; one that came and went in the same step leaves nothing to do.
pub(super) fn put<K: Clone + Ord, V>(
    changes: &mut BTreeMap<K, Option<V>>,
    replaced: &mut BTreeSet<K>,
    key: K,
    record: Option<V>,
) {
    match (changes.entry(key), record) {
        (Entry::Vacant(entry), record) => {
            entry.insert(record);
        }
        (Entry::Occupied(entry), None) if entry.get().is_some() && !replaced.contains(entry.key()) => {
            entry.remove();
        }
        (Entry::Occupied(mut entry), record) => {
            if entry.get().is_none() && record.is_some() {
                replaced.insert(entry.key().clone());
            }
            entry.insert(record);
        }
    }
}
