//! Waiting without sleeping blindly: every wait has a deadline.

use std::{
    future::Future,
    time::{Duration, Instant},
};

/// How long a test waits for what should happen at once. Long, because a busy machine is no fault of
/// the server: nothing waits to its end but a test that fails.
pub(super) const DEADLINE: Duration = Duration::from_secs(30);
/// The pause before a condition is looked at again.
const PAUSE: Duration = Duration::from_millis(5);

/// Awaits something that should happen at once.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: not within {DEADLINE:?}"),
    }
}

/// Polls until the condition holds.
pub async fn eventually(what: &str, condition: impl AsyncFnMut() -> bool) {
    assert!(
        holds_within(DEADLINE, condition).await,
        "{what}: not within {DEADLINE:?}"
    );
}

/// Polls until the condition holds, and tells whether it did before the patience was over.
#[must_use]
pub async fn holds_within(patience: Duration, mut condition: impl AsyncFnMut() -> bool) -> bool {
    let polling = async {
        loop {
            let asked = Instant::now();
            if condition().await {
                return;
            }
            // A look that takes long leaves half of the time to what it waits for.
            tokio::time::sleep(PAUSE.max(asked.elapsed())).await;
        }
    };
    tokio::time::timeout(patience, polling).await.is_ok()
}
