//! Channels churn at random while the server is killed and started again on the same ledger.
//!
//! `tests/it` runs it for a moment, `benches/torture.rs` for a minute. What is left to chance comes
//! from a seed that every failure prints; `VACANCY_TORTURE_SEED` sets it. (The times at which things
//! happen stay to chance: the seed makes a run like another, not the same.)

mod clients;
mod decided;
mod verdict;

use std::{
    collections::BTreeSet,
    fmt,
    time::{Duration, Instant},
};

use tokio::sync::watch;

use crate::harness::{Answer, Folder, Process, Receiver, config, free_port, holds_within};
use clients::{Stayed, Wanderer};
use verdict::Picture;

/// How many clients wander.
const CLIENTS: u64 = 40;
/// How many channels they wander through; every fourth is a presence channel.
const CHANNELS: u64 = 200;
/// How long everything may take to arrive when nothing happens any more.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(60);
/// When nothing has come for so long, nothing more will: longer than the recovery window and the
/// first retries.
const QUIET: Duration = Duration::from_secs(4);
/// Channels of which the receivers take nothing until the end.
const REFUSED: [&str; 2] = ["\"c7\"", "\"presence-8\""];
const ADMIN_TOKEN: &str = "torture-admin-token";

/// What is done.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    seed: u64,
    lasting: Duration,
    kills: u32,
}

impl Plan {
    /// So many kills within so long.
    pub fn new(lasting: Duration, kills: u32) -> Self {
        let given = std::env::var("VACANCY_TORTURE_SEED").ok();
        let seed = given.map(|seed| seed.parse().expect("VACANCY_TORTURE_SEED is a number"));
        let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let seed = seed.unwrap_or_else(|| u64::from(now().expect("after 1970").subsec_nanos()));
        Self { seed, lasting, kills }
    }
}

/// What came of it.
pub struct Report {
    /// Events that each endpoint received.
    pub events: usize,
    /// Requests that came again after they were answered, at both endpoints together.
    pub repeated: usize,
    /// How often the server was killed.
    pub kills: u32,
    /// Keys that were occupied in the end.
    pub occupied: usize,
    seed: u64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} events at each of 2 endpoints, {} kills, {} requests repeated, {} keys occupied in the end (seed {})",
            self.events, self.kills, self.repeated, self.occupied, self.seed
        )
    }
}

/// Random numbers that are the same for a seed.
pub struct Random(u64);

impl Random {
    /// Begins with a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % bound
    }
}

/// Carries out a plan; panics when anything is not as the contract says.
pub async fn torture(plan: Plan) -> Report {
    let Plan { seed, lasting, kills } = plan;
    eprintln!("torture: seed {seed}");
    let mut random = Random::new(seed);
    let folder = Folder::new();
    let admin_port = free_port();
    let receivers = [Receiver::start().await, Receiver::start().await];
    for receiver in &receivers {
        receiver.answer_next(&answers(&mut random, 100_000));
        // For as long as the clients wander it takes nothing of two channels, one of them with members.
        receiver.refuse(401, |body| REFUSED.iter().any(|channel| body.contains(channel)));
    }
    let config = configuration(&folder, admin_port, &receivers);

    let (ports, port) = watch::channel(None);
    let (stop, stopped) = watch::channel(false);
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let wanderer = Wanderer::new(number, random.below(u64::MAX), port.clone(), stopped.clone());
            tokio::spawn(wanderer.wander())
        })
        .collect();

    let begin = Instant::now();
    let mut server = start(&config).await;
    ports.send_replace(Some(server.port));
    for kill in 0..kills {
        // One somewhere in the middle of each part of the time.
        let share = (f64::from(kill) + 0.2 + random.below(600) as f64 / 1e3) / f64::from(kills);
        tokio::time::sleep_until((begin + lasting.mul_f64(share)).into()).await;
        ports.send_replace(None);
        drop(server);
        tokio::time::sleep(Duration::from_millis(random.below(300))).await;
        server = start(&config).await;
        ports.send_replace(Some(server.port));
    }
    tokio::time::sleep_until((begin + lasting).into()).await;
    stop.send_replace(true);
    let mut stayed = Vec::new();
    for client in clients {
        stayed.push(client.await.expect("a client that ends well"));
    }

    for receiver in &receivers {
        receiver.answer_all(Answer::Status(200));
        receiver.is_repaired();
    }
    let truth: BTreeSet<String> = stayed.iter().flat_map(Stayed::keys).collect();
    let pictures = settled(&receivers, &truth, seed).await;
    let decided = decided::decided(admin_port, ADMIN_TOKEN).await;
    verdict::check_told(&told(&server).await, &truth);
    let problems = verdict::problems(&pictures, &decided, kills);
    assert!(problems.is_empty(), "seed {seed}: {problems:#?}");
    Report {
        events: pictures[0].events.len(),
        repeated: pictures.iter().map(|picture| picture.repeated).sum(),
        kills,
        occupied: truth.len(),
        seed,
    }
}

