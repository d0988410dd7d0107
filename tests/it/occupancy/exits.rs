//! Every way in which a client leaves is told.

use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio_tungstenite::MaybeTlsStream;

use crate::harness::{Answer, Client, Frame, Process, Receiver, config, eventually, holds_within, webhook};

const JOINED: [&str; 3] = ["+news", "+presence-room", "+presence-room/7"];
const LEFT: [&str; 3] = ["-news", "-presence-room", "-presence-room/7"];

async fn start(sections: &str) -> (Process, Receiver) {
    let receiver = Receiver::start().await;
    let sections = format!("webhooks: {{vacated_delay: 100ms}}\nledger: {{path: memory}}\n{sections}");
    let server = Process::start(&config(&sections, &webhook(&receiver.url())));
    (server, receiver)
}

async fn joined(server: &Process) -> Client {
    let mut client = server.client().await;
    client.subscribe("news").await;
    client.subscribe_as("presence-room", Some("7")).await;
    client
}

/// Waits until what the client joined was told occupied and then vacated, each once.
async fn expect_left(receiver: &Receiver) {
    eventually("all events", || async { 6 <= receiver.events().len() }).await;
    let events = receiver.events();
    let mut joined = events[..3].to_vec();
    joined.sort();
    assert_eq!(joined, JOINED);
    let mut left = events[3..].to_vec();
    left.sort();
    assert_eq!(left, LEFT);
    let place = |event: &str| events.iter().position(|other| other == event);
    assert!(place("-presence-room/7") < place("-presence-room"), "{events:?}");
}

#[tokio::test]
async fn a_client_that_unsubscribes_is_told_gone() {
    let (server, receiver) = start("").await;
    let mut client = joined(&server).await;
    client.unsubscribe("news").await;
    client.unsubscribe("presence-room").await;
    expect_left(&receiver).await;
    client.expect_nothing().await;
}

#[tokio::test]
async fn a_client_that_closes_is_told_gone() {
    let (server, receiver) = start("").await;
    joined(&server).await.close().await;
    expect_left(&receiver).await;
}

#[tokio::test]
async fn a_client_that_ends_its_connection_without_a_close_frame_is_told_gone() {
    let (server, receiver) = start("").await;
    drop(joined(&server).await);
    expect_left(&receiver).await;
}

#[tokio::test]
async fn a_client_that_is_reset_is_told_gone() {
    let (server, receiver) = start("").await;
    joined(&server).await.reset();
    expect_left(&receiver).await;
}

#[tokio::test]
async fn a_client_that_breaks_the_protocol_is_told_gone() {
    let (server, receiver) = start("").await;
    let mut client = joined(&server).await;
    let binary = tokio_tungstenite::tungstenite::Message::binary(vec![1, 2, 3]);
    client.send_message(binary).await;
    expect_left(&receiver).await;
}

#[tokio::test]
async fn a_client_that_does_not_answer_the_ping_is_told_gone() {
    let (server, receiver) = start("server: {ping_after: 500ms, pong_timeout: 500ms}").await;
    let from = Instant::now();
    // It keeps its socket but reads nothing, so no pong goes out.
    let _client = joined(&server).await;
    expect_left(&receiver).await;
    assert!(Duration::from_secs(1) <= from.elapsed(), "{:?}", from.elapsed());
}

/// Has a client take few bytes in its kernel, so that they soon wait in the server.
fn read_little(client: &Client) {
    let MaybeTlsStream::Plain(socket) = client.socket.get_ref() else {
        panic!("not a plain socket");
    };
    socket2::SockRef::from(socket)
        .set_recv_buffer_size(4_096)
        .expect("a socket");
}

