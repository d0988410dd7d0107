//! Channels whose payload the server cannot read (PROTOCOL.md sections 2.8 and 6.8).

use super::{event, no_code_error, plain_server};
use crate::harness::{Process, Receiver, config, webhook_of};

const CHANNEL: &str = "private-encrypted-room";
const PAYLOAD: &str = r#"{"nonce":"4sVYwy4j/8dCcjyxtPCWyk19GaaViaW9","ciphertext":"/GMESnFGlbNn01BuBjp31XYa3i9vZsGKR8fgR9EDhXKx3lzGiUD501A="}"#;

#[tokio::test]
async fn a_payload_passes_through_untouched() {
    let server = plain_server();
    let mut client = server.client().await;
    client.subscribe(CHANNEL).await;
    server.api().trigger(CHANNEL, "secret", PAYLOAD).await;
    client.expect(&event("secret", PAYLOAD, CHANNEL)).await;
    server.api().trigger(CHANNEL, "secret", "not even JSON").await;
    client.expect(&event("secret", "not even JSON", CHANNEL)).await;
}

#[tokio::test]
async fn a_subscription_is_signed_as_that_of_a_private_channel() {
    let server = plain_server();
    let mut client = server.client().await;
    client.send_subscribe(CHANNEL).await;
    client
        .expect(&no_code_error(
            "Invalid format: auth must have the format key:signature",
        ))
        .await;
    assert_eq!(client.next_json().await["event"], "pusher:subscription_error");
    let got = client.subscribe_as(CHANNEL, None).await;
    assert_eq!(got["data"], "{}");
}

#[tokio::test]
async fn client_events_are_relayed() {
    let server = plain_server();
    let mut sender = server.client().await;
    sender.subscribe(CHANNEL).await;
    let mut other = server.client().await;
    other.subscribe(CHANNEL).await;
    let data = serde_json::Value::from(PAYLOAD);
    sender
        .send(&format!(
            r#"{{"event":"client-x","channel":"{CHANNEL}","data":{data}}}"#
        ))
        .await;
    other.expect(&event("client-x", PAYLOAD, CHANNEL)).await;
    sender.expect_nothing().await;
}

#[tokio::test]
async fn an_event_of_an_encrypted_channel_goes_alone_in_its_request() {
    let receiver = Receiver::start().await;
    let webhook = webhook_of(&receiver.url(), "existence, client", "");
    let server = Process::start(&config("webhooks: {batch_window: 300ms}", &webhook));
    let mut client = server.client().await;
    client.subscribe("first").await;
    receiver.expect(&["+first"]).await;
    for channel in [
        "news",
        "private-encrypted-a",
        "private-a",
        "private-encrypted-b",
        "more",
    ] {
        client.subscribe(channel).await;
    }
    client
        .send(r#"{"event":"client-x","channel":"private-encrypted-a","data":{"nonce":"n"}}"#)
        .await;
    let told = [
        "+first",
        "+news",
        "+private-encrypted-a",
        "+private-a",
        "+private-encrypted-b",
        "+more",
        r#"!private-encrypted-a client-x {"nonce":"n"}"#,
    ];
    receiver.expect(&told).await;
    for request in receiver.requests() {
        let events = request.events();
        let is_encrypted = events.iter().any(|event| event[1..].starts_with("private-encrypted-"));
        assert!(!is_encrypted || events.len() == 1, "{events:?}");
    }
}
