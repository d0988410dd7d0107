//! What is known of an outbox, for those who ask.

use super::{
    Outbox,
    lane::{Head, wall_ms},
};
use crate::{
    domain::Now,
    ledger::{breaker::BreakerState, view::Counts},
};

impl Outbox {
    /// Events that wait or are under way.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Tells whether everything was answered.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What it holds, in bytes, by our own sum.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// What its places cost, without the events, in bytes, by our own sum.
    #[must_use]
    pub const fn queue_bytes(&self) -> usize {
        self.len * super::ENTRY_BYTES
    }

    /// What happened since the server started.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Counts changes that were undone within the vacated delay, so that they made no event.
    pub const fn count_flaps(&mut self, count: usize) {
        self.counts.suppressed_flaps += count as u64;
    }

    /// What the breaker is doing.
    #[must_use]
    pub const fn breaker(&self) -> BreakerState {
        self.breaker.state()
    }

    /// Requests that are under way.
    #[must_use]
    pub fn under_way(&self) -> usize {
        self.heads().filter(|head| head.is_under_way()).count()
    }

    /// Events in requests that are under way.
    #[must_use]
    pub fn events_under_way(&self) -> usize {
        let under_way = self.heads().filter(|head| head.is_under_way());
        under_way.map(|head| head.entries.len()).sum()
    }

    /// When the oldest event was stored, in milliseconds since 1970.
    #[must_use]
    pub fn oldest_ms(&self) -> Option<u64> {
        let of_heads = self.heads().flat_map(|head| head.entries.first());
        let of_heads = of_heads.map(|(_, entry)| entry.committed.wall_ms);
        let of_lanes = self.lanes.iter().filter_map(|lane| lane.queue.get_min());
        of_heads.chain(of_lanes.map(|(_, entry)| entry.committed.wall_ms)).min()
    }

    /// When the earliest request that failed is tried again, in milliseconds since 1970.
    #[must_use]
    pub fn retry_ms(&self, now: Now) -> Option<u64> {
        let waiting = self.heads().filter_map(Head::waits_until).min();
        waiting.map(|at| wall_ms(at, now))
    }

    fn heads(&self) -> impl Iterator<Item = &Head> {
        let of_lanes = self.lanes.iter().filter_map(|lane| lane.head.as_ref());
        of_lanes.chain(&self.finishing).chain(&self.replays)
    }
}