/// Starts a server without keeping the clients and receivers of this thread waiting.
async fn start(config: &str) -> Process {
    let config = config.to_owned();
    let started = tokio::task::spawn_blocking(move || Process::start(&config));
    started.await.expect("the server starts")
}

fn configuration(folder: &Folder, admin_port: u16, receivers: &[Receiver; 2]) -> String {
    let sections = format!(
        "ledger: {{path: \"{}\"}}\n\
         webhooks: {{vacated_delay: 100ms, recovery_window: 2s}}\n\
         admin: {{listen: \"127.0.0.1:{admin_port}\", token: {ADMIN_TOKEN}}}",
        folder.file("vacancy.redb").display()
    );
    let [with_extras, plain] = receivers;
    let webhooks = format!(
        "[{{id: extras, url: \"{}\", events: [existence, presence], extras: true}}, \
          {{id: plain, url: \"{}\", events: [existence, presence]}}]",
        with_extras.url(),
        plain.url()
    );
    config(&sections, &webhooks)
}

/// One of 20 answers is a failure, and half of them come late.
fn answers(random: &mut Random, count: usize) -> Vec<Answer> {
    let answer = |_| match random.below(20) {
        0 => Answer::Status(500),
        1..=10 => Answer::AcceptAfter(Duration::from_millis(random.below(60))),
        _ => Answer::Status(200),
    };
    (0..count).map(answer).collect()
}

/// Waits until both endpoints know the truth and nothing more comes; gives what they received.
async fn settled(receivers: &[Receiver; 2], truth: &BTreeSet<String>, seed: u64) -> [Picture; 2] {
    let pictures = || receivers.each_ref().map(|receiver| Picture::of(&receiver.requests()));
    let (mut count, mut since) = (0, Instant::now());
    let is_settled = async || {
        let pictures = pictures();
        let received = pictures.iter().map(|picture| picture.requests).sum();
        if count < received {
            (count, since) = (received, Instant::now());
        }
        let is_true = pictures.iter().all(|picture| picture.occupied() == *truth);
        is_true && QUIET < since.elapsed()
    };
    let is_settled = holds_within(SETTLE_TIMEOUT, is_settled).await;
    let pictures = pictures();
    if !is_settled {
        let [with_extras, plain] = pictures.map(|picture| verdict::difference(&picture.occupied(), truth));
        panic!("seed {seed}: not settled: with extras {with_extras}, plain {plain}");
    }
    pictures
}

/// The told list: channels, and users in presence channels.
async fn told(server: &Process) -> BTreeSet<String> {
    let mut told = BTreeSet::new();
    let list = server.api().get("/occupancy", &[]).await.json();
    assert!(list["next"].is_null(), "one page");
    for channel in list["channels"].as_object().expect("an object").keys() {
        told.insert(channel.clone());
        let shown = server.api().get(&format!("/occupancy/{channel}"), &[]).await.json();
        let users = shown["users"].as_object().expect("an object").keys();
        told.extend(users.map(|user| format!("{channel}/{user}")));
    }
    told
}
