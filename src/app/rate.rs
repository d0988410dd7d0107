//! How often something may happen, counted by all threads together and without a lock.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

const SECOND_NS: u64 = 1_000_000_000;

/// A token bucket that threads share. It holds a second's worth of tokens, or a burst, and refills steadily.
///
/// It is one number: the moment at which the bucket would be full again, in nanoseconds after its start.
/// Taking a token moves that moment on by the time of one token. If it would then be further away than the
/// time to fill the whole bucket, the bucket is empty.
///
/// The token bucket of a connection counts exactly, but has one owner, since its level and the time of it do
/// not fit one atomic number.
#[derive(Debug)]
pub struct Rate {
    started_at: Instant,
    /// The time of one token.
    token_ns: u64,
    /// The time to fill the bucket.
    fill_ns: u64,
    full_at_ns: AtomicU64,
}

impl Rate {
    /// Starts with a full bucket; 1 to 1,000,000 a second, and what is outside counts as the end of
    /// that range that it is nearer to.
    #[must_use]
    pub fn new(per_second: u32, now: Instant) -> Self {
        Self {
            started_at: now,
            token_ns: SECOND_NS / u64::from(per_second.clamp(1, 1_000_000)),
            fill_ns: SECOND_NS,
            full_at_ns: AtomicU64::new(0),
        }
    }

    /// The same with a bucket of `burst` tokens, at least one.
    #[must_use]
    pub fn with_burst(per_second: u32, burst: u32, now: Instant) -> Self {
        let rate = Self::new(per_second, now);
        let fill_ns = rate.token_ns * u64::from(burst.max(1));
        Self { fill_ns, ..rate }
    }

    /// Takes a token if there is one.
    ///
    /// # Errors
    /// How long it is until there is one, if nobody else takes it.
    pub fn take(&self, now: Instant) -> Result<(), Duration> {
        let elapsed = now.saturating_duration_since(self.started_at);
        let now_ns = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
        let next = |full_at_ns: u64| {
            let next = full_at_ns.max(now_ns).saturating_add(self.token_ns);
            (next <= now_ns.saturating_add(self.fill_ns)).then_some(next)
        };
        let taken = self.full_at_ns.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        taken.map(|_| ()).map_err(|full_at_ns| {
            let ready_ns = full_at_ns.saturating_add(self.token_ns).saturating_sub(self.fill_ns);
            Duration::from_nanos(ready_ns.saturating_sub(now_ns))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{AppLimits, Now, Pace};

    /// Takes tokens at a moment until the bucket is empty. Gives how many it took, and the wait for the next.
    fn take_all(rate: &Rate, now: Instant) -> (usize, Duration) {
        let mut count = 0;
        loop {
            match rate.take(now) {
                Ok(()) => count += 1,
                Err(wait) => return (count, wait),
            }
        }
    }

    #[test]
    fn a_second_is_worth_as_many_as_the_rate_says() {
        let t0 = Now::of_test().instant;
        for (per_second, wait_ns) in [(1, 1_000_000_000), (4, 250_000_000), (1_000, 1_000_000)] {
            let rate = Rate::new(per_second, t0);
            let many = usize::try_from(per_second).expect("few");
            assert_eq!(take_all(&rate, t0), (many, Duration::from_nanos(wait_ns)));
            let later = t0 + Duration::from_secs(100);
            assert_eq!(take_all(&rate, later), (many, Duration::from_nanos(wait_ns)));
        }
    }

    #[test]
    fn a_burst_is_another_number_than_the_rate() {
        let t0 = Now::of_test().instant;
        for (burst, want) in [(50, 50), (1, 1), (0, 1)] {
            let rate = Rate::with_burst(10, burst, t0);
            assert_eq!(take_all(&rate, t0), (want, Duration::from_millis(100)), "{burst}");
            let later = t0 + Duration::from_millis(2_000);
            assert_eq!(take_all(&rate, later).0, want.min(20), "{burst}");
        }
    }

    #[test]
    fn unless_set_50_000_clients_come_back_at_once_and_a_stranger_begins_few_channels_more_in_a_minute() {
        let t0 = Now::of_test().instant;
        let of = |pace: Option<Pace>| {
            let Pace { per_second, burst } = pace.expect("a default");
            Rate::with_burst(per_second, burst, t0)
        };
        let limits = AppLimits::default();
        let (channels, subscriptions) = (of(limits.public_channels), of(limits.public_subscriptions));
        assert_eq!(take_all(&channels, t0).0, 50_000);
        assert_eq!(take_all(&subscriptions, t0).0, 10 * 50_000);
        let begun: usize = (1..=60)
            .map(|s| take_all(&channels, t0 + Duration::from_secs(s)).0)
            .sum();
        // Each makes one event when it begins and one when it ends.
        assert!(2 * (50_000 + begun) < 200_000, "{begun}");
        assert_eq!(begun, 12_000);
    }

    #[test]
    fn a_token_is_there_when_the_wait_is_over_and_not_before() {
        let t0 = Now::of_test().instant;
        let rate = Rate::new(3, t0);
        let (_, wait) = take_all(&rate, t0);
        let moment = Duration::from_nanos(1);
        assert_eq!(rate.take(t0 + wait - moment), Err(moment));
        assert_eq!(rate.take(t0 + wait), Ok(()));
        assert_eq!(rate.take(t0 + wait), Err(Duration::from_nanos(333_333_333)));
    }

    #[test]
    fn refusals_cost_nothing_and_a_clock_that_stands_still_harms_nothing() {
        let t0 = Now::of_test().instant;
        let rate = Rate::new(2, t0 + Duration::from_secs(5));
        assert_eq!(take_all(&rate, t0).0, 2);
        for _ in 0..1_000 {
            assert_eq!(rate.take(t0), Err(Duration::from_millis(500)));
        }
        assert_eq!(take_all(&rate, t0 + Duration::from_millis(5_500)).0, 1);
    }

    #[test]
    fn a_rate_outside_its_range_is_the_nearest_within() {
        let t0 = Now::of_test().instant;
        assert_eq!(take_all(&Rate::new(0, t0), t0).0, 1);
        assert_eq!(take_all(&Rate::new(u32::MAX, t0), t0).0, 1_000_000);
    }

    #[test]
    fn threads_together_take_no_more_than_there_is() {
        let t0 = Now::of_test().instant;
        let rate = Rate::new(1_000, t0);
        let counts = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| take_all(&rate, t0).0)).collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("ends"))
                .sum::<usize>()
        });
        assert_eq!(counts, 1_000);
    }
}
