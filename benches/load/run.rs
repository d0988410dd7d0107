//! A run from its beginning to its end.

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
    outcome::{Outcome, Sample, ServerUse, StreamOutcome},
    tally::{Latencies, OwnCpu},
    target::{check_open_files, usage},
};

/// Between two looks at what is counted.
const TICK: Duration = Duration::from_millis(5);
/// Between two points of the course of the run.
const SAMPLE: Duration = Duration::from_millis(100);
/// So long nothing more may come before it counts as lost.
const SILENCE: Duration = Duration::from_secs(5);
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
    on_one_thread(client::connect(target)).map_err(|error| format!("{}: {error}", target.place.url))?;
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
