//! How often a client may do something (PROTOCOL.md section 7).

use std::time::{Duration, Instant};

/// One token, in the unit that the level is counted in.
const TOKEN: u64 = 1_000_000_000;

/// A token bucket, in 32 bytes.
///
/// It holds up to `capacity` tokens and gains `per_second` of them a second, steadily. The level is
/// counted in billionths of a token, of which a nanosecond brings `per_second`: nothing is rounded,
/// so nothing drifts.
///
/// It is not an [`app::Rate`](crate::app::Rate), which threads share as one atomic number: that holds a
/// second's worth and no other burst, and rounds what a token takes to nanoseconds.
#[derive(Debug)]
pub struct TokenBucket {
    /// The moment of `level`.
    updated_at: Instant,
    level: u64,
    capacity: u32,
    per_second: u32,
}

impl TokenBucket {
    /// Starts with a full bucket. For both numbers 0 counts as 1.
    #[must_use]
    pub fn new(capacity: u32, per_second: u32, now: Instant) -> Self {
        let (capacity, per_second) = (capacity.max(1), per_second.max(1));
        Self {
            updated_at: now,
            level: u64::from(capacity) * TOKEN,
            capacity,
            per_second,
        }
    }

    /// Takes a token if there is one, and tells whether there was.
    pub fn take(&mut self, now: Instant) -> bool {
        self.level = self.level_at(now);
        self.updated_at = self.updated_at.max(now);
        match self.level.checked_sub(TOKEN) {
            Some(rest) => {
                self.level = rest;
                true
            }
            None => false,
        }
    }

    /// The first moment, not before `now`, at which a token can be taken if none is until then.
    #[must_use]
    pub fn ready_at(&self, now: Instant) -> Instant {
        let missing = TOKEN.saturating_sub(self.level_at(now));
        let wait = Duration::from_nanos(missing.div_ceil(self.per_second.into()));
        self.updated_at.max(now) + wait
    }

    /// The level at `now`; a moment before the last update is that of the update.
    fn level_at(&self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.updated_at);
        let elapsed_ns = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
        let gained = elapsed_ns.saturating_mul(self.per_second.into());
        let full = u64::from(self.capacity) * TOKEN;
        self.level.saturating_add(gained).min(full)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Now;

    const fn ns(ns: u64) -> Duration {
        Duration::from_nanos(ns)
    }

    /// How many tokens can be taken at once at `now`.
    fn drain(bucket: &mut TokenBucket, now: Instant) -> usize {
        (0..1_000).take_while(|_| bucket.take(now)).count()
    }

    #[test]
    fn a_full_bucket_gives_its_capacity_at_once() {
        let t0 = Now::of_test().instant;
        assert_eq!(drain(&mut TokenBucket::new(10, 3, t0), t0), 10);
    }

    #[test]
    fn an_empty_bucket_gains_its_rate_in_a_second() {
        let t0 = Now::of_test().instant;
        let mut bucket = TokenBucket::new(10, 4, t0);
        drain(&mut bucket, t0);
        assert_eq!(drain(&mut bucket, t0 + ns(249_999_999)), 0);
        assert_eq!(drain(&mut bucket, t0 + ns(250_000_000)), 1);
        assert_eq!(drain(&mut bucket, t0 + ns(999_999_999)), 2);
        assert_eq!(drain(&mut bucket, t0 + ns(1_000_000_000)), 1);
    }

    #[test]
    fn a_bucket_never_holds_more_than_its_capacity() {
        let t0 = Now::of_test().instant;
        let mut bucket = TokenBucket::new(5, 10, t0);
        assert_eq!(drain(&mut bucket, t0 + ns(60_000_000_000)), 5);
        assert_eq!(drain(&mut bucket, t0 + ns(3_600_000_000_000)), 5);
    }

    #[test]
    fn polling_often_with_an_odd_rate_loses_and_gains_nothing() {
        let t0 = Now::of_test().instant;
        let mut bucket = TokenBucket::new(1, 7, t0);
        let mut taken = 0;
        for step in 0..=100_003 {
            taken += u32::from(bucket.take(t0 + ns(step * 99_991)));
        }
        // 100,003 steps of 99,991 ns are 9.9994 s, in which 69 tokens came to the first.
        assert_eq!(taken, 70);
    }

    #[test]
    fn a_bucket_tells_when_the_next_token_is_there() {
        let t0 = Now::of_test().instant;
        let mut bucket = TokenBucket::new(2, 3, t0);
        assert_eq!(bucket.ready_at(t0), t0);
        assert!(bucket.take(t0));
        assert_eq!(bucket.ready_at(t0 + ns(5)), t0 + ns(5));
        assert!(bucket.take(t0));
        assert_eq!(bucket.ready_at(t0), t0 + ns(333_333_334));
        assert_eq!(bucket.ready_at(t0 + ns(100)), t0 + ns(333_333_334));
        assert!(!bucket.take(t0 + ns(333_333_333)));
        assert_eq!(bucket.ready_at(t0 + ns(333_333_333)), t0 + ns(333_333_334));
        assert!(bucket.take(t0 + ns(333_333_334)));
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing() {
        let t0 = Now::of_test().instant;
        let t1 = t0 + ns(1_000_000_000);
        let mut bucket = TokenBucket::new(1, 1, t1);
        assert!(bucket.take(t1));
        assert!(!bucket.take(t0));
        assert!(!bucket.take(t1));
        assert_eq!(bucket.ready_at(t0), t1 + ns(1_000_000_000));
    }

    #[test]
    fn zeros_count_as_one() {
        let t0 = Now::of_test().instant;
        let mut bucket = TokenBucket::new(0, 0, t0);
        assert_eq!(drain(&mut bucket, t0), 1);
        assert_eq!(bucket.ready_at(t0), t0 + ns(1_000_000_000));
    }

    #[test]
    fn the_largest_numbers_do_not_overflow() {
        let t0 = Now::of_test().instant;
        let mut bucket = TokenBucket::new(u32::MAX, u32::MAX, t0);
        assert!(bucket.take(t0));
        assert_eq!(bucket.ready_at(t0 + ns(u64::MAX / 8)), t0 + ns(u64::MAX / 8));
        assert!(bucket.take(t0 + ns(u64::MAX / 8)));
        assert_eq!(bucket.level, (u64::from(u32::MAX) - 1) * TOKEN);
    }

    #[test]
    fn a_bucket_is_small() {
        assert_eq!(size_of::<TokenBucket>(), 32);
    }
}
