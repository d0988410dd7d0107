//! What is counted, by all threads of the client.

use std::{
    fs,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;

/// Counts that all threads add to and the one that waits for them reads.
#[derive(Default)]
pub struct Shared {
    /// Connections that are subscribed.
    pub open: AtomicUsize,
    /// Connections that did not come about.
    pub failed: AtomicUsize,
    /// Connections that the server ended.
    pub ended: AtomicUsize,
    /// Threads whose connections are all there or failed.
    pub ready: AtomicUsize,
    /// Each stream's messages.
    pub streams: Vec<Messages>,
    first_error: Mutex<Option<String>>,
}

/// Counts of a stream's messages.
#[derive(Default)]
pub struct Messages {
    /// Those that were sent and not refused.
    pub sent: AtomicU64,
    /// Those that were not sent, or refused.
    pub refused: AtomicU64,
    /// How often those that were sent are to be received.
    pub expected: AtomicU64,
    /// How often any were received.
    pub received: AtomicU64,
}

impl Shared {
    /// Nothing of so many streams.
    pub fn new(streams: usize) -> Self {
        Self {
            streams: (0..streams).map(|_| Messages::default()).collect(),
            ..Self::default()
        }
    }

    /// Takes in what went wrong; the first is shown.
    pub fn on_error(&self, error: String) {
        let mut first = self.first_error.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert(error);
    }

    /// What went wrong first.
    pub fn first_error(&self) -> Option<String> {
        self.first_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What was received by now, and what is to be.
    pub fn deliveries(&self) -> (u64, u64) {
        let sum = |count: fn(&Messages) -> &AtomicU64| -> u64 {
            let counts = self
                .streams
                .iter()
                .map(|messages| count(messages).load(Ordering::Relaxed));
            counts.sum()
        };
        (sum(|messages| &messages.received), sum(|messages| &messages.expected))
    }

    /// Messages that were sent or refused by now.
    pub fn attempts(&self) -> u64 {
        let of = |messages: &Messages| messages.sent.load(Ordering::Relaxed) + messages.refused.load(Ordering::Relaxed);
        self.streams.iter().map(of).sum()
    }
}

/// Latencies in microseconds, to three digits.
#[derive(Clone)]
pub struct Latencies(pub Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        Self(Histogram::new(3).expect("three digits"))
    }
}

impl Latencies {
    /// Takes in one that was due at a moment and there at another.
    pub fn add(&mut self, due: Instant, now: Instant) {
        let latency = now.saturating_duration_since(due);
        let us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX).max(1);
        self.0.record(us).expect("it grows");
    }

    /// Joins those of another thread.
    pub fn join(&mut self, other: &Self) {
        self.0.add(&other.0).expect("it grows");
    }

    /// The one that such a part of them does not exceed, in milliseconds.
    pub fn quantile_ms(&self, quantile: f64) -> f64 {
        self.0.value_at_quantile(quantile) as f64 / 1e3
    }
}

/// Processor time of the thread that asks: what it had, and what it waited for.
#[derive(Debug, Clone, Copy, Default)]
pub struct OwnCpu {
    /// What it had.
    pub had: Duration,
    /// How long it could have run and had no processor.
    pub waited: Duration,
}

impl OwnCpu {
    /// Until now.
    pub fn now() -> Self {
        let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
        let mut words = text.split_whitespace().map(|word| word.parse().unwrap_or_default());
        let mut next = || Duration::from_nanos(words.next().unwrap_or_default());
        Self {
            had: next(),
            waited: next(),
        }
    }

    /// Since an earlier moment.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            had: self.had.saturating_sub(earlier.had),
            waited: self.waited.saturating_sub(earlier.waited),
        }
    }
}
