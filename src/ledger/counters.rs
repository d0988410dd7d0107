//! The numbers that are handed out once.

use crate::domain::Now;

use super::{event::EventId, window::RequestId};

/// The least by which the ids leap at a start. No run gives as many.
const LEAP_MIN: u64 = 1 << 32;
/// How many random numbers a leap is drawn from. Of a ledger that was put back from a backup, a run
/// that gives `n` ids meets those of another run since the backup with a chance of some `4 n / 2^48`:
/// 1.4e-7 for ten million.
const LEAPS: u64 = 1 << 48;
/// The ids of a new ledger begin below this: there is room for 49,000 of the longest leaps above it,
/// a restart every hour for more than five years. Past them the ids begin anew below it, at random.
const FIRST_MAX: u64 = 1 << 62;

/// How far the time in a body may be ahead of the clock.
const AHEAD_MAX_MS: u64 = 2_000;

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
    /// The last time in a body, in milliseconds since 1970.
    pub time_ms: u64,
    /// What was lived when the ledger was last written, in milliseconds since 1970; 0: not known.
    pub lived_ms: u64,
}

impl Counters {
    /// Those of a new ledger. `random` gives the ids from which those of events and requests count up:
    /// a receiver that knows an id of an earlier ledger would take a new one for a repeated one.
    #[must_use]
    pub const fn new(random: u128) -> Self {
        let (event, request) = halves(random);
        Self {
            seq: 0,
            event: event % FIRST_MAX,
            request: request % FIRST_MAX,
            log: 0,
            dead: 0,
            time_ms: 0,
            lived_ms: 0,
        }
    }

