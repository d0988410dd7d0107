//! What came of a run, and whether that is what was asked for.

use super::tally::Latencies;

/// The part of its time that a thread of the client may need.
const SATURATED: f64 = 0.85;

/// What was measured.
#[derive(Default)]
pub struct Outcome {
    /// From when a connection was due until the server confirmed it.
    pub connects: Latencies,
    /// How long connecting took.
    pub connect_s: f64,
    /// Connections that were open at the end.
    pub open: usize,
    /// Those that did not come about.
    pub failed: usize,
    /// Those that the server ended.
    pub ended: usize,
    /// What came of each stream.
    pub streams: Vec<StreamOutcome>,
    /// From when a message was due until this client took it up.
    pub late: Latencies,
    /// From when the first message was due until the last was received.
    pub sending_s: f64,
    /// What the server needed, when it is known.
    pub server: Option<ServerUse>,
    /// For each thread of the client the part of its time in which it ran, and in which it waited for a
    /// processor.
    pub client: Vec<(f64, f64)>,
    /// The course of it.
    pub samples: Vec<Sample>,
    /// What went wrong first.
    pub first_error: Option<String>,
}

/// What came of a stream of messages.
pub struct StreamOutcome {
    /// From when a message was due until it was received.
    pub latencies: Latencies,
    /// Messages that were sent.
    pub sent: u64,
    /// Those that were refused or could not be sent.
    pub refused: u64,
    /// How often they were to be received.
    pub expected: u64,
    /// How often they were.
    pub received: u64,
}

/// Processor time and memory of the server.
pub struct ServerUse {
    /// Processor time while the connections came, in seconds.
    pub connecting_s: f64,
    /// And while messages were sent and received.
    pub sending_s: f64,
    /// Resident bytes before, when all were connected, and at the end.
    pub resident: [u64; 3],
}

/// A moment of the run.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Seconds since its beginning.
    pub at_s: f64,
    /// Connections that are subscribed.
    pub open: usize,
    /// Messages received so far.
    pub received: u64,
}

impl Outcome {
    /// Whether this client had so much to do, or so little processor, that the figures are its own
    /// and not the server's.
    pub fn is_client_saturated(&self) -> bool {
        self.client.iter().any(|(ran, waited)| SATURATED < ran + waited)
    }

    /// Messages that were received, and those that were to be.
    pub fn deliveries(&self) -> (u64, u64) {
        let sum = |of: fn(&StreamOutcome) -> u64| self.streams.iter().map(of).sum();
        (sum(|stream| stream.received), sum(|stream| stream.expected))
    }

    /// An error when not all was connected, sent and received.
    pub fn verdict(&self) -> Result<(), String> {
        let (received, expected) = self.deliveries();
        let refused: u64 = self.streams.iter().map(|stream| stream.refused).sum();
        let first = || self.first_error.clone().unwrap_or_default();
        if 0 < self.failed {
            Err(format!(
                "{} connections did not come about; the first: {}",
                self.failed,
                first()
            ))
        } else if 0 < self.ended {
            Err(format!("{} connections were ended by the server", self.ended))
        } else if 0 < refused {
            Err(format!("{refused} messages were refused; the first: {}", first()))
        } else if received < expected {
            Err(format!("{} of {expected} deliveries are missing", expected - received))
        } else {
            Ok(())
        }
    }
}
