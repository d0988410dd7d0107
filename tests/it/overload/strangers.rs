//! What strangers with only the public key of an app can do to it.

use serde_json::Value;

use super::{Rig, run};
use crate::harness::{Client, Process, Receiver, config_of, eventually, webhook};

/// Subscribes to these channels. Gives how many were confirmed, and the errors of the others.
async fn subscribe(client: &mut Client, channels: &[String]) -> (usize, Vec<String>) {
    let (mut confirmed, mut refused) = (0, Vec::new());
    for channel in channels {
        let subscription = client.subscription(channel, None);
        client.send(&subscription).await;
        let answer = client.next_json().await;
        if answer["event"] == "pusher_internal:subscription_succeeded" {
            confirmed += 1;
            continue;
        }
        let text = answer["data"]["message"].as_str().expect("a text").to_owned();
        assert!(answer["data"]["code"].is_null(), "{answer}");
        let on_channel = client.next_json().await;
        assert_eq!(
            (&on_channel["event"], &on_channel["channel"]),
            (&"pusher:subscription_error".into(), &channel.as_str().into())
        );
        let data: Value = serde_json::from_str(on_channel["data"].as_str().expect("a text")).expect("JSON");
        assert_eq!(
            (&data["type"], &data["status"], &data["error"]),
            (&"LimitReached".into(), &4100.into(), &text.as_str().into())
        );
        refused.push(text);
    }
    (confirmed, refused)
}

fn named(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|at| format!("{prefix}{at}")).collect()
}

#[test]
fn an_app_has_as_many_channels_at_once_as_it_may_and_strangers_take_no_room_of_those_that_are_signed() {
    run(async {
        let rig = Rig::start("", &["limits: {channels: 10}"]);
        let mut client = Client::connect(rig.port()).await;
        let full = "App has 10 channels, which is the limit";
        let (confirmed, refused) = subscribe(&mut client, &named("c", 12)).await;
        assert_eq!((confirmed, refused), (10, vec![full.to_owned(); 2]));
        // A subscription to an existing channel does not begin one.
        let mut other = Client::connect(rig.port()).await;
        assert_eq!(subscribe(&mut other, &named("c", 10)).await.0, 10);
        let (confirmed, refused) = subscribe(&mut client, &named("private-", 12)).await;
        assert_eq!((confirmed, refused), (10, vec![full.to_owned(); 2]));
        client.unsubscribe("c0").await;
        other.unsubscribe("c0").await;
        client.unsubscribe("private-0").await;
        for gone in ["c0", "private-0"] {
            eventually("a channel to be gone", || async {
                rig.api().get(&format!("/channels/{gone}"), &[]).await.json()["occupied"] == false
            })
            .await;
        }
        client.subscribe("private-new").await;
        // Ten signed channels leave no room for public ones, but existing ones stay.
        assert_eq!(subscribe(&mut client, &named("new", 1)).await.1, [full]);
        client.expect_nothing().await;
        client.close().await;
        other.close().await;
        rig.expect_nothing_left().await;
    });
}

#[test]
fn public_channels_begin_at_a_rate_and_those_that_are_signed_at_any() {
    run(async {
        let rig = Rig::start(
            "",
            &["limits: {public_channels_per_second: 1, public_channels_burst: 20}"],
        );
        let mut client = Client::connect(rig.port()).await;
        let (confirmed, refused) = subscribe(&mut client, &named("c", 100)).await;
        // A slow machine takes some seconds, and in each of them one more may begin.
        assert!((20..80).contains(&confirmed), "{confirmed}");
        let text = "Subscription rejected due to rate limit: too many public channels begin";
        assert!(refused.iter().all(|got| got == text), "{refused:?}");
        assert_eq!(subscribe(&mut client, &named("private-", 100)).await.0, 100);
        let mut other = Client::connect(rig.port()).await;
        assert_eq!(subscribe(&mut other, &named("c", 20)).await.0, 20, "they are there");
        client.close().await;
        other.close().await;
        rig.expect_nothing_left().await;
    });
}

#[test]
fn public_channels_are_subscribed_to_at_a_rate() {
    run(async {
        let rig = Rig::start(
            "",
            &["limits: {public_subscriptions_per_second: 1, public_subscriptions_burst: 20}"],
        );
        let mut client = Client::connect(rig.port()).await;
        let (confirmed, refused) = subscribe(&mut client, &named("c", 100)).await;
        assert!((20..80).contains(&confirmed), "{confirmed}");
        let text = "Subscription rejected due to rate limit: too many subscriptions to public channels";
        assert!(refused.iter().all(|got| got == text), "{refused:?}");
        assert_eq!(subscribe(&mut client, &named("private-", 100)).await.0, 100);
        client.close().await;
        rig.expect_nothing_left().await;
    });
}

#[tokio::test]
async fn who_begins_channels_without_end_is_refused_at_the_burst_and_makes_no_more_events() {
    let receiver = Receiver::start().await;
    let limits = "limits: {public_channels_per_second: 1, public_channels_burst: 200}";
    let server = Process::start(&config_of(
        "webhooks: {vacated_delay: 0s}",
        &[limits],
        &webhook(&receiver.url()),
    ));
    let mut stranger = server.client().await;
    let (confirmed, refused) = subscribe(&mut stranger, &named("c", 1_000)).await;
    assert_eq!(confirmed + refused.len(), 1_000);
    stranger.close().await;
    eventually("all events", || async { 2 * confirmed <= receiver.events().len() }).await;
    assert_eq!(receiver.events().len(), 2 * confirmed);
    assert!(confirmed < 600, "{confirmed}");
}
