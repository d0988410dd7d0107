//! The numbers that are handed out once.

use crate::domain::Now;

use super::{event::EventId, window::RequestId};

/// The numbers that are handed out once: each is the last one handed out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// The greatest `seq` of any key.
    pub seq: u64,
    /// The id of the newest event.
    pub event: u64,
    /// The id of the newest request.
    pub request: u64,
    /// The number of the newest line of the log.
    pub log: u64,
    /// The number of the newest dead letter.
    pub dead: u64,
    /// The latest time in a body, in milliseconds since 1970; it never falls.
    pub time_ms: u64,
}

impl Counters {
    /// Those of a new ledger. `first` should be random: ids of events and requests count up from it,
    /// and a receiver that knows an id of an earlier ledger would take a new one for a repeated one.
    #[must_use]
    pub const fn new(first: u64) -> Self {
        Self {
            seq: 0,
            // Room to count, and a long way between two ledgers.
            event: first >> 1,
            request: first >> 1,
            log: 0,
            dead: 0,
            time_ms: 0,
        }
    }

    /// The number of a change at `at` of a key whose last number was `last`.
    ///
    /// The later of `last + 1` and the wall clock in milliseconds; for a key without a record, above
    /// everything handed out so far.
    pub fn next_seq(&mut self, last: Option<u64>, at: Now) -> u64 {
        let seq = at.wall_ms.max(last.unwrap_or(self.seq) + 1);
        self.seq = self.seq.max(seq);
        seq
    }

    /// The id of a new event.
    pub const fn next_event(&mut self) -> EventId {
        self.event += 1;
        EventId(self.event)
    }

    /// The id of a new request.
    pub const fn next_request(&mut self) -> RequestId {
        self.request += 1;
        RequestId(self.request)
    }

    /// The number of a new line of the log.
    pub const fn next_log(&mut self) -> u64 {
        self.log += 1;
        self.log
    }

    /// The number of a new dead letter.
    pub const fn next_dead(&mut self) -> u64 {
        self.dead += 1;
        self.dead
    }

    /// The time in a body that is made now.
    pub fn next_time_ms(&mut self, now: Now) -> u64 {
        self.time_ms = self.time_ms.max(now.wall_ms);
        self.time_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_one_more_than_the_last() {
        let mut counters = Counters::new(21);
        assert_eq!(
            (counters.next_event(), counters.next_event()),
            (EventId(11), EventId(12))
        );
        assert_eq!(
            (counters.next_request(), counters.next_request()),
            (RequestId(11), RequestId(12))
        );
        assert_eq!(
            (counters.next_log(), counters.next_log(), counters.next_log()),
            (1, 2, 3)
        );
        assert_eq!(
            (counters.next_dead(), counters.next_dead(), counters.next_dead()),
            (1, 2, 3)
        );
    }

    #[test]
    fn the_time_in_a_body_follows_the_wall_clock_and_never_falls() {
        let mut counters = Counters::new(0);
        let now = Now::of_test();
        assert_eq!(counters.next_time_ms(now), now.wall_ms);
        assert_eq!(counters.next_time_ms(now.ms(5)), now.wall_ms + 5);
        assert_eq!(counters.next_time_ms(now), now.wall_ms + 5);
    }
}
