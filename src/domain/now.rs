//! The moment at which something is decided, handed to the pure parts by their shells.

use std::time::{Duration, Instant};

/// One moment, on both clocks: deadlines use the monotonic one, what is stored or sent the wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The moment on the monotonic clock.
    pub instant: Instant,
    /// The moment on the wall clock, in milliseconds since 1970.
    pub wall_ms: u64,
}

impl Now {
    /// The moment that is `span` later on both clocks.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self {
            instant: self.instant + span,
            wall_ms: self
                .wall_ms
                .saturating_add(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)),
        }
    }
}

#[cfg(test)]
impl Now {
    /// Some moment at which a test begins; the wall clock shows 1,700,000,000,000 ms.
    #[expect(clippy::disallowed_methods, reason = "an Instant has no other beginning")]
    pub(crate) fn of_test() -> Self {
        Self {
            instant: Instant::now(),
            wall_ms: 1_700_000_000_000,
        }
    }

    /// The moment `ms` milliseconds later.
    pub(crate) fn ms(self, ms: u64) -> Self {
        self.after(Duration::from_millis(ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_moment_is_later_on_both_clocks() {
        let now = Now::of_test();
        let later = now.after(Duration::from_millis(250));
        assert_eq!(later.wall_ms, now.wall_ms + 250);
        assert_eq!(later.instant - now.instant, Duration::from_millis(250));
    }
}
