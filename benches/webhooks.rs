//! What webhooks cost and how long they take, with the ledger in a file: from the moment at which a
//! client was to send its command until the receiver has the whole request, signature checked.
//!
//! `cargo bench --bench webhooks` measures all of it, `-- latency`, `sustained`, `drain`,
//! `endpoints`, `apps` or `storm` a part. Every run has a server and a ledger of its own, and ends with every
//! change received once and in order, or the bench fails. Commands go out at a steady rate whatever
//! the server does, and each counts from when it was due, so a stall is seen in full.
#![allow(
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a bench reads clocks, and its parts are its own"
)]

mod harness;

use std::{
    fmt::Write,
    process::ExitCode,
    time::{Duration, Instant},
};

use harness::{
    Admin, Churn, DeadEnd, KEY, Latencies, LedgerFolder, Pace, Received, Receiver, SECRET, Server, cpu_time, free_port,
    median, on_one_thread,
};

const WINDOW_MS: f64 = 50.0;
/// How much longer than the window the p99 may be at `BUSY_RATE`.
const BEYOND_WINDOW_MS: f64 = 20.0;
/// The longest p99 at `QUIET_RATES`, with changes at random.
const QUIET_P99_MS: f64 = 15.0;
const QUIET_RATES: [f64; 3] = [5.0, 10.0, 15.0];
const BUSY_RATE: f64 = 1_000.0;
/// Most that the storm of one app may delay a webhook of another.
const STORM_DELAY_MAX_MS: f64 = 100.0;
/// Least events per second after an outage.
const DRAIN_MIN: f64 = 20_000.0;
/// Most that one dead endpoint may add to the p99 of the others.
const DEAD_RATIO_MAX: f64 = 1.05;

/// At the beginning of a run connections are made and memory is taken: it does not count.
const WARM_UP: Duration = Duration::from_secs(1);
/// When nothing has come for so long, nothing more will: longer than any wait between two attempts in
/// these runs.
const QUIET_MAX: Duration = Duration::from_secs(30);
const ADMIN_TOKEN: &str = "webhooks-bench-token";

