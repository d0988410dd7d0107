//! What is left of the throughput when twice as much is asked for.
//!
//! First as many back ends as keep the server busy publish to a channel of 100 subscribers, each
//! waiting for its answer before it goes on: that is the peak. Then publishes come twice as fast as
//! that, whatever the answers are, over many more connections: the deliveries per second must stay
//! at 90 % of the peak or more. Both are measured by turns in one run, on a server of one worker, so
//! that a second processor is left for the clients.
#![allow(
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a bench reads clocks, and its parts are its own"
)]

mod harness;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    process::ExitCode,
    rc::Rc,
    time::{Duration, Instant},
};

use harness::{
    APP_ID, KEY, Kept, Load, SECRET, Server, cpu_time, frame_end, median, on_one_thread, resident_bytes, signed_post,
};

const CHANNEL: &str = "overload";
const SUBSCRIBERS: usize = 100;
const DATA_LEN: usize = 64;
/// Back ends that publish for the peak.
const CALLERS: usize = 16;
/// Connections over which twice the peak is offered. When all of them wait for an answer, what is due
/// is not sent and counted so: a back end has no more either.
const CONNECTIONS: usize = 512;
const ROUNDS: usize = 3;
/// At the beginning of a measurement queues fill: it does not count.
const SETTLE: Duration = Duration::from_secs(1);
const MEASURE: Duration = Duration::from_secs(5);
const OFFER: f64 = 2.0;
const KEPT_MIN: f64 = 0.9;

