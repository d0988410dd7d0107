//! What an operator does with an endpoint.

use std::sync::Arc;

use super::turn::Turn;
use crate::{
    domain::{AppId, EndpointId},
    ledger::{event::Event, log::DeadMark, window::Mode},
};

impl Turn<'_> {
    /// Sets a mode. Setting the present one changes nothing.
    pub(super) fn set_mode(&mut self, app: &AppId, id: &EndpointId, mode: Mode) {
        let mut effects = self.effects();
        let endpoint = self.state.endpoint_mut(app, id);
        let Some(endpoint) = endpoint.filter(|endpoint| endpoint.outbox.mode() != mode) else {
            return;
        };
        endpoint.outbox.set_mode(mode, self.now, &mut effects);
        self.keep_endpoint(app, id);
        self.absorb(app, id, effects);
    }

    /// Tries now what waits after a failure.
    pub(super) fn retry(&mut self, app: &AppId, id: &EndpointId) {
        let mut effects = self.effects();
        if let Some(endpoint) = self.state.endpoint_mut(app, id) {
            endpoint.outbox.retry(self.now, &mut effects);
        }
        self.absorb(app, id, effects);
    }

    /// Marks dead letters; those that are gone are passed over.
    pub(super) fn mark_dead(&mut self, letters: &[u64], mark: DeadMark) {
        self.changes.dead_marked.extend(letters.iter().map(|no| (*no, mark)));
    }

    /// Queues events once more, and marks the dead letters that some of them come from.
    pub(super) fn replay(&mut self, app: &AppId, id: &EndpointId, events: &[Arc<Event>], letters: &[u64]) {
        if self.state.endpoint(app, id).is_none() {
            return;
        }
        for event in events {
            self.refer(event);
        }
        let mut effects = self.effects();
        let mut counters = self.state.counters;
        if let Some(endpoint) = self.state.endpoint_mut(app, id) {
            endpoint
                .outbox
                .replay(events.to_vec(), self.now, &mut counters, &mut effects);
        }
        self.state.counters = counters;
        self.absorb(app, id, effects);
        self.mark_dead(letters, DeadMark::Replayed(self.now.wall_ms));
    }
}
