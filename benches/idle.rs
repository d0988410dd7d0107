//! What connections that are subscribed and do nothing cost in memory and in processor time.
//!
//! The time is measured while nothing is due at all, and over one round of pings, in which each client
//! is pinged once and answers: with the shipped configuration there is such a round every
//! `ping_after`. The clients come one after the other, as they do in life, so that the pings do too:
//! many at once would cost less. Half of `ping_after` is taken for it, for in the other half nothing
//! is to be due.
#![allow(
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a bench reads clocks, and its parts are its own"
)]

mod harness;

use std::{
    cell::Cell,
    process::ExitCode,
    rc::Rc,
    time::{Duration, Instant},
};

use harness::{APP_ID, KEY, Load, Publisher, SECRET, Server, cpu_time, on_one_thread, resident_bytes, subscribed};
use tokio::{io::Interest, net::TcpStream};

const CONNECTIONS: usize = 15_000;
const BYTES_MAX: u64 = 3_000;
/// For what is printed for information.
const FEWER: usize = 5_000;
/// Connections that come and go first, so that what is made once is not counted; few, so that
/// what they free is not what the others use.
const WARM_UP: usize = 20;
/// How long nothing is due, after the last came and before the first is pinged.
const REST: Duration = Duration::from_secs(20);
/// When clients are pinged, which is what the shipped configuration has.
const PING_AFTER: Duration = Duration::from_secs(60);
/// From when the first client comes until the last does, and so from the first ping to the last.
const SPREAD: Duration = Duration::from_secs(30);
/// So long after the last answer was sent it is taken in.
const SETTLE: Duration = Duration::from_millis(500);
/// How long the last of them may take to answer.
const PINGS_TIMEOUT: Duration = Duration::from_secs(60);
/// Of one processor.
const PERCENT_MAX: f64 = 1.0;

fn main() -> ExitCode {
    harness::raise_open_files();
    let within = on_one_thread(async {
        let is_cheap = measure().await;
        let apart = apart().await;
        println!("{apart} bytes when {FEWER} are each in a channel of their own (for information)");
        is_cheap
    });
    println!("bounds: {BYTES_MAX} bytes, {PERCENT_MAX} % of a processor");
    if within { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A server that was warmed up, and its resident memory.
async fn start(ping_after: Duration, channel: &str) -> (Server, u64) {
    let config = format!(
        "ledger: {{path: memory}}\nserver: {{ping_after: {}s}}\napps:\n  - id: \"{APP_ID}\"\n    key: {KEY}\n    secret: {SECRET}\n    webhooks: []\n",
        ping_after.as_secs()
    );
    let server = Server::start_with(&config, "warn,vacancy=info");
    let mut warm_up = Load::default();
    for _ in 0..WARM_UP {
        warm_up.subscribe(server.port(), channel).await;
    }
    Publisher::new(server.port(), channel, 64).await.publish().await;
    drop(warm_up);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let resident = resident_bytes(server.pid());
    (server, resident)
}

fn per_connection(server: &Server, before: u64, connections: usize) -> u64 {
    resident_bytes(server.pid()).saturating_sub(before) / connections as u64
}

/// Prints what connections in one channel cost, and tells whether that is within the bounds.
async fn measure() -> bool {
    let (server, before) = start(PING_AFTER, "idle").await;
    let begin = Instant::now();
    let answered = Rc::new(Cell::new(0));
    for at in 0..CONNECTIONS {
        let due = begin + SPREAD * u32::try_from(at).expect("few") / CONNECTIONS as u32;
        tokio::time::sleep_until(due.into()).await;
        let socket = subscribed(server.port(), "idle", None).await;
        tokio::task::spawn_local(answer_pings(socket, Rc::clone(&answered)));
    }
    let connecting = begin.elapsed();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let bytes = per_connection(&server, before, CONNECTIONS);
    println!("{bytes} bytes per idle subscribed connection of {CONNECTIONS}");

    let since = (cpu_time(server.pid()), Instant::now());
    tokio::time::sleep(REST).await;
    let rest_s = cpu_time(server.pid()) - since.0;
    let rest = rest_s / since.1.elapsed().as_secs_f64();
    let early = answered.get();
    if 0 < early {
        println!("connecting took {connecting:.0?}: {early} pings came while nothing was to be due");
    }
    println!(
        "{:.2} % of a processor while nothing is due, over {REST:?}",
        rest * 100.0
    );

    let since = (cpu_time(server.pid()), Instant::now());
    while answered.get() < CONNECTIONS {
        assert!(
            since.1.elapsed() < PING_AFTER + PINGS_TIMEOUT,
            "{} of {CONNECTIONS} were pinged",
            answered.get()
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(SETTLE).await;
    // In the time that this took there was also what there is while nothing is due.
    let pings_s = cpu_time(server.pid()) - since.0 - rest * since.1.elapsed().as_secs_f64();
    let with_pings = rest + pings_s.max(0.0) / PING_AFTER.as_secs_f64();
    println!(
        "{:.2} % with a ping and a pong of each every {PING_AFTER:?}: a round costs {pings_s:.2} CPU s, {:.0} µs each",
        with_pings * 100.0,
        pings_s / CONNECTIONS as f64 * 1e6
    );
    bytes <= BYTES_MAX && rest.max(with_pings) * 100.0 < PERCENT_MAX
}

/// The bytes per connection, each subscribed to a channel of its own.
async fn apart() -> u64 {
    let (server, before) = start(Duration::from_secs(3_600), "idle-0").await;
    let mut clients = Load::default();
    for at in 0..FEWER {
        clients.subscribe(server.port(), &format!("idle-{at}")).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    per_connection(&server, before, FEWER)
}

/// Answers the pings of an idle connection, which receives nothing else, and counts the first.
async fn answer_pings(socket: TcpStream, answered: Rc<Cell<usize>>) {
    let mut is_first = true;
    loop {
        let mut read = [0; 128];
        if socket.ready(Interest::READABLE).await.is_err() {
            return;
        }
        match socket.try_read(&mut read) {
            Ok(0) => return,
            Ok(_) if read[0] == 0x89 => {
                assert_eq!(socket.try_write(&[0x8a, 0x80, 0, 0, 0, 0]).ok(), Some(6), "a pong");
                answered.set(answered.get() + usize::from(is_first));
                is_first = false;
            }
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}
