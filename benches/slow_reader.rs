//! What a client that stops reading costs the other subscribers of its channel in latency.
//!
//! Events go out at a fixed rate that everyone sustains. What the stuck client is sent fills its
//! socket (on loopback the kernel takes some 2.6 MB), then waits in the server up to its bound of
//! 1 MB, and then it is closed: each phase is a part of the run.
//!
//! Runs with and without it alternate. What other programs do to a p99 only adds to it, so the
//! quietest run of each kind decides; the medians are printed too.
#![allow(
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a bench reads clocks, and its parts are its own"
)]

mod harness;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use harness::{Load, Publisher, Server, median, on_one_thread, subscribed};
use tokio::{io::AsyncReadExt, net::TcpStream};

const SUBSCRIBERS: usize = 200;
const CHANNEL: &str = "slow";
const DATA_LEN: usize = 10_000;
const EVENTS: usize = 450;
const INTERVAL: Duration = Duration::from_millis(10);
const PAIRS: usize = 5;
/// How long the stuck client may take to read to its end.
const END_TIMEOUT: Duration = Duration::from_secs(10);
/// Least receive buffer of the stuck client, in bytes; the kernel may take more.
const STUCK_BUFFER: u32 = 4_096;

fn main() -> ExitCode {
    harness::raise_open_files();
    let (mut with, mut without) = (Vec::new(), Vec::new());
    on_one_thread(async {
        for pair in 0..PAIRS {
            for stuck in [pair % 2 == 0, pair % 2 == 1] {
                let p99_ms = measure(stuck).await;
                if stuck { &mut with } else { &mut without }.push(p99_ms);
            }
            println!(
                "pair {}: p99 {:.2} ms with, {:.2} ms without",
                pair + 1,
                with[pair],
                without[pair]
            );
        }
    });
    let least = |all: &[f64]| all.iter().copied().fold(f64::INFINITY, f64::min);
    let ([with, with_median], [without, without_median]) =
        ([least(&with), median(with)], [least(&without), median(without)]);
    println!("p99 of {SUBSCRIBERS} subscribers, least (median) of {PAIRS} runs each:");
    println!("  {with:.2} ms ({with_median:.2}) with a client that stopped reading");
    println!("  {without:.2} ms ({without_median:.2}) without it");
    let allowed = (1.2 * without).max(without + 5.0);
    if with <= allowed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The p99 in milliseconds from a publish to its receipt by a subscriber.
async fn measure(with_stuck: bool) -> f64 {
    let server = Server::start();
    let mut sample = subscribed(server.port(), CHANNEL, None).await;
    let mut publisher = Publisher::new(server.port(), CHANNEL, DATA_LEN).await;
    publisher.publish().await;
    let frame_len = harness::read_to(&mut sample, &harness::frame_end(CHANNEL)).await.len();
    drop(sample);
    let mut clients = Load::default();
    let mut stuck = None;
    for at in 0..SUBSCRIBERS {
        if at == SUBSCRIBERS / 2 && with_stuck {
            stuck = Some(subscribed(server.port(), CHANNEL, Some(STUCK_BUFFER)).await);
        }
        clients.subscribe(server.port(), CHANNEL).await;
    }
    clients.keep_receipts(frame_len);
    let all = clients.received(EVENTS * SUBSCRIBERS * frame_len);
    let mut sent_at = Vec::with_capacity(EVENTS);
    let mut ticks = tokio::time::interval(INTERVAL);
    for _ in 0..EVENTS {
        ticks.tick().await;
        sent_at.push(Instant::now());
        publisher.publish().await;
    }
    all.await;
    if let Some(stuck) = stuck {
        let read = read_to_end(stuck).await;
        assert!(read < EVENTS * frame_len, "the stuck client was not closed");
    }
    let mut latencies: Vec<Duration> = clients
        .take_receipts()
        .into_iter()
        .map(|receipt| {
            let event = usize::try_from(receipt.frame).expect("as many as were sent");
            receipt.at.duration_since(sent_at[event])
        })
        .collect();
    assert_eq!(
        latencies.len(),
        EVENTS * SUBSCRIBERS,
        "every subscriber gets every event"
    );
    latencies.sort_unstable();
    latencies[latencies.len() * 99 / 100].as_secs_f64() * 1e3
}

/// How many bytes a connection still has to read until its end.
async fn read_to_end(mut socket: TcpStream) -> usize {
    let mut rest = Vec::new();
    let end = tokio::time::timeout(END_TIMEOUT, socket.read_to_end(&mut rest)).await;
    assert!(end.is_ok(), "the stuck client was not closed");
    rest.len()
}
