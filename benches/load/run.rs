//! A run from its beginning to its end, and what came of it.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use tokio::sync::watch;

use super::{
    args::Scenario,
    client,
    drive::{Context, Driven, Phase, drive},
    harness::on_one_thread,
    tally::{Latencies, OwnCpu},
    target::{check_open_files, usage},
};

/// Between two looks at what is counted.
const TICK: Duration = Duration::from_millis(5);
/// Between two points of the course of the run.
const SAMPLE: Duration = Duration::from_millis(100);
/// So long nothing more may come before it counts as lost.
const SILENCE: Duration = Duration::from_secs(5);
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

/// What is looked at while it goes on.
struct Watch {
    context: Arc<Context>,
    begin: Instant,
    samples: Vec<Sample>,
    /// When something was received or sent last.
    progress: (u64, Instant),
}

/// Connects, sends, waits for what was sent, and gathers.
pub fn run(context: &Arc<Context>) -> Result<Outcome, String> {
    let Context { plan, target, shared } = &**context;
    check_open_files(plan.connections())?;
    // What is wrong with all connections is told once, and a server that has just started is awake.
    on_one_thread(client::connect(target)).map_err(|error| format!("{}: {error}", target.url))?;
    let now = || target.pid.map(usage);
    let begin = Instant::now() + Duration::from_millis(50);
    let (phase, phases) = watch::channel(Phase::Connect);
    let before = now();
    let threads: Vec<_> = (0..plan.threads)
        .map(|at| {
            let (context, phases) = (Arc::clone(context), phases.clone());
            std::thread::spawn(move || on_one_thread(drive(at, context, begin, phases)))
        })
        .collect();
    let mut watch = Watch {
        context: Arc::clone(context),
        begin,
        samples: Vec::new(),
        progress: (0, begin),
    };
    watch.until(|| shared.ready.load(Ordering::Relaxed) == plan.threads);
    let connect_s = begin.elapsed().as_secs_f64();
    let connected = now();
    let mut sending_s = 0.0;
    if plan.scenario == Scenario::Ramp {
        let stay = Instant::now() + Duration::from_secs_f64(plan.seconds);
        watch.until(|| stay <= Instant::now());
    } else if shared.failed.load(Ordering::Relaxed) == 0 {
        let begin = Instant::now() + Duration::from_millis(50);
        watch.progress.1 = begin;
        let _ = phase.send(Phase::Send(begin));
        let messages: u64 = plan.streams.iter().map(|stream| stream.messages).sum();
        watch.until_or_silence(|| messages <= shared.attempts());
        let _ = phase.send(Phase::Drain);
        watch.until_or_silence(|| {
            let (received, expected) = shared.deliveries();
            expected <= received
        });
        sending_s = watch.progress.1.saturating_duration_since(begin).as_secs_f64();
    }
    let end = now();
    let _ = phase.send(Phase::Stop);
    let driven: Vec<Driven> = threads
        .into_iter()
        .map(|thread| thread.join().expect("it does not panic"))
        .collect();
    let server = before
        .zip(connected)
        .zip(end)
        .map(|((before, connected), end)| ServerUse {
            connecting_s: connected.0 - before.0,
            sending_s: end.0 - connected.0,
            resident: [before.1, connected.1, end.1],
        });
    let samples = watch.samples;
    Ok(Outcome {
        connect_s,
        sending_s,
        server,
        samples,
        ..gather(context, &driven)
    })
}

impl Watch {
    fn until(&mut self, is_over: impl Fn() -> bool) {
        while !is_over() {
            self.look();
        }
    }

    /// The same, but not longer than nothing more comes.
    fn until_or_silence(&mut self, is_over: impl Fn() -> bool) {
        while !is_over()
            && self
                .progress
                .1
                .checked_add(SILENCE)
                .is_none_or(|end| Instant::now() < end)
        {
            self.look();
        }
        self.look();
    }

    fn look(&mut self) {
        std::thread::sleep(TICK);
        let shared = &self.context.shared;
        let (received, _) = shared.deliveries();
        let progress = received + shared.attempts();
        if self.progress.0 != progress {
            self.progress = (progress, Instant::now());
        }
        let at_s = self.begin.elapsed().as_secs_f64();
        let last_s = self.samples.last().map_or(f64::NEG_INFINITY, |sample| sample.at_s);
        if SAMPLE.as_secs_f64() <= at_s - last_s {
            let open = shared.open.load(Ordering::Relaxed);
            self.samples.push(Sample { at_s, open, received });
        }
    }
}

fn gather(context: &Context, driven: &[Driven]) -> Outcome {
    let Context { plan, shared, .. } = context;
    let mut outcome = Outcome {
        open: shared.open.load(Ordering::Relaxed),
        failed: shared.failed.load(Ordering::Relaxed),
        ended: shared.ended.load(Ordering::Relaxed),
        first_error: shared.first_error(),
        ..Outcome::default()
    };
    for thread in driven {
        outcome.connects.join(&thread.connects);
        outcome.late.join(&thread.late);
        let is_ramp = plan.scenario == Scenario::Ramp;
        let (OwnCpu { had, waited }, time) = if is_ramp { thread.connecting } else { thread.sending };
        let part = |of: Duration| of.as_secs_f64() / time.as_secs_f64().max(1e-9);
        outcome.client.push((part(had), part(waited)));
    }
    for (at, messages) in shared.streams.iter().enumerate() {
        let mut latencies = Latencies::default();
        for thread in driven {
            latencies.join(&thread.streams[at]);
        }
        outcome.streams.push(StreamOutcome {
            latencies,
            sent: messages.sent.load(Ordering::Relaxed),
            refused: messages.refused.load(Ordering::Relaxed),
            expected: messages.expected.load(Ordering::Relaxed),
            received: messages.received.load(Ordering::Relaxed),
        });
    }
    outcome
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