fn main() -> ExitCode {
    harness::raise_open_files();
    let kept = on_one_thread(async {
        let bench = Bench::start().await;
        let (mut ratios, mut efficiencies) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let peak = bench.peak().await;
            let offered = OFFER * peak.per_second / SUBSCRIBERS as f64;
            let over = bench.overload(offered).await;
            println!("peak:     {peak}");
            println!("overload: {over}, offered {offered:.0} publishes/s");
            ratios.push(over.per_second / peak.per_second);
            efficiencies.push(over.per_cpu_second() / peak.per_cpu_second());
        }
        let all: Vec<String> = ratios.iter().map(|ratio| format!("{:.0}", ratio * 100.0)).collect();
        let kept = median(ratios);
        println!(
            "kept at twice the peak: {:.0} %   (median of {})",
            kept * 100.0,
            all.join(" ")
        );
        let efficiency = median(efficiencies);
        println!(
            "kept per CPU second: {:.0} %   (for information, when others use the machine)",
            efficiency * 100.0
        );
        kept
    });
    if KEPT_MIN <= kept {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

struct Bench {
    server: Server,
    subscribers: Load,
    frame_len: f64,
    request: Rc<[u8]>,
}

/// What was measured of a load.
struct Measured {
    /// Deliveries.
    per_second: f64,
    /// Share of a processor that the server had, and this program.
    cpu: [f64; 2],
    resident_bytes: u64,
    tally: Tally,
}

/// What became of the publishes.
#[derive(Default)]
struct Tally {
    answers: BTreeMap<u16, u64>,
    latencies: Vec<Duration>,
    /// Due when no connection was free.
    unsent: u64,
}

impl Bench {
    async fn start() -> Self {
        let config = format!(
            "server: {{workers: 1, ping_after: 1h}}\nledger: {{path: memory}}\napps:\n  - {{id: \"{APP_ID}\", key: {KEY}, secret: {SECRET}}}\n"
        );
        let server = Server::start_with(&config, "warn,vacancy=info");
        let mut socket = harness::subscribed(server.port(), CHANNEL, None).await;
        let body = serde_json::json!({ "name": "bench", "channel": CHANNEL, "data": "x".repeat(DATA_LEN) });
        let request = signed_post("/events", &body.to_string());
        Kept::connect(server.port()).await.send(&request).await;
        let frame = harness::read_to(&mut socket, &frame_end(CHANNEL)).await;
        let mut subscribers = Load::default();
        for _ in 0..SUBSCRIBERS {
            subscribers.subscribe(server.port(), CHANNEL).await;
        }
        Self {
            server,
            subscribers,
            frame_len: frame.len() as f64,
            request: request.into(),
        }
    }

    async fn connections(&self, count: usize) -> Vec<Kept> {
        let mut connections = Vec::with_capacity(count);
        for _ in 0..count {
            connections.push(Kept::connect(self.server.port()).await);
        }
        connections
    }

    /// Publishes as fast as the answers come.
    async fn peak(&self) -> Measured {
        let tally = Rc::new(RefCell::new(Tally::default()));
        let is_over = Rc::new(Cell::new(false));
        let callers = self.connections(CALLERS).await.into_iter().map(|mut caller| {
            let (request, tally, is_over) = (Rc::clone(&self.request), Rc::clone(&tally), Rc::clone(&is_over));
            tokio::task::spawn_local(async move {
                while !is_over.get() {
                    publish(&mut caller, &request, Instant::now(), &tally).await;
                }
            })
        });
        let callers: Vec<_> = callers.collect();
        let measured = self.measure(&tally).await;
        is_over.set(true);
        for caller in callers {
            caller.await.expect("a caller");
        }
        measured
    }

    /// Publishes at this rate, whatever the answers are.
    async fn overload(&self, per_second: f64) -> Measured {
        let tally = Rc::new(RefCell::new(Tally::default()));
        let free = Rc::new(RefCell::new(self.connections(CONNECTIONS).await));
        let offer = tokio::task::spawn_local({
            let (request, tally, free) = (Rc::clone(&self.request), Rc::clone(&tally), Rc::clone(&free));
            async move {
                let start = Instant::now();
                let mut offered = 0_u32;
                loop {
                    let due_at = start + Duration::from_secs_f64(f64::from(offered) / per_second);
                    tokio::time::sleep_until(due_at.into()).await;
                    offered += 1;
                    let Some(mut connection) = free.borrow_mut().pop() else {
                        tally.borrow_mut().unsent += 1;
                        continue;
                    };
                    let (request, tally, free) = (Rc::clone(&request), Rc::clone(&tally), Rc::clone(&free));
                    tokio::task::spawn_local(async move {
                        publish(&mut connection, &request, due_at, &tally).await;
                        free.borrow_mut().push(connection);
                    });
                }
            }
        });
        let measured = self.measure(&tally).await;
        offer.abort();
        measured
    }

    /// Measures what goes on, once it has settled.
    async fn measure(&self, tally: &RefCell<Tally>) -> Measured {
        tokio::time::sleep(SETTLE).await;
        tally.take();
        let cpu = || [self.server.pid(), std::process::id()].map(cpu_time);
        let (start, bytes, cpu_before) = (Instant::now(), self.subscribers.received_bytes(), cpu());
        tokio::time::sleep(MEASURE).await;
        let seconds = start.elapsed().as_secs_f64();
        let bytes = self.subscribers.received_bytes() - bytes;
        let [server, own] = cpu();
        Measured {
            per_second: bytes as f64 / self.frame_len / seconds,
            cpu: [(server - cpu_before[0]) / seconds, (own - cpu_before[1]) / seconds],
            resident_bytes: resident_bytes(self.server.pid()),
            tally: tally.take(),
        }
    }
}

/// Publishes once, and counts what became of it, from the moment at which it was due.
async fn publish(connection: &mut Kept, request: &[u8], due_at: Instant, tally: &RefCell<Tally>) {
    let (status, _) = connection.send(request).await;
    let mut tally = tally.borrow_mut();
    *tally.answers.entry(status).or_default() += 1;
    tally.latencies.push(due_at.elapsed());
}

impl Measured {
    /// Deliveries for a second of processor time of the server.
    fn per_cpu_second(&self) -> f64 {
        self.per_second / self.cpu[0]
    }
}

impl std::fmt::Display for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut latencies = self.tally.latencies.clone();
        latencies.sort_unstable();
        let ms = |share: f64| {
            let at = (latencies.len() as f64 * share) as usize;
            let latency = latencies.get(at.min(latencies.len().saturating_sub(1)));
            latency.map_or(0.0, |latency| latency.as_secs_f64() * 1e3)
        };
        write!(
            f,
            "{:.0} deliveries/s, answers {:?}, unsent {}, answered after p50 {:.1} ms, p99 {:.1} ms; \
             server {:.2} CPU, {} MB, clients {:.2} CPU",
            self.per_second,
            self.tally.answers,
            self.tally.unsent,
            ms(0.5),
            ms(0.99),
            self.cpu[0],
            self.resident_bytes >> 20,
            self.cpu[1],
        )
    }
}
