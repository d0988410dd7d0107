//! Events that clients send to each other (PROTOCOL.md section 3).

use super::{plain_server, three_apps};
use crate::harness::{Client, Process, eventually, hmac_hex};

fn error(code: &str, message: &str) -> String {
    format!(
        r#"{{"event":"pusher:error","data":{{"code":{code},"message":{}}}}}"#,
        serde_json::Value::from(message)
    )
}

/// Two clients in a channel, as `1` and `2` where it is a presence channel.
async fn pair(server: &Process, channel: &str) -> (Client, Client) {
    let user = |id| channel.starts_with("presence-").then_some(id);
    let mut first = server.client().await;
    first.subscribe_as(channel, user("1")).await;
    let mut second = server.client().await;
    second.subscribe_as(channel, user("2")).await;
    if user("2").is_some() {
        assert_eq!(first.next_json().await["event"], "pusher_internal:member_added");
    }
    (first, second)
}

#[tokio::test]
async fn a_client_event_reaches_the_others_and_not_its_sender() {
    let server = plain_server();
    let (mut sender, mut other) = pair(&server, "private-room").await;
    sender
        .send(r#"{"event":"client-typing","channel":"private-room","data":{"on": true}}"#)
        .await;
    other
        .expect(r#"{"event":"client-typing","data":"{\"on\": true}","channel":"private-room"}"#)
        .await;
    sender.expect_nothing().await;
}

#[tokio::test]
async fn data_is_relayed_as_a_string_whatever_it_was() {
    let server = plain_server();
    let (mut sender, mut other) = pair(&server, "private-encrypted-room").await;
    for (data, want) in [
        (r#"{"on":true}"#, r#""{\"on\":true}""#),
        (r#""{\"on\":true}""#, r#""{\"on\":true}""#),
        (r#""plain \u00e4""#, r#""plain ä""#),
        ("[1,2.50,1e3]", r#""[1,2.50,1e3]""#),
        ("7", r#""7""#),
        ("false", r#""false""#),
        (r#""""#, r#""""#),
    ] {
        sender
            .send(&format!(
                r#"{{"event":"client-x","channel":"private-encrypted-room","data":{data}}}"#
            ))
            .await;
        other
            .expect(&format!(
                r#"{{"event":"client-x","data":{want},"channel":"private-encrypted-room"}}"#
            ))
            .await;
    }
}

#[tokio::test]
async fn on_presence_channels_the_sender_is_named_and_cannot_be_forged() {
    let server = plain_server();
    let (mut sender, mut other) = pair(&server, "presence-room").await;
    sender
        .send(r#"{"event":"client-x","channel":"presence-room","data":"1","user_id":"2","socket_id":"1.1","more":{}}"#)
        .await;
    other
        .expect(r#"{"event":"client-x","data":"1","channel":"presence-room","user_id":"1"}"#)
        .await;
    let (mut sender, mut other) = pair(&server, "private-room").await;
    sender
        .send(r#"{"event":"client-x","channel":"private-room","data":"1","user_id":"2"}"#)
        .await;
    other
        .expect(r#"{"event":"client-x","data":"1","channel":"private-room"}"#)
        .await;
}

#[tokio::test]
async fn another_connection_of_the_same_user_gets_the_event() {
    let server = plain_server();
    let (mut sender, mut other) = pair(&server, "presence-room").await;
    let mut same = server.client().await;
    same.subscribe_as("presence-room", Some("1")).await;
    sender
        .send(r#"{"event":"client-x","channel":"presence-room","data":"1"}"#)
        .await;
    let want = r#"{"event":"client-x","data":"1","channel":"presence-room","user_id":"1"}"#;
    same.expect(want).await;
    other.expect(want).await;
    sender.expect_nothing().await;
}

#[tokio::test]
async fn a_public_channel_takes_no_client_events() {
    let server = plain_server();
    let (mut sender, mut other) = pair(&server, "news").await;
    sender.send(r#"{"event":"client-x","channel":"news","data":"1"}"#).await;
    let message = "Client events are only allowed on private and presence channels, not on news";
    sender.expect(&error("null", message)).await;
    other.expect_nothing().await;
}

#[tokio::test]
async fn who_is_not_subscribed_may_not_send() {
    let server = plain_server();
    let (mut sender, mut other) = pair(&server, "private-room").await;
    let mut stranger = server.client().await;
    let text = r#"{"event":"client-x","channel":"private-room","data":"1"}"#;
    let refused = error(
        "null",
        "Cannot broadcast client event (connection not subscribed to channel private-room)",
    );
    stranger.send(text).await;
    stranger.expect(&refused).await;
    sender.unsubscribe("private-room").await;
    sender.send(text).await;
    sender.expect(&refused).await;
    other.expect_nothing().await;
}

#[tokio::test]
async fn an_event_without_the_prefix_is_unsupported() {
    let server = plain_server();
    let (mut sender, mut other) = pair(&server, "private-room").await;
    for name in ["typing", "client_x", "CLIENT-x", ""] {
        sender
            .send(&format!(r#"{{"event":"{name}","channel":"private-room","data":"1"}}"#))
            .await;
        let message = format!("Unsupported event received on socket: '{name}'");
        sender.expect(&error("null", &message)).await;
    }
    other.expect_nothing().await;
}

#[tokio::test]
async fn a_client_event_without_channel_or_data_is_refused() {
    let server = plain_server();
    let (mut sender, mut other) = pair(&server, "private-room").await;
    for text in [
        r#"{"event":"client-x","data":"1"}"#,
        r#"{"event":"client-x","channel":"private-room"}"#,
        r#"{"event":"client-x","channel":null,"data":"1"}"#,
        r#"{"event":"client-x","channel":"private-room","data":null}"#,
    ] {
        sender.send(text).await;
        let message = "Invalid client event (must contain channel and data)";
        sender.expect(&error("null", message)).await;
    }
    other.expect_nothing().await;
}

#[tokio::test]
async fn an_app_without_client_events_says_so() {
    let server = three_apps();
    let mut client = Client::open(server.port, "/app/other-key").await;
    let greeting = client.next_json().await;
    let data: serde_json::Value = serde_json::from_str(greeting["data"].as_str().expect("text")).expect("JSON");
    let socket_id = data["socket_id"].as_str().expect("an id");
    let signature = hmac_hex("other-secret", &format!("{socket_id}:private-room"));
    client
        .send(&format!(
            r#"{{"event":"pusher:subscribe","data":{{"channel":"private-room","auth":"other-key:{signature}"}}}}"#
        ))
        .await;
    assert_eq!(
        client.next_json().await["event"],
        "pusher_internal:subscription_succeeded"
    );
    client
        .send(r#"{"event":"client-x","channel":"private-room","data":"1"}"#)
        .await;
    let message = "To send client events, you must enable this feature: client_events of the app in the configuration of the server";
    client.expect(&error("null", message)).await;
}

#[tokio::test]
async fn data_of_10_kb_is_sent_and_a_byte_more_is_refused_with_4301() {
    let server = plain_server();
    let (mut sender, mut other) = pair(&server, "private-room").await;
    let text = |bytes: usize| {
        format!(
            r#"{{"event":"client-x","channel":"private-room","data":"{}"}}"#,
            "x".repeat(bytes)
        )
    };
    sender.send(&text(10_241)).await;
    sender
        .expect(&error("4301", "Client event data is 10241 bytes, limit is 10240"))
        .await;
    sender.send(&text(10_240)).await;
    assert_eq!(other.next_json().await["data"].as_str().map(str::len), Some(10_240));
    sender.expect_nothing().await;
}

#[tokio::test]
async fn a_name_may_have_200_characters() {
    let server = plain_server();
    let (mut sender, mut other) = pair(&server, "private-room").await;
    let name = format!("client-{}", "ä".repeat(193));
    sender
        .send(&format!(r#"{{"event":"{name}","channel":"private-room","data":"1"}}"#))
        .await;
    assert_eq!(other.next_json().await["event"], name);
    sender
        .send(&format!(r#"{{"event":"{name}ä","channel":"private-room","data":"1"}}"#))
        .await;
    let error = sender.next_json().await;
    assert_eq!(error["event"], "pusher:error");
    let message = error["data"]["message"].as_str().expect("a string");
    assert!(message.contains("201 characters, limit is 200"), "{message}");
    other.expect_nothing().await;
}

#[tokio::test]
async fn more_than_10_events_in_a_second_are_refused_with_4301_over_all_channels() {
    let server = plain_server();
    let (mut sender, mut other) = pair(&server, "private-room").await;
    sender.subscribe("private-hall").await;
    other.subscribe("private-hall").await;
    for at in 0..40 {
        let channel = if at % 2 == 0 { "private-room" } else { "private-hall" };
        sender
            .send(&format!(
                r#"{{"event":"client-x","channel":"{channel}","data":"{at}"}}"#
            ))
            .await;
    }
    sender.send(r#"{"event":"pusher:ping"}"#).await;
    let refusal = error("4301", "Client event rejected due to rate limit");
    let mut refused = 0;
    loop {
        let frame = sender.next_json().await;
        if frame["event"] == "pusher:pong" {
            break;
        }
        assert_eq!(
            frame,
            serde_json::from_str::<serde_json::Value>(&refusal).expect("JSON")
        );
        refused += 1;
    }
    // A slow machine refills the bucket while it sends, at 10 a second.
    assert!((1..=30).contains(&refused), "{refused} of 40 refused");
    // Order holds within a channel.
    let mut last = std::collections::BTreeMap::new();
    for _ in refused..40 {
        let event = other.next_json().await;
        let at: i64 = event["data"].as_str().expect("text").parse().expect("a number");
        let before = last.insert(event["channel"].to_string(), at);
        assert!(before < Some(at), "{at} after {before:?}");
    }
    other.expect_nothing().await;
}

#[tokio::test]
async fn the_limit_counts_per_connection_and_refills() {
    let server = plain_server();
    let (mut sender, mut other) = pair(&server, "private-room").await;
    let text = r#"{"event":"client-x","channel":"private-room","data":"1"}"#;
    for _ in 0..40 {
        sender.send(text).await;
    }
    // The other connection has a bucket of its own.
    other.send(text).await;
    other.send(r#"{"event":"pusher:ping"}"#).await;
    loop {
        let frame = other.next_json().await;
        assert_ne!(frame["event"], "pusher:error");
        if frame["event"] == "pusher:pong" {
            break;
        }
    }
    let sender = tokio::sync::Mutex::new(sender);
    eventually("the bucket to refill", || async {
        let mut sender = sender.lock().await;
        sender.send(text).await;
        sender.send(r#"{"event":"pusher:ping","data":"refill"}"#).await;
        let mut refused = false;
        loop {
            let frame = sender.next_json().await;
            refused |= frame["event"] == "pusher:error";
            if frame["event"] == "pusher:pong" {
                return !refused;
            }
        }
    })
    .await;
}
