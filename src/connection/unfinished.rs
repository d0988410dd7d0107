//! What bounds the messages that clients have begun to send.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    channel::{Backlog, Charge},
    protocol::CloseCode,
};

/// Bytes of a client that are not counted: what has come of a short message.
const FREE: usize = 1_024;
/// Above them, bytes are counted in steps of this.
const STEP: usize = 4 * 1_024;
/// How long a client may hold more than what is free, as long as a signed body may take.
const HELD_MAX: Duration = Duration::from_secs(30);

/// Counts what one client has sent of messages that are not whole, against a bound that all clients
/// have together. Nobody has shown a secret for these bytes.
#[derive(Debug)]
pub(super) struct Unfinished {
    all: Arc<Backlog>,
    counted: Option<Counted>,
}

#[derive(Debug)]
struct Counted {
    _charge: Arc<Charge>,
    bytes: usize,
    since: Instant,
}

impl Unfinished {
    /// Begins with nothing held.
    pub(super) const fn new(all: Arc<Backlog>) -> Self {
        Self { all, counted: None }
    }

    /// Whether nothing is counted.
    pub(super) const fn is_nothing(&self) -> bool {
        self.counted.is_none()
    }

    /// Records that a message is complete. Bytes held behind it belong to the next one, which has its own
    /// time.
    pub(super) fn done(&mut self) {
        self.counted = None;
    }

    /// When the held bytes must be complete.
    pub(super) fn until(&self) -> Option<Instant> {
        self.counted.as_ref().map(|counted| counted.since + HELD_MAX)
    }

    /// Counts that so many bytes are held now.
    ///
    /// # Errors
    /// The code to close the client with, when it has held some for too long or all clients together
    /// would hold too many.
    pub(super) fn hold(&mut self, bytes: usize, now: Instant) -> Result<(), CloseCode> {
        if bytes <= FREE {
            self.counted = None;
            return Ok(());
        }
        let bytes = bytes.next_multiple_of(STEP);
        let since = self.counted.as_ref().map_or(now, |counted| counted.since);
        if HELD_MAX <= now.saturating_duration_since(since) {
            return Err(CloseCode::MessageTooSlow);
        }
        if self.counted.as_ref().is_none_or(|counted| counted.bytes != bytes) {
            // What was counted goes first, so that it is not counted twice.
            self.counted = None;
            self.counted = Some(Counted {
                _charge: self.all.charge(bytes).ok_or(CloseCode::ServerFull)?,
                bytes,
                since,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Now;

    #[test]
    fn a_short_message_counts_nothing_and_a_long_one_in_steps() {
        let (all, now) = (Arc::new(Backlog::new(100_000)), Now::of_test().instant);
        let mut unfinished = Unfinished::new(Arc::clone(&all));
        for (held, counted) in [
            (0, 0),
            (1_024, 0),
            (1_025, 4_096),
            (4_096, 4_096),
            (4_097, 8_192),
            (10, 0),
        ] {
            assert_eq!(unfinished.hold(held, now), Ok(()), "{held}");
            assert_eq!(all.bytes(), counted, "{held}");
        }
    }

    #[test]
    fn clients_hold_no_more_than_the_bound_together() {
        let (all, now) = (Arc::new(Backlog::new(12_288)), Now::of_test().instant);
        let [mut first, mut second] = [(); 2].map(|()| Unfinished::new(Arc::clone(&all)));
        assert_eq!(first.hold(8_000, now), Ok(()));
        assert_eq!(second.hold(4_000, now), Ok(()));
        assert_eq!(second.hold(5_000, now), Err(CloseCode::ServerFull));
        assert_eq!(all.bytes(), 8_192);
        drop(first);
        assert_eq!(second.hold(5_000, now), Ok(()));
        assert_eq!(all.bytes(), 8_192);
        drop(second);
        assert_eq!(all.bytes(), 0);
    }

    #[test]
    fn a_message_has_30_s_however_it_comes_and_the_next_one_has_them_anew() {
        let (all, t0) = (Arc::new(Backlog::new(100_000)), Now::of_test().instant);
        let mut unfinished = Unfinished::new(all);
        let at = |ms| t0 + Duration::from_millis(ms);
        for (held, ms) in [
            (2_000, 0),
            (5_000, 10_000),
            (9_000, 29_999),
            (0, 31_000),
            (2_000, 32_000),
            (2_000, 61_999),
        ] {
            assert_eq!(unfinished.hold(held, at(ms)), Ok(()), "{ms}");
        }
        assert_eq!(unfinished.until(), Some(at(62_000)));
        assert_eq!(unfinished.hold(2_001, at(62_000)), Err(CloseCode::MessageTooSlow));
        unfinished.done();
        assert_eq!(unfinished.until(), None);
        assert_eq!(unfinished.hold(2_001, at(62_000)), Ok(()));
        assert_eq!(unfinished.until(), Some(at(92_000)));
    }
}
