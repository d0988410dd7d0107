//! How many are subscribed (PROTOCOL.md sections 2.10 and 5.7).

use std::time::{Duration, Instant};

use serde_json::json;

use super::{plain_server, subscription_count};
use crate::harness::{Process, Receiver, config_of, eventually, webhook_of};

fn server() -> Process {
    Process::start(&config_of("", &["subscription_count: true"], ""))
}

#[tokio::test]
async fn all_subscribers_are_told_at_each_change_the_newcomer_after_its_confirmation() {
    let server = server();
    for channel in ["news", "private-a", "private-encrypted-a"] {
        let mut first = server.client().await;
        first.subscribe(channel).await;
        first.expect(&subscription_count(channel, 1)).await;
        let mut second = server.client().await;
        second.subscribe(channel).await;
        second.expect(&subscription_count(channel, 2)).await;
        first.expect(&subscription_count(channel, 2)).await;
        second.unsubscribe(channel).await;
        first.expect(&subscription_count(channel, 1)).await;
        second.expect_nothing().await;
        let mut third = server.client().await;
        third.subscribe(channel).await;
        first.expect(&subscription_count(channel, 2)).await;
        third.reset();
        first.expect(&subscription_count(channel, 1)).await;
    }
}

#[tokio::test]
async fn presence_channels_are_never_told() {
    let server = server();
    let mut first = server.client().await;
    first.subscribe_as("presence-a", Some("1")).await;
    first.expect_nothing().await;
    let mut second = server.client().await;
    second.subscribe_as("presence-a", Some("1")).await;
    second.expect_nothing().await;
    first.expect_nothing().await;
}

#[tokio::test]
async fn a_refused_or_repeated_subscription_changes_nothing() {
    let server = server();
    let mut client = server.client().await;
    client.subscribe("private-a").await;
    client.expect(&subscription_count("private-a", 1)).await;
    let again = client.subscription("private-a", None);
    client.send(&again).await;
    assert_eq!(client.next_json().await["event"], "pusher:error");
    let mut other = server.client().await;
    other
        .send(r#"{"event":"pusher:subscribe","data":{"channel":"private-a","auth":"app-key:abc"}}"#)
        .await;
    assert_eq!(other.next_json().await["event"], "pusher:error");
    client.expect_nothing().await;
}

#[tokio::test]
async fn webhooks_are_told_every_count_down_to_0() {
    let receiver = Receiver::start().await;
    let webhook = webhook_of(&receiver.url(), "subscription_count", "");
    let server = Process::start(&config_of("", &["subscription_count: true"], &webhook));
    let mut presence = server.client().await;
    presence.subscribe_as("presence-a", Some("1")).await;
    let mut first = server.client().await;
    first.subscribe("news").await;
    let mut second = server.client().await;
    second.subscribe("news").await;
    second.close().await;
    receiver.expect(&["=news 1", "=news 2", "=news 1"]).await;
    first.close().await;
    receiver.expect(&["=news 1", "=news 2", "=news 1", "=news 0"]).await;
    let body = &receiver.requests()[0].body;
    let want = r#""events":[{"name":"subscription_count","channel":"news","subscription_count":1}"#;
    assert!(body.contains(want), "{body}");
}

#[tokio::test]
async fn above_100_subscribers_they_are_told_at_most_every_5_seconds() {
    const COUNT: usize = 110;
    let server = server();
    let mut watcher = server.client().await;
    watcher.subscribe("news").await;
    watcher.expect(&subscription_count("news", 1)).await;
    let mut others = Vec::new();
    for _ in 1..COUNT {
        others.push(server.client().await);
    }
    for other in &mut others {
        other.send_subscribe("news").await;
    }
    for count in 2..=100 {
        watcher.expect(&subscription_count("news", count)).await;
    }
    let told_at = Instant::now();
    let path = "/channels/news";
    eventually("all to be in", || async {
        let answer = server.api().get(path, &[("info", "subscription_count")]).await;
        answer.json()["subscription_count"] == COUNT
    })
    .await;
    watcher.expect(&subscription_count("news", COUNT)).await;
    let waited = told_at.elapsed();
    assert!(Duration::from_millis(4_800) < waited, "{waited:?}");
}

#[tokio::test]
async fn without_the_setting_nobody_is_told() {
    let receiver = Receiver::start().await;
    let webhook = webhook_of(&receiver.url(), "subscription_count, channel_occupied", "");
    let server = Process::start(&config_of("", &[], &webhook));
    let mut first = server.client().await;
    first.subscribe("news").await;
    first.expect_nothing().await;
    let mut second = server.client().await;
    second.subscribe("news").await;
    second.expect_nothing().await;
    first.expect_nothing().await;
    second.subscribe("more").await;
    receiver.expect(&["+news", "+more"]).await;
}

#[tokio::test]
async fn info_tells_the_count_when_the_setting_is_on() {
    let server = server();
    let mut client = server.client().await;
    client.subscribe("news").await;
    client.expect(&subscription_count("news", 1)).await;
    client.subscribe_as("presence-a", Some("1")).await;
    let info = [("info", "subscription_count")];
    for (channel, want) in [
        ("news", json!({ "occupied": true, "subscription_count": 1 })),
        ("presence-a", json!({ "occupied": true, "subscription_count": 1 })),
        ("nobody", json!({ "occupied": false, "subscription_count": 0 })),
    ] {
        let got = server.api().get(&format!("/channels/{channel}"), &info).await;
        assert_eq!((got.status, got.json()), (200, want), "{channel}");
    }
    let body = json!({
        "channels": ["news", "presence-a"], "name": "e", "data": "1", "info": "user_count,subscription_count",
    });
    let got = server.api().post("/events", &body.to_string()).await;
    let want = json!({ "channels": {
        "news": { "subscription_count": 1 }, "presence-a": { "subscription_count": 1, "user_count": 1 },
    }});
    assert_eq!((got.status, got.json()), (200, want));
}

#[tokio::test]
async fn info_tells_the_count_when_the_setting_is_off_too() {
    let server = plain_server();
    let mut client = server.client().await;
    client.subscribe("news").await;
    let got = server
        .api()
        .get("/channels/news", &[("info", "subscription_count")])
        .await;
    assert_eq!(
        (got.status, got.body.as_str()),
        (200, r#"{"occupied":true,"subscription_count":1}"#)
    );
    let body = json!({ "channel": "news", "name": "e", "data": "1", "info": "subscription_count" });
    let got = server.api().post("/events", &body.to_string()).await;
    assert_eq!(
        (got.status, got.body.as_str()),
        (200, r#"{"channels":{"news":{"subscription_count":1}}}"#)
    );
}
