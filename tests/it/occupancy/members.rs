//! Users of presence channels, who may have several connections.

use crate::harness::{KEY, Process, Receiver, SECRET, config, hmac_hex, webhook};

const JOINED: [&str; 2] = ["+presence-room", "+presence-room/7"];
const LEFT: [&str; 2] = ["-presence-room/7", "-presence-room"];

async fn start(delay: &str) -> (Process, Receiver) {
    let receiver = Receiver::start().await;
    let sections = format!("webhooks: {{vacated_delay: {delay}}}");
    let server = Process::start(&config(&sections, &webhook(&receiver.url())));
    (server, receiver)
}

#[tokio::test]
async fn a_user_with_two_connections_is_added_once_and_removed_with_the_last() {
    let (server, receiver) = start("100ms").await;
    let [mut first, mut second, mut watcher] = [server.client().await, server.client().await, server.client().await];
    first.subscribe_as("presence-room", Some("7")).await;
    second.subscribe_as("presence-room", Some("7")).await;
    first.close().await;
    // Longer than the delay: what would be told late is told by then.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    watcher.subscribe("marker").await;
    receiver.expect(&[&JOINED[..], &["+marker"]].concat()).await;
    second.close().await;
    receiver.expect(&[&JOINED[..], &["+marker"], &LEFT].concat()).await;
}

#[tokio::test]
async fn a_connection_that_replaces_another_of_the_same_user_tells_nothing() {
    let (server, receiver) = start("0s").await;
    let mut client = server.client().await;
    client.subscribe_as("presence-room", Some("7")).await;
    for _ in 0..5 {
        let mut next = server.client().await;
        next.subscribe_as("presence-room", Some("7")).await;
        client.close().await;
        client = next;
    }
    client.subscribe("marker").await;
    receiver.expect(&[&JOINED[..], &["+marker"]].concat()).await;
}

#[tokio::test]
async fn entering_together_occupied_comes_before_added_and_leaving_together_removed_before_vacated() {
    let (server, receiver) = start("100ms").await;
    for round in 1..=3 {
        let mut client = server.client().await;
        client.subscribe_as("presence-room", Some("7")).await;
        client.close().await;
        receiver.expect(&[JOINED, LEFT].concat().repeat(round)).await;
    }
}

#[tokio::test]
async fn a_member_is_told_with_its_id_alone_as_a_string_and_without_its_info() {
    let (server, receiver) = start("100ms").await;
    let mut client = server.client().await;
    let data = r#"{"user_id":42,"user_info":{"name":"Ann"}}"#;
    let to_sign = format!("{}:presence-room:{data}", client.socket_id);
    let auth = format!("{KEY}:{}", hmac_hex(SECRET, &to_sign));
    let data = serde_json::json!({"channel": "presence-room", "auth": auth, "channel_data": data});
    let subscribe = serde_json::json!({"event": "pusher:subscribe", "data": data});
    client.send(&subscribe.to_string()).await;
    receiver.expect(&["+presence-room", "+presence-room/42"]).await;
    let body = receiver
        .requests()
        .iter()
        .map(|request| request.body.clone())
        .collect::<String>();
    assert!(
        body.contains(r#"{"name":"member_added","channel":"presence-room","user_id":"42"}"#),
        "{body}"
    );
}

#[tokio::test]
async fn the_same_user_in_two_channels_is_two_memberships() {
    let (server, receiver) = start("0s").await;
    let mut client = server.client().await;
    client.subscribe_as("presence-a", Some("7")).await;
    client.subscribe_as("presence-b", Some("7")).await;
    client.unsubscribe("presence-a").await;
    receiver
        .expect(&[
            "+presence-a",
            "+presence-a/7",
            "+presence-b",
            "+presence-b/7",
            "-presence-a/7",
            "-presence-a",
        ])
        .await;
}
