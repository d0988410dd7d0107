//! Connections that must show in time that they may be there (PROTOCOL.md section 1.10).

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::harness::{Client, Fallback, Frame, Process, config_of};

const TEXT: &str = "Connection not authorized within timeout";

fn server() -> Process {
    Process::start(&config_of("", &["authorized_connections: 700ms"], ""))
}

fn not_authorized() -> Frame {
    Frame::Close(4009, TEXT.into())
}

/// Longer than the timeout.
async fn past_the_timeout() {
    sleep(Duration::from_millis(1_200)).await;
}

#[tokio::test]
async fn a_connection_that_shows_nothing_is_closed_with_4009_after_the_timeout() {
    let server = server();
    let began = Instant::now();
    let mut client = server.client().await;
    assert_eq!(client.next().await, not_authorized());
    assert!(Duration::from_millis(600) < began.elapsed());
    assert_eq!(client.next().await, Frame::End);
}

#[tokio::test]
async fn protocol_5_is_told_the_error_first() {
    let server = server();
    let mut client = Client::connect_to(server.port, "/app/app-key?protocol=5").await;
    client
        .expect(&format!(
            r#"{{"event":"pusher:error","data":{{"code":4009,"message":"{TEXT}"}}}}"#
        ))
        .await;
    assert_eq!(client.next().await, not_authorized());
}

#[tokio::test]
async fn public_channels_and_refused_requests_show_nothing() {
    let server = server();
    let mut client = server.client().await;
    client.subscribe("news").await;
    client.subscribe("cache-a").await;
    assert_eq!(client.next_json().await["event"], "pusher:cache_miss");
    client
        .send(r#"{"event":"pusher:subscribe","data":{"channel":"private-a","auth":"app-key:abc"}}"#)
        .await;
    assert_eq!(client.next_json().await["event"], "pusher:error");
    assert_eq!(client.next_json().await["event"], "pusher:subscription_error");
    client
        .send(r#"{"event":"pusher:signin","data":{"auth":"app-key:abc","user_data":"{\"id\":\"7\"}"}}"#)
        .await;
    assert_eq!(client.next_json().await["event"], "pusher:error");
    assert_eq!(client.next().await, not_authorized());
}

#[tokio::test]
async fn who_joins_an_authorized_channel_or_signs_in_stays() {
    let server = server();
    let mut clients = Vec::new();
    for (channel, user) in [
        ("private-a", None),
        ("private-encrypted-a", None),
        ("presence-a", Some("1")),
    ] {
        let mut client = server.client().await;
        client.subscribe_as(channel, user).await;
        clients.push(client);
    }
    let mut left = server.client().await;
    left.subscribe("private-b").await;
    left.unsubscribe("private-b").await;
    let mut signed_in = server.client().await;
    signed_in.sign_in(r#"{"id":"7"}"#).await;
    clients.extend([left, signed_in]);
    past_the_timeout().await;
    for client in &mut clients {
        client.expect_nothing().await;
    }
}

#[tokio::test]
async fn a_session_of_the_fallbacks_is_closed_too() {
    let server = server();
    let session = Fallback::new(server.port, "1/authorjs");
    let mut receiving = session.receive("xhr_streaming").await;
    receiving.expect("o").await;
    receiving.established().await;
    receiving.expect(&format!(r#"c[4009,"{TEXT}"]"#)).await;
    assert_eq!(receiving.line().await, None);
}
