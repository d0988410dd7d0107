//! The numbers of delivery, through the `metrics` facade: nothing is kept where no recorder is
//! installed. The ledger has those of its queues.

use std::time::Duration;

use metrics::{Counter, Histogram, counter, describe_counter, describe_histogram, histogram};

use crate::{
    domain::{AppId, EndpointId},
    ledger::Outcome,
};

/// Attempts that were answered or failed, by `app`, `endpoint` and `result`: `delivered`, `failed`
/// or `gone`.
pub const ATTEMPTS: &str = "vacancy_webhook_attempts_total";
/// From the moment of an event to the 2xx for it, in seconds, once per event, by `app` and
/// `endpoint`. Replays do not count.
pub const LATENCY: &str = "vacancy_webhook_latency_seconds";

/// Tells the recorder, which must be installed by then, what the numbers mean.
pub fn describe() {
    describe_counter!(ATTEMPTS, "Attempts to deliver a webhook, by their result.");
    describe_histogram!(
        LATENCY,
        metrics::Unit::Seconds,
        "From the moment of an event to the 2xx that an endpoint answered for it."
    );
}

/// The numbers of one endpoint.
pub(super) struct Numbers {
    delivered: Counter,
    failed: Counter,
    gone: Counter,
    latency: Histogram,
}

impl Numbers {
    /// Those of this endpoint, from zero.
    pub(super) fn new(app: &AppId, endpoint: &EndpointId) -> Self {
        let (app, endpoint) = (app.to_string(), endpoint.to_string());
        let attempts = |result: &'static str| {
            let (app, endpoint) = (app.clone(), endpoint.clone());
            counter!(ATTEMPTS, "app" => app, "endpoint" => endpoint, "result" => result)
        };
        Self {
            delivered: attempts("delivered"),
            failed: attempts("failed"),
            gone: attempts("gone"),
            latency: histogram!(LATENCY, "app" => app.clone(), "endpoint" => endpoint.clone()),
        }
    }

    /// Counts an attempt.
    pub(super) fn attempt(&self, outcome: Outcome) {
        match outcome {
            Outcome::Delivered => self.delivered.increment(1),
            Outcome::Failed { .. } => self.failed.increment(1),
            Outcome::Gone => self.gone.increment(1),
        }
    }

    /// Notes an event that was delivered at `now_ms`.
    pub(super) fn delivered(&self, at_ms: u64, now_ms: u64) {
        let latency = Duration::from_millis(now_ms.saturating_sub(at_ms));
        self.latency.record(latency.as_secs_f64());
    }
}
