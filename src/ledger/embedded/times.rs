//! How long commits took.

use std::{collections::VecDeque, time::Duration};

use crate::ledger::store::CommitTimes;

/// How many of the last commits are looked at.
const KEPT: usize = 1_000;

/// The durations of the last 1,000 commits.
#[derive(Debug, Default)]
pub(super) struct Times {
    count: u64,
    last_us: VecDeque<u64>,
}

impl Times {
    /// Notes a commit.
    pub(super) fn note(&mut self, took: Duration) {
        self.count += 1;
        if self.last_us.len() == KEPT {
            self.last_us.pop_front();
        }
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.last_us.push_back(us);
    }

    /// How long they took.
    pub(super) fn summary(&self) -> CommitTimes {
        let mut sorted: Vec<u64> = self.last_us.iter().copied().collect();
        sorted.sort_unstable();
        // The least time that so many of a hundred did not exceed.
        let share = |percent: usize| {
            let at = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
            sorted.get(at).copied().unwrap_or_default()
        };
        CommitTimes {
            count: self.count,
            p50_us: share(50),
            p99_us: share(99),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_and_99_of_a_hundred_took_at_most_so_long() {
        let mut times = Times::default();
        assert_eq!(times.summary(), CommitTimes::default());
        for us in (1..=100).rev() {
            times.note(Duration::from_micros(us));
        }
        let want = |count, p50_us, p99_us| CommitTimes { count, p50_us, p99_us };
        assert_eq!(times.summary(), want(100, 50, 99));
        times.note(Duration::from_micros(101));
        assert_eq!(times.summary(), want(101, 51, 100));
    }

    #[test]
    fn only_the_last_1000_are_looked_at() {
        let mut times = Times::default();
        times.note(Duration::from_secs(9));
        for _ in 0..1_000 {
            times.note(Duration::from_micros(7));
        }
        let summary = times.summary();
        assert_eq!((summary.count, summary.p99_us), (1_001, 7));
    }
}
