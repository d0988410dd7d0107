//! Keeping within the bound: what goes when there is too much (DESIGN.md section 5).

use super::{EngineLimits, turn::Turn};
use crate::{
    domain::{AppId, EndpointId},
    ledger::{
        outbox::BULK_MAX,
        store::{Trim, Usage},
    },
};

impl Turn<'_> {
    /// Lets go of what is too old or too much: the log and the dead letters first, oldest first, then
    /// events without state of the endpoint with the longest queue, then its pairs.
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
        let now_ms = self.now.wall_ms;
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
        let is_enough = state_bytes <= limits.bytes_max - limits.bytes_max / 20;
        let is_too_much = 0 < over(state_bytes) && self.state.shorten_at <= state_bytes;
        // Looking through a queue is dear, so that it is not done for every event at the bound.
        self.state.is_shortening = is_too_much || (self.state.is_shortening && !is_enough);
        if self.state.is_shortening && 0 < self.bulk_left {
            self.shorten_longest(state_bytes, limits.bytes_max);
        }
    }

    /// Makes the longest queue shorter that can be, of those with more than their share.
    fn shorten_longest(&mut self, bytes: u64, bytes_max: u64) {
        let outboxes = self.state.outboxes();
        let mut queues: Vec<(u64, AppId, EndpointId)> = outboxes
            .map(|(app, id, outbox)| (outbox.bytes() as u64, app.clone(), id.clone()))
            .collect();
        queues.sort_by_key(|(bytes, _, _)| std::cmp::Reverse(*bytes));
        let share = bytes_max / queues.len().max(1) as u64;
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
