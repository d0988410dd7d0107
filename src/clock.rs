//! The clock and the source of randomness: the only file that reads either.
//!
//! Shells call it and hand what they got to the pure parts as arguments; `tests/it/tidy.rs` knows
//! the shells by name.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::domain::Now;

/// This moment, on both clocks.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clocks")]
pub fn now() -> Now {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now {
        instant: Instant::now(),
        wall_ms: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX),
    }
}

/// This moment on the monotonic clock. It costs half of what [`now`] does, and every write asks for it.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clocks")]
pub fn instant() -> Instant {
    Instant::now()
}

/// 128 random bits from the operating system.
///
/// # Panics
/// When the operating system has no randomness to give, as nothing secure can be done then.
#[must_use]
pub fn random_bits() -> u128 {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    u128::from_ne_bytes(bytes)
}
