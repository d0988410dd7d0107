//! Keeping within the bound: what goes when there is too much (DESIGN.md section 5).

use super::{EngineLimits, records::EVENT_BYTES, turn::Turn};
use crate::{
    domain::{AppId, EndpointId},
    ledger::{
        event::EventId,
        occupancy::{VACANT_BYTES_MIN, VACANT_KEPT_MAX},
        outbox::BULK_MAX,
        store::{Trim, Usage},
    },
};

impl Turn<'_> {
    /// Lets go of what is too old or too much: the log and the dead letters first, oldest first, then
    /// the records of vacant keys, then events without state of the endpoint with the longest queue,
    /// then its pairs.
    pub(super) fn keep_within_bound(&mut self, limits: &EngineLimits, usage: &Usage) {
        let state_bytes = self.state.bytes();
        let over = |bytes: u64| bytes.saturating_sub(limits.bytes_max);
        let log_max = usage
            .log_bytes
            .saturating_sub(over(state_bytes + usage.log_bytes + usage.dead_bytes))
            .min(limits.log_bytes_max);
        let dead_max = usage
            .dead_bytes
            .saturating_sub(over(state_bytes + log_max.min(usage.log_bytes) + usage.dead_bytes));
        let now_ms = self.lived_ms;
        let before_ms = |kept: std::time::Duration| now_ms.saturating_sub(kept.as_millis() as u64);
        let log_before = before_ms(limits.log_for);
        let dead_before = before_ms(limits.dead_letters_for);
        // More than came in this step, so that what is too much gets less.
        let log_rows_max = BULK_MAX.max(2 * self.changes.log.len());
        let dead_rows_max = BULK_MAX.max(2 * self.changes.dead.len());
        let is_old = |oldest: Option<u64>, before: u64| oldest.is_some_and(|oldest| oldest < before);
        if log_max < usage.log_bytes || is_old(usage.oldest_log_ms, log_before) {
            self.changes.log_trimmed = Trim {
                rows_max: log_rows_max,
                before_ms: log_before,
                bytes_max: log_max,
            };
        }
        if dead_max < usage.dead_bytes || is_old(usage.oldest_dead_ms, dead_before) {
            self.changes.dead_trimmed = Trim {
                rows_max: dead_rows_max,
                before_ms: dead_before,
                bytes_max: dead_max,
            };
        }
        let enough = limits.bytes_max - limits.bytes_max / 20;
        let wanted = if self.state.is_shortening {
            enough
        } else {
            limits.bytes_max
        };
        let state_bytes = match state_bytes.saturating_sub(wanted) {
            0 => state_bytes,
            bytes => self.forget_for_room(bytes),
        };
        let is_enough = state_bytes <= enough;
        let is_too_much = 0 < over(state_bytes) && self.state.shorten_at <= state_bytes;
        // Looking through a queue is dear, so that it is not done for every event at the bound.
        self.state.is_shortening = is_too_much || (self.state.is_shortening && !is_enough);
        if self.state.is_shortening && 0 < self.bulk_left {
            self.shorten_longest(state_bytes, limits.bytes_max);
        }
    }

    /// Forgets vacant keys that are old or too many, up to the limit of a step.
    pub(super) fn forget_vacant(&mut self) {
        let lived_ms = self.lived_ms;
        let apps = self.state.apps.iter();
        let due = apps.filter(|(_, app)| app.occupancy.has_forgettable(lived_ms));
        let ids: Vec<AppId> = due.map(|(id, _)| id.clone()).collect();
        for id in ids {
            self.forget_vacant_of(&id, VACANT_KEPT_MAX);
        }
    }

    /// Forgets vacant keys of an app, those that are old and the oldest of more than `kept_max`, as
    /// many as a step may; gives their number.
    fn forget_vacant_of(&mut self, id: &AppId, kept_max: usize) -> usize {
        let references = self.state.references.clone();
        let (lived_ms, limit) = (self.lived_ms, self.bulk_left);
        let Some(app) = self.state.app_mut(id) else { return 0 };
        let waits = |event: EventId| references.contains_key(&event);
        let forgotten = app.occupancy.forget_vacant(lived_ms, limit, kept_max, waits);
        let count = forgotten.len();
        self.bulk_left -= count;
        let keys = forgotten.into_iter().map(|key| ((id.clone(), key), None));
        self.changes.keys.extend(keys);
        count
    }

    /// Forgets the oldest vacant keys, for so many bytes or a little more, of the apps with the most
    /// first; gives the bytes of what is left. Without its record a key's numbers rise all the same.
    fn forget_for_room(&mut self, bytes: u64) -> u64 {
        let apps = self.state.apps.iter();
        let mut apps: Vec<(usize, AppId)> = apps
            .map(|(id, app)| (app.occupancy.vacant(), id.clone()))
            .filter(|(vacant, _)| 0 < *vacant)
            .collect();
        apps.sort_unstable_by_key(|(vacant, _)| std::cmp::Reverse(*vacant));
        let mut keys = bytes.div_ceil(VACANT_BYTES_MIN as u64) as usize;
        for (vacant, id) in apps {
            keys -= self.forget_vacant_of(&id, vacant.saturating_sub(keys)).min(keys);
            if keys == 0 {
                break;
            }
        }
        self.state.bytes()
    }

    /// Makes the longest queue shorter that can be, of those with more than their share of what the
    /// keys leave. Of the bound that is a half at least, so that keys alone, which stay, do not cost
    /// an endpoint that keeps up what it is about to be told.
    fn shorten_longest(&mut self, bytes: u64, bytes_max: u64) {
        let outboxes = self.state.outboxes();
        let mut queues: Vec<(u64, AppId, EndpointId)> = outboxes
            .map(|(app, id, outbox)| {
                // An event that several queues wait for is held by each of them.
                let bytes = outbox.bytes() as u64 + EVENT_BYTES * outbox.len() as u64;
                (bytes, app.clone(), id.clone())
            })
            .collect();
        queues.sort_by_key(|(bytes, _, _)| std::cmp::Reverse(*bytes));
        let left = bytes_max.saturating_sub(self.state.key_bytes()).max(bytes_max / 2);
        let share = left / queues.len().max(1) as u64;
        for (_, app, id) in queues.iter().filter(|(bytes, _, _)| share < *bytes) {
            let (dropped, folded) = self.shorten(app, id);
            if 0 < dropped + folded {
                log::error!(
                    "app {app} endpoint {id}: the ledger is at its bound, dropped {dropped} events without state \
                     and folded {folded} events into the newest state"
                );
                self.state.shorten_at = 0;
                return;
            }
        }
        // There is nothing to find before more has come.
        self.state.shorten_at = bytes + bytes / 8;
        self.state.is_shortening = false;
    }

    fn shorten(&mut self, app: &AppId, id: &EndpointId) -> (usize, usize) {
        let mut effects = self.effects();
        let Some(endpoint) = self.state.endpoint_mut(app, id) else {
            return (0, 0);
        };
        let dropped = endpoint.outbox.drop_stateless(&mut effects);
        let folded = endpoint.outbox.fold(&mut effects);
        self.absorb(app, id, effects);
        (dropped, folded)
    }
}
