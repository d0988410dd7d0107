//! When the subscribers of a channel are told how many they are (PROTOCOL.md section 2.10).

use std::time::{Duration, Instant};

/// Most subscribers with which every change of their count is told.
const EVERY_CHANGE_MAX: usize = 100;
/// Least time between what was told last and a count above that.
const INTERVAL: Duration = Duration::from_secs(5);

/// Decides which changes of a channel's subscription count are told.
///
/// Up to 100 subscribers all are, so the leaving of the last one, which makes the count 0, always
/// is. Above 100 a change is told when nothing was told for 5 s; what was not told is due then.
#[derive(Debug, Default)]
pub struct CountThrottle {
    told_at: Option<Instant>,
    /// Whether the count changed since it was told.
    owes: bool,
}

impl CountThrottle {
    /// Takes in that the count is now this, and returns whether to tell it.
    ///
    /// It is also what to call with the current count at the moment that [`due_at`](Self::due_at)
    /// gives.
    pub fn on_change(&mut self, count: usize, now: Instant) -> bool {
        let quiet = self.told_at.is_none_or(|told_at| told_at + INTERVAL <= now);
        let tell = count <= EVERY_CHANGE_MAX || quiet;
        if tell {
            self.told_at = Some(now);
        }
        self.owes = !tell;
        tell
    }

    /// The moment at which a count that was not told is to be, unless a later change is told
    /// before. None when the last count was told.
    #[must_use]
    pub fn due_at(&self) -> Option<Instant> {
        self.told_at.filter(|_| self.owes).map(|told_at| told_at + INTERVAL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Now;

    struct Check {
        throttle: CountThrottle,
        now: Now,
    }

    impl Check {
        fn new() -> Self {
            Self {
                throttle: CountThrottle::default(),
                now: Now::of_test(),
            }
        }

        #[track_caller]
        fn changes(&mut self, ms: u64, count: usize, told: bool) -> &mut Self {
            let got = self.throttle.on_change(count, self.now.ms(ms).instant);
            assert_eq!(got, told, "{count} at {ms} ms");
            self
        }

        #[track_caller]
        fn is_due(&mut self, ms: Option<u64>) -> &mut Self {
            assert_eq!(self.throttle.due_at(), ms.map(|ms| self.now.ms(ms).instant));
            self
        }
    }

    #[test]
    fn up_to_100_subscribers_every_change_is_told() {
        let mut check = Check::new();
        for count in (1..=100).chain((0..100).rev()) {
            check.changes(0, count, true).is_due(None);
        }
    }

    #[test]
    fn above_100_subscribers_a_change_is_told_every_5_s() {
        Check::new()
            .is_due(None)
            .changes(0, 101, true)
            .is_due(None)
            .changes(1, 102, false)
            .is_due(Some(5_000))
            .changes(4_999, 103, false)
            .is_due(Some(5_000))
            .changes(5_000, 104, true)
            .is_due(None)
            .changes(9_999, 105, false)
            .is_due(Some(10_000))
            .changes(30_000, 106, true)
            .changes(34_999, 105, false)
            .changes(35_001, 106, true);
    }

    #[test]
    fn a_count_of_100_or_less_is_told_whatever_was_told_just_before() {
        Check::new()
            .changes(0, 101, true)
            .changes(1, 100, true)
            .changes(2, 101, false)
            .is_due(Some(5_001))
            .changes(3, 100, true)
            .is_due(None)
            .changes(4, 0, true);
    }

    #[test]
    fn zero_is_told_from_any_count() {
        Check::new()
            .changes(0, 5_000, true)
            .changes(1, 4_999, false)
            .changes(2, 0, true)
            .is_due(None);
    }

    #[test]
    fn a_clock_that_goes_back_tells_nothing_early() {
        Check::new().changes(6_000, 101, true).changes(0, 102, false);
    }
}
