//! A wall clock that is wrong for a while: what it may not do to webhooks.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::harness::{Answer, Delivered, Folder, Process, Receiver, WallClock, config, eventually, webhook_of};

/// How long a request may have been on its way, on a busy machine.
const ON_ITS_WAY_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * 60 * 1_000;

/// A server on a ledger in this folder whose clock can be moved, and what it posts to.
async fn start(folder: &Folder, sections: &str) -> (Process, Receiver, WallClock) {
    let receiver = Receiver::start().await;
    let clock = WallClock::new(folder.file("clock"));
    let events = webhook_of(&receiver.url(), "existence", ", extras: true");
    let server = Process::start_with(&config(sections, &events), &clock.variables());
    (server, receiver, clock)
}

const AT_ONCE: &str = "webhooks: {vacated_delay: 0s}";

/// The time in a body.
fn time_ms(request: &Delivered) -> u64 {
    let body: serde_json::Value = serde_json::from_str(&request.body).expect("JSON");
    body["time_ms"].as_u64().expect("a number")
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    u64::try_from(now.as_millis()).expect("small")
}

/// Subscribes, and gives the time in the body that tells of it.
async fn told_at(server: &Process, receiver: &Receiver, channel: &str) -> u64 {
    let mut client = server.client().await;
    client.subscribe(channel).await;
    let event = format!("+{channel}");
    eventually(&event, || async { receiver.events().contains(&event) }).await;
    let requests = receiver.requests();
    time_ms(
        requests
            .iter()
            .find(|request| request.events().contains(&event))
            .expect("it came"),
    )
}

#[tokio::test]
async fn a_clock_that_was_two_hours_ahead_leaves_no_time_of_the_future_in_a_body() {
    let folder = Folder::new();
    let (mut server, receiver, clock) = start(&folder, AT_ONCE).await;
    let begin = now_ms();
    let is_right = |time_ms: u64| (begin..=begin + ON_ITS_WAY_MS).contains(&time_ms);
    assert!(is_right(told_at(&server, &receiver, "before").await));
    clock.set("+2h");
    let wrong = told_at(&server, &receiver, "meanwhile").await;
    assert!(is_right(wrong - 2 * HOUR_MS), "{wrong}: the clock can be moved");
    clock.set("+0");
    assert!(is_right(told_at(&server, &receiver, "after").await));
    server.end().await;
    server.start_again().await;
    assert!(is_right(told_at(&server, &receiver, "restarted").await));
    let events = receiver
        .requests()
        .into_iter()
        .flat_map(|request| request.whole_events());
    let occupied = events.filter(|event| event["name"] == "channel_occupied");
    let seqs: Vec<u64> = occupied.filter_map(|event| event["seq"].as_u64()).collect();
    assert!(seqs.is_sorted_by(|a, b| a < b) && 4 <= seqs.len(), "{seqs:?}");
}

/// What `vacancy ledger check` counts in the ledger of a server that has ended: lines of the log and
/// dead letters.
fn counted(folder: &Folder) -> (u64, u64) {
    let ran = folder.run(&["ledger", "check", "--json"], &[]);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let count = |what: &str| report[what].as_u64().expect("a number");
    (count("log_lines"), count("dead_letters"))
}

#[tokio::test]
async fn a_clock_that_jumps_31_days_ahead_deletes_and_parks_nothing_and_is_logged() {
    let folder = Folder::new();
    let sections = format!(
        "ledger: {{path: {}}}\nwebhooks: {{vacated_delay: 0s}}",
        folder.file("vacancy.redb").display()
    );
    let (mut server, receiver, clock) = start(&folder, &sections).await;
    // What `vacancy ledger` finds.
    std::fs::copy(server.file("config.yaml"), folder.file("config.yaml")).expect("it can be copied");
    // An endpoint that is gone keeps the newest state of a channel, and all before it is dead.
    receiver.answer_next(&[Answer::Status(410)]);
    let mut client = server.client().await;
    for _ in 0..5 {
        client.subscribe("a").await;
        client.unsubscribe("a").await;
    }
    server.logs("parked").await;
    client.subscribe("last").await;
    server.end().await;
    let (log, dead) = counted(&folder);
    assert!(3 < log && 3 < dead, "{log} {dead}");
    server.start_again().await;
    // From its first step on the ledger knows how late it is.
    server.logs("app 1: 1 channel was occupied at the start").await;
    clock.set("+31d");
    server.client().await.subscribe("b").await;
    server.logs("the wall clock has jumped 31 days ahead").await;
    server.client().await.subscribe("c").await;
    server.end().await;
    // A start with a clock that is wrong knows no better.
    server.start_again().await;
    server.client().await.subscribe("d").await;
    server.end().await;
    let now = counted(&folder);
    assert!(log <= now.0 && dead <= now.1, "{now:?}, before {log} {dead}");
}
