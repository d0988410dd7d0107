//! What is known of an outbox, for those who ask.

use super::{
    Outbox,
    lane::{Head, wall_ms},
};
use crate::{
    domain::Now,
    ledger::{
        breaker::BreakerState,
        log::EventRef,
        view::{AsideView, Counts},
    },
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

    /// When the earliest request that failed is tried again, in milliseconds since 1970, besides those
    /// that are aside.
    #[must_use]
    pub fn retry_ms(&self, now: Now) -> Option<u64> {
        let heads = self.heads().filter(|head| head.aside.is_none());
        let waiting = heads.filter_map(Head::waits_until).min();
        waiting.map(|at| wall_ms(at, now))
    }

    /// What is aside.
    #[must_use]
    pub fn asides(&self, now: Now) -> Vec<AsideView> {
        let asides = self.lanes.iter().filter_map(|lane| {
            let aside = lane.aside.as_ref()?;
            let head = lane.head.as_ref();
            let in_head = head.and_then(|head| head.entries.first()).map(|(_, entry)| entry);
            let first = in_head.or_else(|| lane.queue.values().next())?;
            Some(AsideView {
                request: head.map(|head| head.id),
                event: EventRef::new(&first.event),
                since_ms: aside.record.since_ms,
                attempts: head.map_or(0, |head| head.attempt),
                status: aside.record.status,
                retry_ms: head.and_then(Head::waits_until).map(|at| wall_ms(at, now)),
                waiting: lane.queue.len() - usize::from(head.is_none()),
            })
        });
        asides.collect()
    }

    /// Most bytes of a body, when an answer of 413 taught that.
    #[must_use]
    pub const fn body_bytes_learned(&self) -> Option<usize> {
        self.body_bytes_max
    }

    fn heads(&self) -> impl Iterator<Item = &Head> {
        let of_lanes = self.lanes.iter().filter_map(|lane| lane.head.as_ref());
        of_lanes.chain(&self.finishing).chain(&self.replays)
    }
}