    /// Leaps ahead with the ids of events and requests, by 2^32 or more and at random. Each start does
    /// so: the ledger may be an older copy of itself, and ids that it gave since would be given again.
    ///
    /// The numbers of the log and of the dead letters go on without a leap: they name lines of this
    /// file, and no receiver sees them. A leap that is lost before an id was given is one that nobody
    /// needed, so that it is stored with the first step that gives one.
    pub const fn leap(&mut self, random: u128) {
        let (event, request) = halves(random);
        self.event = leapt(self.event, event);
        self.request = leapt(self.request, request);
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

    /// The time in a body that is made now: that of the clock, or that of the body before if it is
    /// later by up to 2 s. So it does not fall when a clock is corrected by a little, and never lies
    /// further ahead, whatever the clock did.
    pub const fn next_time_ms(&mut self, now: Now) -> u64 {
        if self.time_ms < now.wall_ms || is_ahead(self.time_ms, now) {
            self.time_ms = now.wall_ms;
        }
        self.time_ms
    }
}

/// Tells whether a time in a body lies ahead of the clock, so that the clock was wrong when it was
/// made. A receiver may refuse it.
pub(super) const fn is_ahead(time_ms: u64, now: Now) -> bool {
    now.wall_ms.saturating_add(AHEAD_MAX_MS) < time_ms
}

const fn halves(random: u128) -> (u64, u64) {
    (random as u64, (random >> 64) as u64)
}

/// Where ids go on after a leap from `last`.
const fn leapt(last: u64, random: u64) -> u64 {
    // As much room is left to count in.
    const LAST: u64 = u64::MAX - LEAPS;
    match last.checked_add(LEAP_MIN + random % LEAPS) {
        Some(id) if id <= LAST => id,
        Some(_) | None => random % FIRST_MAX,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    /// What may happen to a ledger.
    #[derive(Debug, Clone)]
    enum Happens {
        /// A step gives this number of ids of events and of requests, and is stored.
        Step(u16),
        /// A step gives this number of ids and fails. It is undone, and none of them was handed out.
        Failure(u16),
        /// The server starts again on what was stored last.
        Start(u128),
        /// A copy of some earlier state is put in the ledger's place, and the server starts.
        Restore(prop::sample::Index, u128),
    }

    fn happens() -> impl Strategy<Value = Happens> {
        prop_oneof![
            4 => (1..1_000_u16).prop_map(Happens::Step),
            1 => (1..1_000_u16).prop_map(Happens::Failure),
            1 => any::<u128>().prop_map(Happens::Start),
            2 => any::<(prop::sample::Index, u128)>().prop_map(|(index, random)| Happens::Restore(index, random)),
        ]
    }

    proptest! {
        #[test]
        fn a_ledger_that_goes_on_from_any_earlier_state_of_itself_gives_no_id_twice(
            random: u128,
            history in prop::collection::vec(happens(), 1..60),
        ) {
            let mut counters = Counters::new(random);
            let mut stored = vec![counters];
            let (mut events, mut requests) = (HashSet::new(), HashSet::new());
            for happens in history {
                match happens {
                    Happens::Step(count) => {
                        for _ in 0..count {
                            prop_assert!(events.insert(counters.next_event()));
                            prop_assert!(requests.insert(counters.next_request()));
                        }
                        stored.push(counters);
                    }
                    Happens::Failure(count) => {
                        let before = counters;
                        for _ in 0..count {
                            counters.next_event();
                        }
                        counters = before;
                    }
                    Happens::Start(random) => {
                        counters = *stored.last().expect("it began with one");
                        counters.leap(random);
                    }
                    Happens::Restore(index, random) => {
                        counters = *index.get(&stored);
                        counters.leap(random);
                    }
                }
            }
        }
    }

    #[test]
    fn ids_leap_by_2_to_the_32_and_up_to_2_to_the_48_more() {
        let mut counters = Counters::new((5 << 64) | 9);
        assert_eq!((counters.event, counters.request), (9, 5));
        counters.leap(0);
        assert_eq!((counters.event, counters.request), ((1 << 32) + 9, (1 << 32) + 5));
        let before = counters;
        counters.leap(u128::MAX);
        let longest = (1 << 32) + (1 << 48) - 1;
        assert_eq!(counters.event, before.event + longest);
        assert_eq!(counters.request, before.request + longest);
        // Those of lines of the file do not.
        counters.next_log();
        counters.next_dead();
        counters.leap(1);
        assert_eq!((counters.log, counters.dead, counters.seq), (1, 1, 0));
    }

    #[test]
    fn there_is_room_for_49000_starts_and_past_it_ids_begin_anew_at_random() {
        let mut counters = Counters::new(u128::MAX);
        assert_eq!(counters.event, (1 << 62) - 1);
        for _ in 0..49_000 {
            let before = counters;
            counters.leap(u128::MAX);
            assert!(before.event < counters.event && before.request < counters.request);
        }
        counters.event = u64::MAX - (1 << 48);
        counters.request = counters.event - (1 << 32);
        counters.leap(77);
        assert_eq!(counters.event, 77, "so much room is left to count in");
        counters.request = u64::MAX - (1 << 48) - (1 << 32);
        counters.leap(0);
        assert_eq!(counters.request, u64::MAX - (1 << 48), "just within it");
        counters.event = u64::MAX;
        counters.leap((1 << 63) | 5);
        assert_eq!(counters.event, 5);
    }

    #[test]
    fn each_number_is_one_more_than_the_last() {
        let mut counters = Counters::new((10 << 64) | 10);
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
    fn the_time_in_a_body_follows_the_wall_clock_and_falls_only_by_more_than_2_s() {
        let mut counters = Counters::new(0);
        let now = Now::of_test();
        assert_eq!(counters.next_time_ms(now), now.wall_ms);
        assert_eq!(counters.next_time_ms(now.ms(2_000)), now.wall_ms + 2_000);
        assert_eq!(counters.next_time_ms(now), now.wall_ms + 2_000);
        assert_eq!(counters.next_time_ms(now.ms(1)), now.wall_ms + 2_000);
        assert_eq!(counters.next_time_ms(now.ms(2_001)), now.wall_ms + 2_001);
        assert_eq!(counters.next_time_ms(now), now.wall_ms);
        assert_eq!(
            (is_ahead(now.wall_ms + 2_000, now), is_ahead(now.wall_ms + 2_001, now)),
            (false, true)
        );
    }

    proptest! {
        #[test]
        fn whatever_the_clock_does_the_time_in_a_body_is_now_or_up_to_2_s_later(
            clock in prop::collection::vec(prop_oneof![any::<u64>(), 0..10_000_u64], 1..50),
        ) {
            let mut counters = Counters::new(0);
            for wall_ms in clock {
                let time_ms = counters.next_time_ms(Now { wall_ms, ..Now::of_test() });
                prop_assert!((wall_ms..=wall_ms.saturating_add(2_000)).contains(&time_ms));
            }
        }
    }
}
