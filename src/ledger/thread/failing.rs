//! A ledger that cannot be written, and when to try again.

use std::time::{Duration, Instant};

use crate::ledger::{LedgerError, unsaved::Unsaved};

/// The wait after the first failure, doubled each time.
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
/// The longest wait between two tries.
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);

/// Nothing can be stored at the moment.
pub(super) struct Failing {
    pub(super) unsaved: Unsaved,
    /// The error of the last try.
    pub(super) error: LedgerError,
    pub(super) retry_at: Instant,
    backoff: Duration,
}

impl Failing {
    /// After the first failure, which left `unsaved`.
    pub(super) fn new(unsaved: Unsaved, error: LedgerError, now: Instant) -> Self {
        Self {
            unsaved,
            error,
            retry_at: now + FIRST_BACKOFF,
            backoff: FIRST_BACKOFF,
        }
    }

    /// Another try has failed.
    pub(super) fn again(&mut self, error: LedgerError, now: Instant) {
        self.error = error;
        self.backoff = (self.backoff * 2).min(LONGEST_BACKOFF);
        self.retry_at = now + self.backoff;
    }
}
