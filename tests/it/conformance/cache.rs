//! Channels that keep their last event for those who come later (PROTOCOL.md section 2.9).

use std::time::Duration;

use serde_json::{Value, json};

use super::{cache_miss, event, occupied, plain_server, subscription_count};
use crate::harness::{Client, Process, Receiver, config, config_of, eventually, webhook_of};

const KINDS: [&str; 4] = [
    "cache-a",
    "private-cache-a",
    "private-encrypted-cache-a",
    "presence-cache-a",
];

/// Subscribes, as `user` where the channel is a presence channel.
async fn join(client: &mut Client, channel: &str, user: &str) {
    let user = channel.starts_with("presence-").then_some(user);
    client.subscribe_as(channel, user).await;
}

async fn info_cache(server: &Process, channel: &str) -> Value {
    let answer = server
        .api()
        .get(&format!("/channels/{channel}"), &[("info", "cache")])
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

#[tokio::test]
async fn a_subscriber_of_an_empty_cache_channel_is_told_the_miss_after_the_confirmation() {
    let server = plain_server();
    for channel in KINDS {
        let mut client = server.client().await;
        join(&mut client, channel, "1").await;
        client.expect(&cache_miss(channel)).await;
        client.expect_nothing().await;
    }
}

#[tokio::test]
async fn who_comes_later_gets_the_last_event_after_the_confirmation() {
    let server = plain_server();
    for channel in KINDS {
        let mut first = server.client().await;
        join(&mut first, channel, "1").await;
        first.expect(&cache_miss(channel)).await;
        for data in ["one", r#"{"two": "ä\n"}"#] {
            server.api().trigger(channel, "e", data).await;
            first.expect(&event("e", data, channel)).await;
        }
        let mut second = server.client().await;
        join(&mut second, channel, "1").await;
        second.expect(&event("e", r#"{"two": "ä\n"}"#, channel)).await;
        second.expect_nothing().await;
        server.api().trigger(channel, "marker", "").await;
        first.expect(&event("marker", "", channel)).await;
    }
}

#[tokio::test]
async fn only_whole_prefixes_make_a_cache_channel() {
    let server = plain_server();
    let mut client = server.client().await;
    for channel in [
        "cachefoo",
        "cache",
        "Cache-a",
        "my-cache-a",
        "private-cachefoo",
        "private-encrypted-cachefoo",
        "presence-cachefoo",
    ] {
        server.api().trigger(channel, "e", "1").await;
        join(&mut client, channel, "1").await;
        client.expect_nothing().await;
    }
}

#[tokio::test]
async fn an_event_without_subscribers_is_kept() {
    let server = plain_server();
    server.api().trigger("cache-a", "e", "1").await;
    let mut client = server.client().await;
    client.subscribe("cache-a").await;
    client.expect(&event("e", "1", "cache-a")).await;
}

#[tokio::test]
async fn a_vacated_channel_keeps_its_event() {
    let server = plain_server();
    let mut first = server.client().await;
    first.subscribe("cache-a").await;
    first.expect(&cache_miss("cache-a")).await;
    server.api().trigger("cache-a", "e", "1").await;
    first.close().await;
    occupied(&server, "cache-a", false).await;
    let mut second = server.client().await;
    second.subscribe("cache-a").await;
    second.expect(&event("e", "1", "cache-a")).await;
}

#[tokio::test]
async fn client_events_are_delivered_and_not_kept() {
    let server = plain_server();
    for channel in ["private-cache-a", "presence-cache-a"] {
        let mut sender = server.client().await;
        join(&mut sender, channel, "1").await;
        sender.expect(&cache_miss(channel)).await;
        let mut other = server.client().await;
        join(&mut other, channel, "1").await;
        other.expect(&cache_miss(channel)).await;
        sender
            .send(&format!(r#"{{"event":"client-x","channel":"{channel}","data":"1"}}"#))
            .await;
        assert_eq!(other.next_json().await["event"], "client-x");
        let mut late = server.client().await;
        join(&mut late, channel, "1").await;
        late.expect(&cache_miss(channel)).await;
    }
}

#[tokio::test]
async fn an_event_is_kept_for_its_time_to_live_from_its_publish() {
    let server = Process::start(&config_of("", &["cache_ttl: 1s"], ""));
    server.api().trigger("cache-a", "e", "1").await;
    let mut early = server.client().await;
    early.subscribe("cache-a").await;
    early.expect(&event("e", "1", "cache-a")).await;
    eventually("the event to expire", || async {
        info_cache(&server, "cache-a").await["cache"].is_null()
    })
    .await;
    let mut late = server.client().await;
    late.subscribe("cache-a").await;
    late.expect(&cache_miss("cache-a")).await;
}

#[tokio::test]
async fn info_tells_the_data_and_the_seconds_that_are_left() {
    let server = plain_server();
    for channel in KINDS {
        assert_eq!(
            info_cache(&server, channel).await,
            json!({ "occupied": false, "cache": null }),
            "{channel}"
        );
        server.api().trigger(channel, "e", r#"{"a":1}"#).await;
        let got = info_cache(&server, channel).await;
        assert_eq!(got["cache"]["data"], r#"{"a":1}"#, "{channel}");
        let ttl = got["cache"]["ttl"].as_u64().expect("a number");
        assert!((1_700..=1_800).contains(&ttl), "{ttl}");
        assert_eq!(got["cache"].as_object().expect("an object").len(), 2);
    }
}

#[tokio::test]
async fn info_of_the_cache_is_refused_where_nothing_is_kept() {
    let server = plain_server();
    for channel in ["news", "private-a", "private-encrypted-a", "presence-a", "cachefoo"] {
        let got = server
            .api()
            .get(&format!("/channels/{channel}"), &[("info", "cache")])
            .await;
        let want = "Cannot retrieve the cache unless the channel is a cache channel\n";
        assert_eq!((got.status, got.body.as_str()), (400, want), "{channel}");
    }
}

#[tokio::test]
async fn a_batch_and_a_trigger_of_many_keep_the_event_of_each_channel() {
    let server = plain_server();
    let batch = json!({ "batch": [
        { "channel": "cache-a", "name": "e", "data": "1" },
        { "channel": "private-cache-a", "name": "f", "data": "2" },
        { "channel": "cache-a", "name": "g", "data": "3" },
    ]});
    assert_eq!(server.api().post("/batch_events", &batch.to_string()).await.status, 200);
    let trigger = json!({ "channels": ["cache-b", "cache-c"], "name": "h", "data": "4" });
    assert_eq!(server.api().post("/events", &trigger.to_string()).await.status, 200);
    let mut client = server.client().await;
    for (channel, name, data) in [
        ("cache-a", "g", "3"),
        ("private-cache-a", "f", "2"),
        ("cache-b", "h", "4"),
        ("cache-c", "h", "4"),
    ] {
        client.subscribe(channel).await;
        client.expect(&event(name, data, channel)).await;
    }
}

#[tokio::test]
async fn an_event_from_which_a_connection_is_excluded_is_kept_for_all() {
    let server = plain_server();
    let mut first = server.client().await;
    first.subscribe("cache-a").await;
    first.expect(&cache_miss("cache-a")).await;
    let body = json!({ "channel": "cache-a", "name": "e", "data": "1", "socket_id": first.socket_id });
    assert_eq!(server.api().post("/events", &body.to_string()).await.status, 200);
    let mut second = server.client().await;
    second.subscribe("cache-a").await;
    second.expect(&event("e", "1", "cache-a")).await;
    first.unsubscribe("cache-a").await;
    first.subscribe("cache-a").await;
    first.expect(&event("e", "1", "cache-a")).await;
}

#[tokio::test]
async fn the_confirmation_is_first_then_what_is_kept_and_then_the_count() {
    let server = Process::start(&config_of("", &["subscription_count: true"], ""));
    let mut first = server.client().await;
    first.subscribe("cache-a").await;
    first.expect(&cache_miss("cache-a")).await;
    first.expect(&subscription_count("cache-a", 1)).await;
    server.api().trigger("cache-a", "e", "1").await;
    first.expect(&event("e", "1", "cache-a")).await;
    let mut second = server.client().await;
    second.subscribe("cache-a").await;
    second.expect(&event("e", "1", "cache-a")).await;
    second.expect(&subscription_count("cache-a", 2)).await;
}

#[tokio::test]
async fn the_kept_events_of_an_app_are_bounded_and_the_oldest_goes_first() {
    let server = Process::start(&config_of("", &["limits: {cached_bytes: 1KB}"], ""));
    let data = "x".repeat(100);
    server.api().trigger("cache-a", "e", &data).await;
    assert_eq!(info_cache(&server, "cache-a").await["cache"]["data"], data.as_str());
    server.api().trigger("cache-b", "e", &data).await;
    assert!(info_cache(&server, "cache-a").await["cache"].is_null());
    assert_eq!(info_cache(&server, "cache-b").await["cache"]["data"], data.as_str());
    server.api().trigger("cache-c", "e", &"x".repeat(1_000)).await;
    assert!(info_cache(&server, "cache-c").await["cache"].is_null());
    assert_eq!(info_cache(&server, "cache-b").await["cache"]["data"], data.as_str());
}

#[tokio::test]
async fn a_miss_is_told_to_webhooks_once_in_10_seconds_however_many_subscribe() {
    let receiver = Receiver::start().await;
    let webhook = webhook_of(&receiver.url(), "cache_miss", "");
    let server = Process::start(&config("", &webhook));
    let mut clients = Vec::new();
    for _ in 0..20 {
        let mut client = server.client().await;
        client.send_subscribe("cache-a").await;
        clients.push(client);
    }
    for client in &mut clients {
        assert_eq!(
            client.next_json().await["event"],
            "pusher_internal:subscription_succeeded"
        );
        client.expect(&cache_miss("cache-a")).await;
    }
    receiver.expect(&["?cache-a"]).await;
    let mut other = server.client().await;
    other.subscribe("private-cache-b").await;
    other.expect(&cache_miss("private-cache-b")).await;
    receiver.expect(&["?cache-a", "?private-cache-b"]).await;
    let first = &receiver.requests()[0];
    assert!(
        first
            .body
            .ends_with(r#""events":[{"name":"cache_miss","channel":"cache-a"}]}"#),
        "{}",
        first.body
    );
    tokio::time::sleep(Duration::from_millis(10_100)).await;
    other.subscribe("cache-a").await;
    receiver.expect(&["?cache-a", "?private-cache-b", "?cache-a"]).await;
}

#[tokio::test]
async fn a_channel_that_has_an_event_makes_no_cache_miss_webhook() {
    let receiver = Receiver::start().await;
    let webhook = webhook_of(&receiver.url(), "cache_miss", "");
    let server = Process::start(&config("", &webhook));
    server.api().trigger("cache-a", "e", "1").await;
    let mut client = server.client().await;
    client.subscribe("cache-a").await;
    client.expect(&event("e", "1", "cache-a")).await;
    client.subscribe("news").await;
    client.subscribe("cache-b").await;
    receiver.expect(&["?cache-b"]).await;
}