/// Publishes 10 KB events to `presence-room` until user 7 is gone; gives their number.
async fn publish_until_gone(server: &Process) -> usize {
    let data = "x".repeat(10_000);
    for count in 1..=3_000 {
        let body = serde_json::json!({"name": "e", "channel": "presence-room", "data": data, "info": "user_count"});
        let answer = server.api().post("/events", &body.to_string()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        if answer.json()["channels"]["presence-room"]["user_count"] == 1 {
            return count;
        }
    }
    panic!("a client that reads nothing is not closed");
}

#[tokio::test]
async fn a_client_that_takes_too_little_is_closed_and_told_gone_and_costs_the_others_nothing() {
    let (server, receiver) = start("server: {outbound_limit: 64KB}").await;
    let mut reads = server.client().await;
    reads.subscribe_as("presence-room", Some("8")).await;
    let mut slow = server.client().await;
    read_little(&slow);
    slow.subscribe_as("presence-room", Some("7")).await;
    let reading = tokio::spawn(async move {
        let mut events = 0;
        loop {
            let frame = reads.next_json().await;
            match frame["event"].as_str() {
                Some("e") => events += 1,
                Some("last") => return (reads, events),
                _ => {}
            }
        }
    });
    let published = publish_until_gone(&server).await;
    receiver
        .expect(&[
            "+presence-room",
            "+presence-room/8",
            "+presence-room/7",
            "-presence-room/7",
        ])
        .await;
    server.api().trigger("presence-room", "last", "x").await;
    let (_reads, events) = reading.await.expect("no panic");
    assert_eq!(events, published, "the other subscriber gets every event");
}

#[tokio::test]
async fn a_client_that_takes_nothing_for_the_write_timeout_is_told_gone() {
    let (server, receiver) = start("server: {outbound_limit: 1GB, write_timeout: 500ms}").await;
    let mut watcher = server.client().await;
    let mut slow = server.client().await;
    read_little(&slow);
    slow.subscribe_as("presence-room", Some("7")).await;
    let data = "x".repeat(10_000);
    let event = serde_json::json!({"name": "e", "channel": "presence-room", "data": data});
    let batch = serde_json::json!({"batch": vec![event; 10]}).to_string();
    // More than the kernel takes for it.
    for _ in 0..80 {
        let answer = server.api().post("/batch_events", &batch).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let events = [
        "+presence-room",
        "+presence-room/7",
        "-presence-room/7",
        "-presence-room",
    ];
    receiver.expect(&events).await;
    watcher.expect_nothing().await;
}

#[tokio::test]
async fn a_drain_closes_the_clients_and_tells_vacated_of_everything() {
    let (mut server, receiver) = start("").await;
    let mut client = joined(&server).await;
    receiver.expect(&JOINED).await;
    server.signal("TERM");
    let frame = client.next().await;
    assert!(matches!(&frame, Frame::Close(4200, _)), "{frame:?}");
    expect_left(&receiver).await;
    server.expect_end().await;
}

#[tokio::test]
async fn a_drain_waits_for_an_endpoint_that_fails_at_first() {
    let (mut server, receiver) = start("").await;
    let _client = joined(&server).await;
    receiver.expect(&JOINED).await;
    receiver.answer_next(&[Answer::Status(500)]);
    server.signal("TERM");
    expect_left(&receiver).await;
    server.expect_end().await;
}

#[tokio::test]
async fn a_connection_that_upgrades_during_a_drain_does_not_hold_it_up() {
    let (mut server, receiver) = start("").await;
    // Its webhook keeps the drain going for a second.
    let mut client = joined(&server).await;
    receiver.expect(&JOINED).await;
    receiver.answer_next(&[Answer::Status(500)]);
    let request = "GET /app/app-key?protocol=7 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\
                   Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                   Sec-WebSocket-Version: 13\r\n";
    let mut late = tokio::net::TcpStream::connect(("127.0.0.1", server.port))
        .await
        .expect("connects");
    late.write_all(request.as_bytes()).await.expect("sends");
    client.expect_nothing().await;
    server.signal("TERM");
    while client.next().await != Frame::End {}
    receiver.expect_requests(2).await;
    late.write_all(b"\r\n").await.expect("sends");
    expect_left(&receiver).await;
    server.expect_end().await;
}

#[tokio::test]
async fn a_drain_ends_at_its_timeout_and_says_what_is_not_answered() {
    let (mut server, receiver) = start("server: {drain_timeout: 1s}").await;
    let _client = joined(&server).await;
    receiver.expect(&JOINED).await;
    receiver.answer(Answer::Hang);
    server.signal("TERM");
    server.expect_end().await;
    let line = "the drain timeout is over, 3 webhook events are not answered";
    server.logs(line).await;
}

#[tokio::test]
async fn a_second_signal_ends_a_drain_at_once() {
    let (mut server, receiver) = start("").await;
    let mut client = joined(&server).await;
    receiver.expect(&JOINED).await;
    receiver.answer(Answer::Hang);
    let before = receiver.requests().len();
    server.signal("TERM");
    while client.next().await != Frame::End {}
    eventually("a request of the drain", || async {
        before < receiver.requests().len()
    })
    .await;
    server.signal("INT");
    let ends = holds_within(Duration::from_secs(3), async || server.exit_code().is_some()).await;
    assert!(ends, "{}", server.log());
    assert_eq!(server.exit_code(), Some(1), "{}", server.log());
}
