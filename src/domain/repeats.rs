//! Events that are logged once and then counted.

use std::time::{Duration, Instant};

/// Counts events that strangers can cause at any rate, so that the log gets only a few lines about them.
#[derive(Debug)]
pub struct Repeats {
    lines_max: u32,
    /// When the current period began.
    since: Option<Instant>,
    /// The lines in it.
    lines: u32,
    /// How many there were since the last line.
    count: u64,
}

impl Repeats {
    /// The length of a period.
    pub const PERIOD: Duration = Duration::from_secs(10);

    /// Allows up to `lines_max` lines in each period.
    #[must_use]
    pub const fn new(lines_max: u32) -> Self {
        Self {
            lines_max,
            since: None,
            lines: 0,
            count: 0,
        }
    }

    /// Counts one event. If it may be logged, gives how many there were since the last line, including this one.
    pub fn count(&mut self, now: Instant) -> Option<u64> {
        self.count += 1;
        if self.since.is_none_or(|since| since + Self::PERIOD <= now) {
            self.since = Some(now);
            self.lines = 0;
        }
        if self.lines_max <= self.lines {
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.count))
    }
}

impl Default for Repeats {
    /// Allows one line in each period.
    fn default() -> Self {
        Self::new(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Now;

    #[test]
    fn the_first_is_logged_at_once_and_the_others_every_10_s_with_their_count() {
        let mut repeats = Repeats::default();
        let now = Now::of_test().instant;
        let mut at = |s| repeats.count(now + Duration::from_secs(s));
        assert_eq!(at(0), Some(1));
        assert_eq!((at(1), at(9)), (None, None));
        assert_eq!(at(10), Some(3));
        assert_eq!(at(60), Some(1));
    }

    #[test]
    fn of_several_lines_in_a_period_the_next_counts_what_was_left_out() {
        let mut repeats = Repeats::new(2);
        let now = Now::of_test().instant;
        let mut at = |s| repeats.count(now + Duration::from_secs(s));
        assert_eq!((at(0), at(3), at(9)), (Some(1), Some(1), None));
        assert_eq!((at(10), at(10), at(19)), (Some(2), Some(1), None));
    }
}
