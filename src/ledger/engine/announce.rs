//! Telling an endpoint that was added, or asks for more, of what is occupied already.
//!
//! Wherever a step or a crash ends it, it goes on after the last key that was kept as looked at, so
//! that each key is told once. Keys are looked at in their order, a thousand in a step. Until its turn has come, nothing that
//! happens to such a key is told to the endpoint: its announcement tells the newest.

use std::sync::Arc;

use super::turn::Turn;
use crate::{
    domain::{AppId, EndpointId},
    ledger::{
        edge::Key,
        event::{Event, EventBody},
        filter::Filter,
        log::Logged,
        occupancy::Occupied,
        store::KeyRecord,
    },
};

/// Tells whether an endpoint that asks for what `filter` matches, and asked for what `before`
/// matched, is to be told that a key is occupied.
pub(super) fn is_news(key: &Key, filter: &Filter, before: Option<&Filter>) -> bool {
    let (occupied, _) = key.kinds();
    let matches = |filter: &Filter| filter.matches(occupied, key.channel());
    matches(filter) && !before.is_some_and(matches)
}

impl Turn<'_> {
    /// Goes on with the announcement of an endpoint, if it has one, for at most `limit` keys.
    pub(super) fn announce(&mut self, app_id: &AppId, id: &EndpointId, limit: usize) {
        let Some(endpoint) = self.state.endpoint(app_id, id).cloned().filter(|_| 0 < limit) else {
            return;
        };
        let Some(announcing) = endpoint.announcing.clone() else {
            return;
        };
        let Some(app) = self.state.apps.get(app_id) else {
            return;
        };
        let occupied = app.occupancy.occupied_after(announcing.after.as_ref(), limit);
        let last = occupied.last().map(|occupied| occupied.key.clone());
        let is_done = occupied.len() < limit;
        self.bulk_left = self.bulk_left.saturating_sub(occupied.len());
        for occupied in occupied {
            if is_news(&occupied.key, &endpoint.filter, announcing.before.as_ref()) {
                let event = self.event_of(app_id, occupied);
                self.push(app_id, id, &event);
            }
        }
        if let Some(endpoint) = self.state.endpoint_mut(app_id, id) {
            endpoint.announcing =
                endpoint
                    .announcing
                    .take()
                    .filter(|_| !is_done)
                    .map(|announcing| crate::ledger::AnnouncingRecord {
                        after: last.or(announcing.after),
                        ..announcing
                    });
        }
        self.keep_endpoint(app_id, id);
    }

    /// The event that told of a key, as it was then; a new one if nobody asked for it so far.
    fn event_of(&mut self, app_id: &AppId, occupied: Occupied) -> Arc<Event> {
        let Occupied { key, told, event } = occupied;
        let id = event.unwrap_or_else(|| self.state.counters.next_event());
        let of_key = Arc::new(Event {
            id,
            body: EventBody::State {
                key: key.clone(),
                occupied: true,
                seq: told.seq,
            },
            at_ms: told.since_ms,
        });
        if event.is_none() {
            if let Some(app) = self.state.app_mut(app_id) {
                app.occupancy.told(&key, told.seq, Some(id));
            }
            let record = KeyRecord {
                occupied: true,
                seq: told.seq,
                since_ms: told.since_ms,
                event: id,
            };
            self.changes.keys.insert((app_id.clone(), key), Some(record));
            self.log(app_id, Logged::Decided(Arc::clone(&of_key)));
        }
        of_key
    }
}
