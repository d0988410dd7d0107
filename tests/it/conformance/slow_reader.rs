//! A client that does not read costs a bounded number of bytes and delays nobody (issue 3, item 6).

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use super::subscribed;

use crate::harness::{Api, Client, Frame, Process, Raw, client_text, config, eventually};

const CHANNEL: &str = "feed";
/// Each event has its number and is padded to so many bytes.
const EVENT_BYTES: usize = 10_000;
const EVENTS_PER_BATCH: usize = 10;

fn data(at: usize) -> String {
    format!("{at:010}{}", "x".repeat(EVENT_BYTES - 10))
}

fn frame(at: usize) -> Frame {
    Frame::Text(format!(
        r#"{{"event":"e","data":"{}","channel":"{CHANNEL}"}}"#,
        data(at)
    ))
}

/// Publishes the events from `from` to `to`, in batches.
async fn publish(api: Api, from: usize, to: usize) {
    for first in (from..to).step_by(EVENTS_PER_BATCH) {
        let events = (first..first + EVENTS_PER_BATCH)
            .map(|at| json!({ "channel": CHANNEL, "name": "e", "data": data(at) }))
            .collect::<Vec<_>>();
        let response = api.post("/batch_events", &json!({ "batch": events }).to_string()).await;
        assert_eq!((response.status, response.body.as_str()), (200, "{}"));
    }
}

async fn read_all(client: &mut Client, from: usize, to: usize) {
    for at in from..to {
        let got = client.next().await;
        if got != frame(at) {
            panic!("want event {at}, got {:.100}", format!("{got:?}"));
        }
    }
}

/// A subscriber that reads nothing after its confirmation until the test does.
async fn deaf(server: &Process) -> Raw {
    let mut raw = Raw::client(server.port).await;
    raw.send(&client_text(&format!(
        r#"{{"event":"pusher:subscribe","data":{{"channel":"{CHANNEL}"}}}}"#
    )))
    .await;
    raw.expect(r#"{"event":"pusher_internal:subscription_succeeded","data":"{}","channel":"feed"}"#)
        .await;
    raw
}

async fn readers(server: &Process, count: usize) -> Vec<Client> {
    let mut readers = Vec::new();
    for _ in 0..count {
        let mut client = server.client().await;
        client.subscribe(CHANNEL).await;
        readers.push(client);
    }
    readers
}

async fn until_subscribed(server: &Process, count: usize) {
    let what = format!("{count} subscribers");
    eventually(&what, || async { subscribed(server, CHANNEL).await == count as u64 }).await;
}

/// Resident bytes of the server.
fn resident(server: &Process) -> usize {
    let statm = std::fs::read_to_string(format!("/proc/{}/statm", server.pid())).expect("a process");
    let pages: usize = statm.split(' ').nth(1).expect("a number").parse().expect("a number");
    pages * 4_096
}

#[tokio::test]
async fn a_client_that_stops_reading_is_closed_and_the_others_get_everything_in_order() {
    const EVENTS: usize = 1_000;
    let server = Process::start(&config("server: {outbound_limit: 64KB, write_timeout: 1s}", ""));
    let mut readers = readers(&server, 3).await;
    let _deaf = deaf(&server).await;
    until_subscribed(&server, 4).await;
    let reading = join_all(readers.iter_mut().map(|reader| read_all(reader, 0, EVENTS)));
    tokio::join!(publish(server.api(), 0, EVENTS), reading);
    until_subscribed(&server, 3).await;
    for reader in &mut readers {
        reader.expect_nothing().await;
    }
}

#[tokio::test]
async fn a_client_past_its_outbound_limit_is_closed_with_4100_after_what_was_begun() {
    const EVENTS: usize = 1_000;
    let server = Process::start(&config("server: {outbound_limit: 64KB, write_timeout: 1m}", ""));
    let mut readers = readers(&server, 1).await;
    let mut deaf = deaf(&server).await;
    tokio::join!(publish(server.api(), 0, EVENTS), read_all(&mut readers[0], 0, EVENTS));
    until_subscribed(&server, 1).await;
    let mut frames = deaf.drain().await;
    let close = frames.pop();
    assert_eq!(
        close,
        Some(Frame::Close(4100, "Client does not read fast enough".into()))
    );
    assert!(frames.len() < EVENTS, "it was not slow: {}", frames.len());
    for (at, got) in frames.iter().enumerate() {
        assert!(*got == frame(at), "event {at} is not the next");
    }
}

#[tokio::test]
async fn a_client_that_takes_no_bytes_for_the_write_timeout_is_given_up() {
    const EVENTS: usize = 1_000;
    let server = Process::start(&config("server: {outbound_limit: 1GB, write_timeout: 500ms}", ""));
    let mut readers = readers(&server, 1).await;
    let _deaf = deaf(&server).await;
    tokio::join!(publish(server.api(), 0, EVENTS), read_all(&mut readers[0], 0, EVENTS));
    until_subscribed(&server, 1).await;
    readers[0].expect_nothing().await;
}

#[tokio::test]
async fn a_slow_client_that_reads_on_in_time_loses_nothing() {
    const EVENTS: usize = 1_000;
    let server = Process::start(&config("server: {outbound_limit: 1GB, write_timeout: 1m}", ""));
    let mut slow = deaf(&server).await;
    publish(server.api(), 0, EVENTS).await;
    for at in 0..EVENTS {
        assert!(slow.next().await == frame(at), "event {at} is not the next");
    }
    until_subscribed(&server, 1).await;
}

#[tokio::test]
async fn deaf_clients_cost_at_most_the_outbound_limit() {
    const WARM: usize = 300;
    const EVENTS: usize = 3_000;
    const GROWTH_MAX: usize = 8 * 1_024 * 1_024;
    let server = Process::start(&config("server: {outbound_limit: 64KB, write_timeout: 1m}", ""));
    let mut readers = readers(&server, 1).await;
    tokio::join!(publish(server.api(), 0, WARM), read_all(&mut readers[0], 0, WARM));
    let before = resident(&server);
    let mut deaf_ones = Vec::new();
    for _ in 0..5 {
        deaf_ones.push(deaf(&server).await);
    }
    tokio::join!(
        publish(server.api(), WARM, EVENTS),
        read_all(&mut readers[0], WARM, EVENTS)
    );
    let grown = resident(&server).saturating_sub(before);
    // 27 MB were published after the others stopped reading.
    assert!(grown < GROWTH_MAX, "{grown} bytes more");
    until_subscribed(&server, 1).await;
}

#[tokio::test]
async fn a_deaf_client_delays_no_answer_of_the_api() {
    let server = Process::start(&config("server: {outbound_limit: 64KB, write_timeout: 1m}", ""));
    let _deaf = deaf(&server).await;
    publish(server.api(), 0, 1_000).await;
    let api = server.api();
    let call = api.get("/channels", &[]);
    let answer = tokio::time::timeout(Duration::from_secs(2), call)
        .await
        .expect("in time");
    assert_eq!(answer.status, 200);
}
