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
/// `endpoint`. Replays do not count, nor do events that happened before the server started: the
/// announcement of what is occupied bears moments that may be days ago. Of an event that waited
/// over a restart the attempts and the age of the queue tell.
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
    /// Events before this moment have no latency.
    since_ms: u64,
}

impl Numbers {
    /// Those of this endpoint, from zero, which begins at `since_ms`.
    pub(super) fn new(app: &AppId, endpoint: &EndpointId, since_ms: u64) -> Self {
        let (app, endpoint) = (app.to_string(), endpoint.to_string());
        let attempts = |result: &'static str| {
            let (app, endpoint) = (app.clone(), endpoint.clone());
            counter!(ATTEMPTS, "app" => app, "endpoint" => endpoint, "result" => result)
        };
        Self {
            delivered: attempts("delivered"),
            failed: attempts("failed"),
            gone: attempts("gone"),
            since_ms,
            latency: histogram!(LATENCY, "app" => app.clone(), "endpoint" => endpoint.clone()),
        }
    }

    /// Counts an attempt.
    pub(super) fn attempt(&self, outcome: Outcome) {
        match outcome {
            Outcome::Delivered => self.delivered.increment(1),
            Outcome::Failed { .. } | Outcome::Refused { .. } => self.failed.increment(1),
            Outcome::Gone => self.gone.increment(1),
        }
    }

    /// Notes an event that was delivered at `now_ms`.
    pub(super) fn delivered(&self, at_ms: u64, now_ms: u64) {
        if at_ms < self.since_ms {
            return;
        }
        let latency = Duration::from_millis(now_ms.saturating_sub(at_ms));
        self.latency.record(latency.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use metrics::{
        CounterFn, Gauge, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit, with_local_recorder,
    };

    use super::*;

    /// Writes down what is recorded, each with its name and labels.
    #[derive(Clone, Default)]
    struct Notes(Arc<Mutex<Vec<String>>>);

    struct Note {
        key: String,
        notes: Notes,
    }

    impl Notes {
        fn note(&self, key: &Key) -> Arc<Note> {
            let labels = key.labels().map(|label| format!(" {}={}", label.key(), label.value()));
            let key = format!("{}{}", key.name(), labels.collect::<String>());
            let notes = self.clone();
            Arc::new(Note { key, notes })
        }
    }

    impl Note {
        fn add(&self, value: &str) {
            let line = format!("{} {value}", self.key);
            self.notes.0.lock().expect("not poisoned").push(line);
        }
    }

    impl CounterFn for Note {
        fn increment(&self, value: u64) {
            self.add(&value.to_string());
        }

        fn absolute(&self, value: u64) {
            self.add(&value.to_string());
        }
    }

    impl HistogramFn for Note {
        fn record(&self, value: f64) {
            self.add(&value.to_string());
        }
    }

    impl Recorder for Notes {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

        fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
            Counter::from_arc(self.note(key))
        }

        fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
            Gauge::noop()
        }

        fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
            Histogram::from_arc(self.note(key))
        }
    }

    #[test]
    fn attempts_and_latencies_are_told_apart_by_app_endpoint_and_result() {
        let notes = Notes::default();
        with_local_recorder(&notes, || {
            let numbers = Numbers::new(&"1".parse().expect("valid"), &"e".parse().expect("valid"), 1_000);
            numbers.attempt(Outcome::Failed {
                retry_in: Duration::ZERO,
            });
            numbers.attempt(Outcome::Delivered);
            numbers.attempt(Outcome::Gone);
            numbers.delivered(1_000, 2_500);
            numbers.delivered(2_000, 1_000);
            // It was announced: it happened before the server started.
            numbers.delivered(999, 3_000);
        });
        let notes = notes.0.lock().expect("not poisoned").clone();
        assert_eq!(
            notes,
            [
                "vacancy_webhook_attempts_total app=1 endpoint=e result=failed 1",
                "vacancy_webhook_attempts_total app=1 endpoint=e result=delivered 1",
                "vacancy_webhook_attempts_total app=1 endpoint=e result=gone 1",
                "vacancy_webhook_latency_seconds app=1 endpoint=e 1.5",
                "vacancy_webhook_latency_seconds app=1 endpoint=e 0",
            ]
        );
    }
}
