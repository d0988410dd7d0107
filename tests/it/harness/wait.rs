//! Waiting without sleeping blindly: every wait has a deadline.

use std::{future::Future, time::Duration};

/// How long a test waits for what should happen at once. Long, because a busy machine is no fault of
/// the server: nothing waits to its end but a test that fails.
const DEADLINE: Duration = Duration::from_secs(30);

/// Awaits something that should happen at once.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: not within {DEADLINE:?}"),
    }
}

/// Polls until the condition holds.
pub async fn eventually<F>(what: &str, mut condition: impl FnMut() -> F)
where
    F: Future<Output = bool>,
{
    within(what, async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}
