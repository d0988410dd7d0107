//! Going away: SIGTERM and what follows (DESIGN.md section 7).

use std::time::{Duration, Instant};

use super::told_in_any_order;
use crate::harness::{Answer, Client, Frame, Process, Raw, Receiver, client_text, config, upgrade_request, webhook};

const READY: &[u8] = b"GET /ready HTTP/1.1\r\nHost: x\r\n\r\n";

fn going_away() -> Frame {
    Frame::Close(4200, "Server is going away, please reconnect".into())
}

#[tokio::test]
async fn an_idle_server_ends_at_once_with_exit_code_0() {
    for signal in ["TERM", "INT"] {
        let mut server = Process::start(&config("", ""));
        server.signal(signal);
        assert_eq!(server.ended().await, 0, "{signal}");
        server.logs("stopped").await;
    }
}

#[tokio::test]
async fn every_client_is_closed_with_4200() {
    let mut server = Process::start(&config("", ""));
    let mut clients = Vec::new();
    for _ in 0..30 {
        let mut client = server.client().await;
        client.subscribe("news").await;
        clients.push(client);
    }
    let mut old = Client::open(server.port, "/app/app-key?protocol=5").await;
    old.next_json().await;
    server.signal("TERM");
    for client in &mut clients {
        assert_eq!(client.next().await, going_away());
        assert_eq!(client.next().await, Frame::End);
    }
    let error = r#"{"event":"pusher:error","data":{"code":4200,"message":"Server is going away, please reconnect"}}"#;
    old.expect(error).await;
    assert_eq!(old.next().await, going_away());
    assert_eq!(server.ended().await, 0);
}

#[tokio::test]
async fn what_was_told_occupied_is_told_vacated_and_delivered_before_the_end() {
    let receiver = Receiver::start().await;
    let mut server = Process::start(&config(
        "webhooks: {vacated_delay: 1h}\nledger: {path: memory}",
        &webhook(&receiver.url()),
    ));
    let mut client = server.client().await;
    client.subscribe("a").await;
    client.subscribe_as("presence-b", Some("7")).await;
    client.subscribe("pending").await;
    client.unsubscribe("pending").await;
    told_in_any_order(&receiver, &["+a", "+presence-b", "+presence-b/7", "+pending"]).await;
    server.signal("TERM");
    assert_eq!(server.ended().await, 0);
    let mut vacated = receiver.events().split_off(4);
    let user = vacated.iter().position(|event| event == "-presence-b/7");
    let room = vacated.iter().position(|event| event == "-presence-b");
    assert!(user < room, "{vacated:?}");
    vacated.sort_unstable();
    assert_eq!(vacated, ["-a", "-pending", "-presence-b", "-presence-b/7"]);
}

#[tokio::test]
async fn while_it_drains_ready_answers_503_and_a_late_endpoint_still_gets_everything() {
    let receiver = Receiver::start().await;
    receiver.answer(Answer::Status(500));
    let mut server = Process::start(&config("ledger: {path: memory}", &webhook(&receiver.url())));
    let mut client = server.client().await;
    client.subscribe("news").await;
    receiver.expect_requests(1).await;
    let mut watchers = [Raw::connect(server.port).await, Raw::connect(server.port).await];
    for watcher in &mut watchers {
        watcher.send(READY).await;
        let response = watcher.response().await;
        assert_eq!((response.status, response.body.as_str()), (200, "ready\n"));
    }
    let [mut watcher, mut other] = watchers;

    server.signal("TERM");
    assert_eq!(client.next().await, going_away());
    watcher.send(READY).await;
    let response = watcher.response().await;
    assert_eq!(
        (response.status, response.body.as_str()),
        (503, "draining: the server is going away\n")
    );
    other.send(b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let response = other.response().await;
    assert_eq!(response.status, 200);
    assert!(response.head.contains("connection: close"), "{}", response.head);
    assert_eq!(server.exit_code(), None);

    receiver.answer(Answer::Status(200));
    assert_eq!(server.ended().await, 0);
    assert_eq!(receiver.events(), ["+news", "-news"]);
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let receiver = Receiver::start().await;
    receiver.answer(Answer::Hang);
    let sections = "server: {drain_timeout: 1h}\nwebhooks: {timeout: 1h}\nledger: {path: memory}";
    let mut server = Process::start(&config(sections, &webhook(&receiver.url())));
    let mut client = server.client().await;
    client.subscribe("news").await;
    receiver.expect_requests(1).await;
    server.signal("TERM");
    server.logs("draining").await;
    assert_eq!(client.next().await, going_away());
    assert_eq!(server.exit_code(), None);
    server.signal("TERM");
    assert_eq!(server.ended().await, 1);
}

#[tokio::test]
async fn a_drain_ends_after_its_timeout_and_says_what_was_not_delivered() {
    let receiver = Receiver::start().await;
    receiver.answer(Answer::Status(500));
    let mut server = Process::start(&config(
        "server: {drain_timeout: 500ms}\nledger: {path: memory}",
        &webhook(&receiver.url()),
    ));
    let mut client = server.client().await;
    client.subscribe("news").await;
    receiver.expect_requests(1).await;
    let since = Instant::now();
    server.signal("TERM");
    server.ended().await;
    assert!(Duration::from_millis(500) <= since.elapsed());
    server
        .logs("the drain timeout is over, 2 webhook events are not answered")
        .await;
}

#[tokio::test]
async fn clients_that_neither_read_nor_close_do_not_hold_a_drain_up() {
    let mut server = Process::start(&config("server: {drain_timeout: 1h}", ""));
    let mut deaf = Raw::client(server.port).await;
    let half = &upgrade_request("/app/app-key", "")[..40];
    let mut slow = Raw::connect(server.port).await;
    slow.send(half.as_bytes()).await;
    server.signal("TERM");
    assert_eq!(server.ended().await, 0);
    assert_eq!(deaf.drain().await, [going_away()]);
}

#[tokio::test]
async fn who_connects_on_an_open_connection_while_it_drains_is_sent_away_and_leaves_no_trace() {
    let receiver = Receiver::start().await;
    receiver.answer(Answer::Status(500));
    let mut server = Process::start(&config("ledger: {path: memory}", &webhook(&receiver.url())));
    let mut client = server.client().await;
    client.subscribe("news").await;
    receiver.expect_requests(1).await;
    let mut late = Raw::connect(server.port).await;
    late.send(READY).await;
    assert_eq!(late.response().await.status, 200);

    server.signal("TERM");
    assert_eq!(client.next().await, going_away());
    // The next attempt comes long after every client was closed.
    receiver.expect_requests(2).await;
    let mut bytes = upgrade_request("/app/app-key?protocol=7", "").into_bytes();
    bytes.extend(client_text(r#"{"event":"pusher:subscribe","data":{"channel":"late"}}"#));
    late.send(&bytes).await;
    assert_eq!(late.response().await.status, 101);
    let frames = late.drain().await;
    assert_eq!(frames.last(), Some(&going_away()), "{frames:?}");

    receiver.answer(Answer::Status(200));
    assert_eq!(server.ended().await, 0);
    let events = receiver.events();
    let of = |channel: &str| {
        let mut events = events.clone();
        events.retain(|event| event.ends_with(channel));
        events
    };
    assert_eq!(of("news"), ["+news", "-news"]);
    assert!(of("late").is_empty() || of("late") == ["+late", "-late"], "{events:?}");
}
