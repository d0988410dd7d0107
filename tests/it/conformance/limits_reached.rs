//! A limit that may be set can be reached: no client is closed for one message that it allows.

use serde_json::{Value, json};

use super::{event, subscription_succeeded};
use crate::harness::{Client, Fallback, Frame, KEY, Process, SECRET, config_of, hmac_hex};

const MB: usize = 1_024 * 1_024;

fn limited(limits: &str) -> Process {
    Process::start(&config_of("", &[&format!("limits: {limits}")], ""))
}

fn client_event(data: &str) -> String {
    json!({ "event": "client-x", "channel": "private-a", "data": data }).to_string()
}

/// A JSON string of this many letters, each written as an escape.
fn escaped(length: usize) -> String {
    format!("\"{}\"", r"\u0041".repeat(length))
}

#[tokio::test]
async fn a_client_event_of_the_length_that_is_set_is_relayed_and_a_longer_one_is_an_error() {
    let server = limited("{event_data: 500KB}");
    let (mut sender, mut other) = (server.client().await, server.client().await);
    sender.subscribe("private-a").await;
    other.subscribe("private-a").await;
    for length in [200 * 1_024, 500 * 1_024] {
        let data = "x".repeat(length);
        sender.send(&client_event(&data)).await;
        other.expect(&event("client-x", &data, "private-a")).await;
    }
    sender.send(&client_event(&"x".repeat(500 * 1_024 + 1))).await;
    sender
        .expect(r#"{"event":"pusher:error","data":{"code":4301,"message":"Client event data is 512001 bytes, limit is 512000"}}"#)
        .await;
    sender.expect_nothing().await;
}

#[tokio::test]
async fn an_event_of_1_mb_that_is_written_in_escapes_reaches_its_subscribers() {
    let server = limited("{event_data: 1MB}");
    let mut sender = server.client().await;
    sender.subscribe("private-a").await;
    let mut other = server.client().await;
    other.subscribe("private-a").await;
    let session = Fallback::new(server.port, "7/abcdefgh");
    let mut receiving = session.receive("xhr_streaming").await;
    receiving.expect("o").await;
    let socket_id = receiving.established().await;
    let auth = format!("{KEY}:{}", hmac_hex(SECRET, &format!("{socket_id}:private-a")));
    let subscribe = json!({ "event": "pusher:subscribe", "data": { "channel": "private-a", "auth": auth } });
    session.send(&[&subscribe.to_string()]).await;
    receiving.expect_message(&subscription_succeeded("private-a")).await;

    let data = escaped(MB);
    let body = format!(r#"{{"name":"e","channel":"private-a","data":{data}}}"#);
    let answer = server.api().post("/events", &body).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "{}"));
    let from_back_end = format!(r#"{{"event":"e","data":{data},"channel":"private-a"}}"#);
    sender.expect(&from_back_end).await;
    other.expect(&from_back_end).await;
    receiving.expect_message(&from_back_end).await;
    // After this many bytes a client drops a streaming response and asks for another.
    let mut receiving = session.receive("xhr_streaming").await;

    sender
        .send(&format!(
            r#"{{"event":"client-x","channel":"private-a","data":{data}}}"#
        ))
        .await;
    let from_client = event("client-x", &"A".repeat(MB), "private-a");
    other.expect(&from_client).await;
    receiving.expect_message(&from_client).await;
    session
        .send(&[&format!(
            r#"{{"event":"client-x","channel":"private-a","data":{data}}}"#
        )])
        .await;
    sender.expect(&from_client).await;
    other.expect(&from_client).await;
}

#[tokio::test]
async fn over_a_fallback_a_message_that_is_too_long_is_an_error_and_the_session_stays() {
    let server = limited("{}");
    let session = Fallback::new(server.port, "7/abcdefgh");
    let mut receiving = session.receive("xhr_streaming").await;
    receiving.expect("o").await;
    receiving.established().await;
    session.send(&[&client_event(&"x".repeat(200_000))]).await;
    let message: Value = serde_json::from_str(&receiving.message().await).expect("JSON");
    let text = message["data"]["message"].as_str().expect("a text");
    assert!(
        text.starts_with("Message is 200") && text.ends_with(" bytes, limit is 131072"),
        "{text}"
    );
    let answer = session.post(&json!(["x".repeat(MB)]).to_string()).await;
    assert_eq!(answer.status, 413);
    let want =
        r#"{"event":"pusher:error","data":{"code":4301,"message":"Message is 1048577 bytes, limit is 1048576"}}"#;
    receiving.expect_message(want).await;
    session.send(&[r#"{"event":"pusher:ping","data":{}}"#]).await;
    receiving.expect_message(r#"{"event":"pusher:pong","data":"{}"}"#).await;
}

/// Joins a presence channel as a user with an info of this many bytes.
async fn join(client: &mut Client, user: &str, info_bytes: usize) -> Value {
    let info = "\"".repeat((info_bytes - 8) / 2);
    let channel_data = json!({ "user_id": user, "user_info": { "i": info } }).to_string();
    let auth = hmac_hex(SECRET, &format!("{}:presence-a:{channel_data}", client.socket_id));
    let data = json!({ "channel": "presence-a", "auth": format!("{KEY}:{auth}"), "channel_data": channel_data });
    client
        .send(&json!({ "event": "pusher:subscribe", "data": data }).to_string())
        .await;
    client.next_json().await
}

#[tokio::test]
async fn the_list_of_members_with_large_infos_reaches_who_joins_however_long_it_is() {
    let server = limited("{user_info: 64KB}");
    let mut members = Vec::new();
    for at in 0..40 {
        let mut client = server.client().await;
        let confirmation = join(&mut client, &format!("u{at}"), 64 * 1_024).await;
        assert_eq!(confirmation["event"], "pusher_internal:subscription_succeeded");
        let data: Value = serde_json::from_str(confirmation["data"].as_str().expect("a text")).expect("JSON");
        assert_eq!(data["presence"]["count"], at + 1);
        // It reads who else joins.
        members.push(tokio::spawn(async move {
            while client.next_whenever().await != Frame::End {}
        }));
    }
    assert_eq!(
        server.api().get("/connections", &[]).await.body,
        r#"{"connections":40}"#
    );
    for member in members {
        assert!(!member.is_finished(), "one was closed");
        member.abort();
    }
}

#[tokio::test]
async fn a_watchlist_of_8000_users_is_read_and_answered() {
    let server = Process::start(&config_of("", &["watchlist: true", "limits: {watchlist: 10000}"], ""));
    let ids: Vec<String> = (0..8_000).map(|at| format!("{at:0>128}")).collect();
    let mut client = server.client().await;
    client
        .sign_in(&json!({ "id": "7", "watchlist": ids }).to_string())
        .await;
    let events = client.next_json().await;
    assert_eq!(events["event"], "pusher_internal:watchlist_events");
    let data: Value = serde_json::from_str(events["data"].as_str().expect("a text")).expect("JSON");
    let offline = data["events"][0]["user_ids"].as_array().expect("a list");
    assert_eq!(
        (data["events"][0]["name"].as_str(), offline.len()),
        (Some("offline"), 8_000)
    );
    client.expect_nothing().await;
}

#[tokio::test]
async fn a_trigger_names_as_many_channels_as_are_set() {
    let server = limited("{trigger_channels: 10000, batch_events: 1}");
    let channels: Vec<String> = (0..10_000).map(|at| format!("{at:0>164}")).collect();
    let body = json!({ "name": "e", "data": "x", "channels": channels });
    let answer = server.api().post("/events", &body.to_string()).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "{}"));
}

/// A message longer than the bound is delivered, and so are the next ones.
#[tokio::test]
async fn a_message_that_is_longer_than_what_may_wait_is_delivered_with_what_comes_behind_it() {
    let server = Process::start(&config_of(
        "server: {outbound_limit: 10KB}",
        &["limits: {event_data: 1MB}"],
        "",
    ));
    let mut client = server.client().await;
    client.subscribe("a").await;
    // More than the kernel buffers for a client that does not read yet.
    let data = escaped(MB);
    let body = format!(r#"{{"name":"long","channel":"a","data":{data}}}"#);
    let long = format!(r#"{{"event":"long","data":{data},"channel":"a"}}"#);
    for round in 0..3 {
        assert_eq!(server.api().post("/events", &body).await.status, 200);
        server.api().trigger("a", "short", &round.to_string()).await;
        client.expect(&long).await;
        client.expect(&event("short", &round.to_string(), "a")).await;
    }
}
