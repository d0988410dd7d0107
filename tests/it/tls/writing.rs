//! The path of frames through TLS: whole, in order, within bounds, and cut anywhere.

use futures_util::future::join_all;
use serde_json::json;
use tokio::io::AsyncWriteExt;

use super::{api, event, section, server, subscriber};
use crate::harness::{Api, Client, Frame, Process, Raw, client_text, config_of, eventually};

/// The bytes of a large event.
const LARGE: usize = 800_000;

fn roomy(more: &str) -> Process {
    let limits = "limits: {event_data: 1MB}";
    Process::start(&config_of(&section("localhost", more), &[limits], ""))
}

fn data(at: usize, bytes: usize) -> String {
    format!("{at:010}{}", "x".repeat(bytes - 10))
}

async fn publish(api: Api, from: usize, to: usize, bytes: usize) {
    for at in from..to {
        api.trigger("feed", "e", &data(at, bytes)).await;
    }
}

async fn read(client: &mut Client, from: usize, to: usize, bytes: usize) {
    for at in from..to {
        let got = client.next().await;
        let want = Frame::Text(event("e", &data(at, bytes), "feed"));
        assert!(got == want, "want event {at}, got {:.100}", format!("{got:?}"));
    }
}

#[tokio::test]
async fn large_frames_reach_readers_that_read_late_whole_and_in_order() {
    let server = roomy(", outbound_limit: 64MB, write_timeout: 60s");
    let mut quick = subscriber(&server, "feed").await;
    let mut late = subscriber(&server, "feed").await;
    tokio::join!(publish(api(&server), 0, 40, LARGE), read(&mut quick, 0, 40, LARGE));
    read(&mut late, 0, 40, LARGE).await;
    // What was queued is gone: the next is written at once again.
    publish(api(&server), 40, 41, 100).await;
    tokio::join!(read(&mut quick, 40, 41, 100), read(&mut late, 40, 41, 100));
}

#[tokio::test]
async fn frames_of_every_size_around_a_record_are_whole() {
    let server = roomy("");
    let mut client = subscriber(&server, "feed").await;
    for bytes in [16_300, 16_384, 16_400, 32_768, 65_400, 65_536, 65_600, 131_072, 200_001] {
        tokio::join!(publish(api(&server), 0, 1, bytes), read(&mut client, 0, 1, bytes));
    }
}

#[tokio::test]
async fn a_client_that_stops_reading_is_closed_with_4100_after_whole_frames_and_delays_nobody() {
    const EVENTS: usize = 40;
    let server = roomy(", outbound_limit: 1MB, write_timeout: 30s");
    let mut reader = subscriber(&server, "feed").await;
    let mut deaf = subscriber(&server, "feed").await;
    tokio::join!(
        publish(api(&server), 0, EVENTS, LARGE),
        read(&mut reader, 0, EVENTS, LARGE)
    );
    let mut last = deaf.next().await;
    let mut at = 0;
    while let Frame::Text(text) = &last {
        assert!(*text == event("e", &data(at, LARGE), "feed"), "event {at}");
        at += 1;
        last = deaf.next().await;
    }
    assert_eq!(last, Frame::Close(4100, "Client does not read fast enough".into()));
    assert!(at < EVENTS);
    assert_eq!(deaf.next().await, Frame::End);
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_dropped_after_the_write_timeout() {
    let server = roomy(", outbound_limit: 256MB, write_timeout: 500ms");
    let mut reader = subscriber(&server, "feed").await;
    let _deaf = subscriber(&server, "feed").await;
    tokio::join!(publish(api(&server), 0, 40, LARGE), read(&mut reader, 0, 40, LARGE));
    eventually("one subscriber", || async {
        let stats = api(&server).get("/channels/feed/stats", &[]).await;
        stats.json()["connection_count"] == json!(1)
    })
    .await;
}

#[tokio::test]
async fn frames_that_come_byte_by_byte_and_in_large_pieces_are_read() {
    let server = server();
    let mut raw = Raw::over_tls(server.port).await.into_client().await;
    for byte in client_text(r#"{"event":"pusher:ping","data":{}}"#) {
        raw.send(&[byte]).await;
    }
    raw.expect(r#"{"event":"pusher:pong","data":"{}"}"#).await;
    let mut many = Vec::new();
    for _ in 0..50 {
        let padding = "x".repeat(20_000);
        many.extend(client_text(&format!(
            r#"{{"event":"pusher:ping","data":{{"p":"{padding}"}}}}"#
        )));
    }
    raw.send(&many).await;
    for _ in 0..50 {
        raw.expect(r#"{"event":"pusher:pong","data":"{}"}"#).await;
    }
}

#[tokio::test]
async fn a_frame_that_is_never_finished_ends_with_its_client() {
    let server = server();
    let mut raw = Raw::over_tls(server.port).await.into_client().await;
    let frame = client_text(r#"{"event":"pusher:subscribe","data":{"channel":"never"}}"#);
    raw.send(&frame[..frame.len() / 2]).await;
    drop(raw);
    let mut client = subscriber(&server, "news").await;
    client.expect_nothing().await;
    let channels = api(&server).get("/channels", &[]).await;
    assert_eq!(channels.json(), json!({ "channels": { "news": {} } }));
}

#[tokio::test]
async fn keys_may_be_renewed_while_frames_go_both_ways() {
    let server = server();
    let mut raw = Raw::over_tls(server.port).await.into_client().await;
    for _ in 0..5 {
        raw.socket.get_mut().1.refresh_traffic_keys().expect("TLS 1.3");
        raw.socket.flush().await.expect("sends");
        raw.send(&client_text(r#"{"event":"pusher:ping","data":{}}"#)).await;
        raw.expect(r#"{"event":"pusher:pong","data":"{}"}"#).await;
    }
}

#[tokio::test]
async fn a_storm_of_clients_gets_everything_and_leaves_nothing() {
    let server = roomy("");
    let clients = (0..200).map(|_| subscriber(&server, "feed"));
    let mut clients = join_all(clients).await;
    let reading = join_all(clients.iter_mut().map(|client| read(client, 0, 20, 1_000)));
    tokio::join!(publish(api(&server), 0, 20, 1_000), reading);
    drop(clients);
    eventually("nobody is left", || async {
        api(&server).get("/channels", &[]).await.json() == json!({ "channels": {} })
    })
    .await;
}