fn main() -> ExitCode {
    harness::raise_open_files();
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let is_wanted = |part: &str| wanted.is_empty() || wanted.iter().any(|word| word == part);
    let missed = on_one_thread(async {
        let mut missed = Vec::new();
        if is_wanted("latency") {
            for rate in QUIET_RATES {
                missed.extend(latency(rate, Pace::Random, Duration::from_secs(40)).await.err());
            }
            for rate in [100.0, BUSY_RATE, 5_000.0] {
                missed.extend(latency(rate, Pace::Steady, Duration::from_secs(15)).await.err());
            }
        }
        if is_wanted("sustained") {
            for lanes in [1, 4] {
                sustained(lanes).await;
            }
        }
        if is_wanted("drain") {
            missed.extend(drain().await.err());
        }
        if is_wanted("endpoints") {
            missed.extend(endpoints().await.err());
        }
        if is_wanted("apps") {
            missed.extend(apps().await.err());
        }
        if is_wanted("storm") {
            missed.extend(storm().await.err());
        }
        missed
    });
    for missed in &missed {
        println!("MISSED: {missed}");
    }
    if missed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// A server with webhooks and a ledger in a file of its own.
struct Run {
    server: Server,
    admin: Admin,
    _folder: LedgerFolder,
}

/// An endpoint of a configuration.
struct Endpoint {
    url: String,
    lanes: u32,
}

impl Run {
    /// Starts a server with these apps and their endpoints. An empty channel is told vacated at once.
    fn start(name: &str, apps: &[Vec<Endpoint>]) -> Self {
        Self::start_with(name, apps, |_| "0s")
    }

    /// Starts a server with these apps, each with its own `vacated_delay`.
    fn start_with(name: &str, apps: &[Vec<Endpoint>], vacated_delay: impl Fn(usize) -> &'static str) -> Self {
        let folder = LedgerFolder::new(name);
        let admin_port = free_port();
        let mut config = format!(
            "server: {{ ping_after: 1h }}\n\
             ledger: {{ path: {} }}\n\
             webhooks: {{ batch_window: {WINDOW_MS}ms }}\n\
             admin: {{ listen: \"127.0.0.1:{admin_port}\", token: {ADMIN_TOKEN} }}\n\
             apps:\n",
            folder.file().display()
        );
        for (app, endpoints) in apps.iter().enumerate() {
            let _ = write!(
                config,
                "  - id: \"{}\"\n    key: {}\n    secret: {SECRET}\n    vacated_delay: {}\n    \
                 limits: {{ commands_per_second: 1000000, commands_burst: 1000000, public_channels_per_second: unlimited, \
                 public_subscriptions_per_second: unlimited }}\n    webhooks:\n",
                app + 1,
                key(app),
                vacated_delay(app)
            );
            for (at, Endpoint { url, lanes }) in endpoints.iter().enumerate() {
                let _ = writeln!(
                    config,
                    "      - {{ id: e{at}, url: \"{url}\", events: [existence], lanes: {lanes} }}"
                );
            }
        }
        Self {
            server: Server::start_with(&config, "vacancy::server=info,vacancy::ledger=error"),
            admin: Admin {
                port: admin_port,
                token: ADMIN_TOKEN,
            },
            _folder: folder,
        }
    }
}

fn key(app: usize) -> String {
    format!("{KEY}-{app}")
}

fn keys(apps: usize, connections: usize) -> Vec<String> {
    (0..connections).map(|at| key(at % apps)).collect()
}

/// Waits until so many events were received, or until none more comes for some seconds.
async fn arrived(receiver: &Receiver, events: u64) {
    let (mut before, mut since) = (0, Instant::now());
    while receiver.events() < events && since.elapsed() < QUIET_MAX {
        if before < receiver.events() {
            (before, since) = (receiver.events(), Instant::now());
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// What was missed, if it was.
fn bounded(is_met: bool, missed: impl Fn() -> String) -> Result<(), String> {
    if is_met { Ok(()) } else { Err(missed()) }
}

/// One endpoint, changes at a rate: how long they take, what they cost, and how many requests they make.
async fn latency(rate: f64, pace: Pace, lasting: Duration) -> Result<(), String> {
    let receiver = Receiver::start();
    let endpoint = Endpoint {
        url: receiver.url(0),
        lanes: 1,
    };
    let run = Run::start("latency", &[vec![endpoint]]);
    let mut churn = Churn::connect(run.server.port(), &keys(1, 8), 1_000).await;
    churn.at_pace(rate, pace, WARM_UP).await;
    let from = Instant::now();
    let (cpu, before) = (cpu_time(run.server.pid()), churn.made());
    churn.at_pace(rate, pace, lasting).await;
    arrived(&receiver, churn.made()).await;
    let cpu_us = (cpu_time(run.server.pid()) - cpu) * 1e6 / (churn.made() - before) as f64;
    let received = receiver.take();
    let latencies = churn.latencies(&received, &[0], |_, _| true, from..)?;
    println!(
        "{rate} transitions/s: {}; {cpu_us:.0} µs CPU per transition; {} requests; {}",
        latencies.in_words(),
        received.len(),
        run.admin.commits().await
    );
    let bound = if QUIET_RATES.contains(&rate) {
        QUIET_P99_MS
    } else if rate == BUSY_RATE {
        WINDOW_MS + BEYOND_WINDOW_MS
    } else {
        return Ok(());
    };
    let p99 = latencies.per_mille_ms(990);
    bounded(p99 <= bound, || {
        format!("p99 at {rate} transitions/s is {p99:.1} ms, bound {bound} ms")
    })
}

/// The highest rate at which all is received and the last change is as quick as the first. Past it
/// the app's batch folds changes of one channel, as it must.
async fn sustained(lanes: u32) {
    let mut best = "none".to_owned();
    for thousands in [5_u32, 10, 15, 20, 25, 30, 40, 50] {
        match at_most(f64::from(thousands) * 1e3, lanes).await {
            Ok(words) => best = words,
            Err(reason) => {
                println!("  {thousands},000 transitions/s are too many: {reason}");
                break;
            }
        }
    }
    println!("sustained, {lanes} lanes: {best}");
}

async fn at_most(rate: f64, lanes: u32) -> Result<String, String> {
    const LASTING: Duration = Duration::from_secs(6);
    const P99_MAX_MS: f64 = 500.0;
    let receiver = Receiver::start();
    let endpoint = Endpoint {
        url: receiver.url(0),
        lanes,
    };
    let run = Run::start("sustained", &[vec![endpoint]]);
    let mut churn = Churn::connect(run.server.port(), &keys(1, 8), 5_000).await;
    let (begin, cpu) = (Instant::now(), cpu_time(run.server.pid()));
    churn.at_rate(rate, LASTING).await;
    arrived(&receiver, churn.made()).await;
    let per_second = churn.made() as f64 / begin.elapsed().as_secs_f64();
    let cpu_us = (cpu_time(run.server.pid()) - cpu) * 1e6 / churn.made() as f64;
    let latencies = churn.latencies(&receiver.take(), &[0], |_, _| true, begin..)?;
    if P99_MAX_MS < latencies.per_mille_ms(990) {
        return Err(latencies.in_words());
    }
    Ok(format!(
        "{per_second:.0} transitions/s, every one received and verified, {}; {cpu_us:.0} µs CPU per transition; {}",
        latencies.in_words(),
        run.admin.commits().await
    ))
}

/// The endpoint answers 503 while events queue up as fast as they are stored, and then 200.
async fn drain() -> Result<(), String> {
    const LANES: u32 = 4;
    const QUEUED: u64 = 150_000;
    const SLICE: u64 = 250;
    /// What is not stored yet at any time; with much more than a window the batch folds.
    const UNDER_WAY: u64 = 2_000;
    let receiver = Receiver::start();
    let endpoint = Endpoint {
        url: receiver.url(0),
        lanes: LANES,
    };
    let run = Run::start("drain", &[vec![endpoint]]);
    let mut churn = Churn::connect(run.server.port(), &keys(1, 8), 10_000).await;
    receiver.set_down(true);
    let down = Instant::now();
    while churn.made() < QUEUED {
        if churn.made() < run.admin.created("e0").await + UNDER_WAY {
            churn.burst(SLICE).await;
        } else {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    receiver.set_down(false);
    let outage = down.elapsed();
    arrived(&receiver, QUEUED).await;
    let received = receiver.take();
    churn.latencies(&received, &[0], |_, _| true, down..)?;
    let span = received[received.len() - 1].at - received[0].at;
    let per_second = QUEUED as f64 / span.as_secs_f64();
    println!(
        "after an outage of {:.1} s, {LANES} lanes: {QUEUED} events in {:.2} s from the first 2xx on, {per_second:.0} events/s; {}",
        outage.as_secs_f64(),
        span.as_secs_f64(),
        run.admin.commits().await
    );
    bounded(DRAIN_MIN <= per_second, || {
        format!("{per_second:.0} events/s drained, bound {DRAIN_MIN}")
    })
}

/// 100 endpoints, and the same with one of them dead, by turns.
async fn endpoints() -> Result<(), String> {
    const PAIRS: usize = 5;
    let mut ratios = Vec::new();
    for pair in 0..PAIRS {
        let mut p99 = [0.0; 2];
        for with_dead in [pair % 2 == 0, pair % 2 == 1] {
            let (latencies, commits) = many_endpoints(with_dead).await?;
            p99[usize::from(with_dead)] = latencies.per_mille_ms(990);
            println!(
                "  {} a dead endpoint: {}; {commits}",
                if with_dead { "with" } else { "without" },
                latencies.in_words()
            );
        }
        ratios.push(p99[1] / p99[0]);
    }
    let all: Vec<String> = ratios.iter().map(|ratio| format!("{ratio:.2}")).collect();
    let ratio = median(ratios);
    println!(
        "one dead endpoint of 100: p99 of the others x {ratio:.2}   (median of {})",
        all.join(" ")
    );
    bounded(ratio <= DEAD_RATIO_MAX, || {
        format!("a dead endpoint makes the p99 of the others x {ratio:.2}")
    })
}

/// 99 endpoints that each get 200 events per second, and perhaps one that never answers.
async fn many_endpoints(with_dead: bool) -> Result<(Latencies, String), String> {
    const ALIVE: usize = 99;
    const RATE: f64 = 200.0;
    const LASTING: Duration = Duration::from_secs(10);
    let receiver = Receiver::start();
    let dead = DeadEnd::start();
    let alive = (0..ALIVE).map(|endpoint| receiver.url(endpoint));
    let urls = with_dead.then(|| dead.url()).into_iter().chain(alive);
    let endpoints = urls.map(|url| Endpoint { url, lanes: 1 }).collect();
    let run = Run::start("endpoints", &[endpoints]);
    let mut churn = Churn::connect(run.server.port(), &keys(1, 8), 1_000).await;
    churn.at_rate(RATE, 2 * WARM_UP).await;
    let from = Instant::now();
    churn.at_rate(RATE, LASTING).await;
    arrived(&receiver, churn.made() * ALIVE as u64).await;
    let all: Vec<usize> = (0..ALIVE).collect();
    let latencies = churn.latencies(&receiver.take(), &all, |_, _| true, from..)?;
    Ok((latencies, run.admin.commits().await))
}

/// 100 apps, each of which has a change in each of its 20 windows per second.
async fn apps() -> Result<(), String> {
    const APPS: usize = 100;
    const RATE: f64 = 2_000.0;
    const LASTING: Duration = Duration::from_secs(20);
    /// How long the last change may take when the ledger has kept up.
    const BEHIND_MAX: Duration = Duration::from_millis(500);
    let receiver = Receiver::start();
    let app = |app| {
        vec![Endpoint {
            url: receiver.url(app),
            lanes: 1,
        }]
    };
    let run = Run::start("apps", &(0..APPS).map(app).collect::<Vec<_>>());
    let mut churn = Churn::connect(run.server.port(), &keys(APPS, APPS), 20 * APPS).await;
    churn.at_rate(RATE, WARM_UP).await;
    let from = Instant::now();
    churn.at_rate(RATE, LASTING).await;
    let end = Instant::now();
    arrived(&receiver, churn.made()).await;
    let behind = end.elapsed();
    let (all, received) = ((0..APPS).collect::<Vec<usize>>(), receiver.take());
    let latencies = churn.latencies(&received, &all, |app, channel| channel % APPS == app, from..)?;
    println!(
        "{APPS} apps with 20 windows/s each: {}; all there {:.0} ms after the last change; {}",
        latencies.in_words(),
        behind.as_secs_f64() * 1e3,
        run.admin.commits().await
    );
    bounded(behind <= BEHIND_MAX, || {
        format!("100 apps are {} ms behind", behind.as_millis())
    })
}

/// One app has a change now and then, while the clients of another enter 100,000 channels at once and
/// leave them at once.
async fn storm() -> Result<(), String> {
    const CHANNELS: u64 = 100_000;
    const RATE: f64 = 10.0;
    const CALM: Duration = Duration::from_secs(10);
    const STORMY: Duration = Duration::from_secs(15);
    /// The channels are told vacated one second after they are left.
    const LEAVE_AFTER: Duration = Duration::from_secs(7);
    let receiver = Receiver::start();
    let apps = [0, 1].map(|app| {
        vec![Endpoint {
            url: receiver.url(app),
            lanes: 1,
        }]
    });
    let run = Run::start_with("storm", &apps, |app| ["0s", "1s"][app]);
    let mut calm = Churn::connect(run.server.port(), &[key(0)], 100).await;
    let mut stormy = Churn::connect(run.server.port(), &vec![key(1); 10], CHANNELS as usize).await;
    calm.at_pace(RATE, Pace::Random, WARM_UP).await;
    let calm_from = Instant::now();
    calm.at_pace(RATE, Pace::Random, CALM).await;
    let storm_from = Instant::now();
    let storm = async {
        burst_by_turns(&mut stormy, CHANNELS).await;
        tokio::time::sleep_until((storm_from + LEAVE_AFTER).into()).await;
        burst_by_turns(&mut stormy, CHANNELS).await;
    };
    tokio::join!(calm.at_pace(RATE, Pace::Random, STORMY), storm);
    arrived(&receiver, calm.made() + stormy.made()).await;
    let (of_calm, of_stormy): (Vec<Received>, Vec<Received>) =
        receiver.take().into_iter().partition(|received| received.endpoint == 0);
    let alone = calm.latencies(&of_calm, &[0], |_, _| true, calm_from..storm_from)?;
    let beside = calm.latencies(&of_calm, &[0], |_, _| true, storm_from..)?;
    let told = stormy.latencies(&of_stormy, &[1], |_, _| true, storm_from..)?;
    let later = beside.per_mille_ms(1_000) - alone.per_mille_ms(500);
    println!(
        "a storm of {CHANNELS} channels: {}; another app alone: {}; beside it: {}, later by {later:.1} ms at most; {}",
        told.in_words(),
        alone.in_words(),
        beside.in_words(),
        run.admin.commits().await
    );
    bounded(later <= STORM_DELAY_MAX_MS, || {
        format!("a storm delays another app's webhook by {later:.1} ms, bound {STORM_DELAY_MAX_MS} ms")
    })
}

/// Makes `count` changes as fast as they can be written, while the other client of this thread goes on.
async fn burst_by_turns(churn: &mut Churn, count: u64) {
    const TURN: u64 = 500;
    for _ in 0..count / TURN {
        churn.burst(TURN).await;
        tokio::task::yield_now().await;
    }
}
