//! Events that are logged once and then counted.

use std::time::{Duration, Instant};

/// Counts events that strangers can cause at any rate, so that the log gets a line only now and then.
#[derive(Debug, Default)]
pub struct Repeats {
    count: u64,
    logged_at: Option<Instant>,
}

impl Repeats {
    /// Least time between two log lines.
    pub const EVERY: Duration = Duration::from_secs(10);

    /// Counts one event. When it is time for a line, gives how many there were since the last one.
    pub fn count(&mut self, now: Instant) -> Option<u64> {
        self.count += 1;
        if self.logged_at.is_some_and(|at| now < at + Self::EVERY) {
            return None;
        }
        self.logged_at = Some(now);
        Some(std::mem::take(&mut self.count))
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
}
