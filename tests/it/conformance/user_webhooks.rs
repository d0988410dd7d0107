//! Every kind of webhook event, and the words by which an endpoint asks for them (PROTOCOL.md
//! sections 6.2 to 6.5, issue 4).

use std::time::{Duration, Instant};

use super::told_in_any_order;
use crate::harness::{Client, Process, Receiver, config, config_of, eventually, webhook_of};

const USERS: &str = "user_online, user_offline";

/// A server that tells the receiver these events after 600 ms.
fn server(receiver: &Receiver, events: &str) -> Process {
    server_with_delay(receiver, events, "600ms")
}

/// The same after this delay.
fn server_with_delay(receiver: &Receiver, events: &str, delay: &str) -> Process {
    Process::start(&config(
        &format!("webhooks: {{vacated_delay: {delay}}}\nledger: {{path: memory}}"),
        &webhook_of(&receiver.url(), events, ""),
    ))
}

async fn signed_in(server: &Process, id: &str) -> Client {
    let mut client = server.client().await;
    client.sign_in(&format!(r#"{{"id":"{id}"}}"#)).await;
    client
}

/// Does everything of which a webhook is told, with a client in `cache-a`, `presence-a` and
/// `private-a`, and all of it undone.
async fn do_everything(server: &Process) -> String {
    let mut client = signed_in(server, "7").await;
    client.subscribe("cache-a").await;
    assert_eq!(client.next_json().await["event"], "pusher:cache_miss");
    assert_eq!(client.next_json().await["event"], "pusher_internal:subscription_count");
    client.subscribe_as("presence-a", Some("7")).await;
    client
        .send(r#"{"event":"client-x","channel":"presence-a","data":{"a": 1}}"#)
        .await;
    client.expect_nothing().await;
    let socket_id = client.socket_id.clone();
    client.close().await;
    socket_id
}

#[tokio::test]
async fn a_user_is_told_online_at_the_first_sign_in_and_offline_after_the_delay() {
    let receiver = Receiver::start().await;
    let server = server(&receiver, USERS);
    let first = signed_in(&server, "7").await;
    receiver.expect(&["+@7"]).await;
    let second = signed_in(&server, "7").await;
    first.close().await;
    let _other = signed_in(&server, "8").await;
    told_in_any_order(&receiver, &["+@7", "+@8"]).await;
    let closes_at = Instant::now();
    second.close().await;
    told_in_any_order(&receiver, &["+@7", "+@8", "-@7"]).await;
    assert!(Duration::from_millis(590) < closes_at.elapsed());
    let body = &receiver.requests()[0].body;
    assert!(
        body.ends_with(r##""events":[{"name":"user_online","channel":"#server-to-user-7","user_id":"7"}]}"##),
        "{body}"
    );
}

#[tokio::test]
async fn a_user_who_comes_back_within_the_delay_is_not_told() {
    let receiver = Receiver::start().await;
    // Longer than it takes to come back, on a busy machine too.
    let server = server_with_delay(&receiver, USERS, "4s");
    for _ in 0..3 {
        let client = signed_in(&server, "7").await;
        receiver.expect(&["+@7"]).await;
        client.reset();
        eventually("the user to be away", async || {
            server.api().get("/connections", &[]).await.body == r#"{"connections":0}"#
        })
        .await;
    }
    receiver.expect(&["+@7", "-@7"]).await;
    let _client = signed_in(&server, "7").await;
    receiver.expect(&["+@7", "-@7", "+@7"]).await;
}

#[tokio::test]
async fn terminated_users_are_told_offline() {
    let receiver = Receiver::start().await;
    let server = server(&receiver, USERS);
    let _client = signed_in(&server, "7").await;
    receiver.expect(&["+@7"]).await;
    server.api().post("/users/7/terminate_connections", "{}").await;
    receiver.expect(&["+@7", "-@7"]).await;
}

#[tokio::test]
async fn a_drain_tells_every_user_offline() {
    let receiver = Receiver::start().await;
    let server = server(&receiver, USERS);
    let _seven = signed_in(&server, "7").await;
    let _eight = signed_in(&server, "8").await;
    told_in_any_order(&receiver, &["+@7", "+@8"]).await;
    server.signal("TERM");
    told_in_any_order(&receiver, &["+@7", "+@8", "-@7", "-@8"]).await;
}

#[tokio::test]
async fn a_refused_sign_in_is_not_told() {
    let receiver = Receiver::start().await;
    let server = server(&receiver, USERS);
    let mut client = server.client().await;
    client
        .send(r#"{"event":"pusher:signin","data":{"auth":"app-key:abc","user_data":"{\"id\":\"7\"}"}}"#)
        .await;
    assert_eq!(client.next_json().await["event"], "pusher:error");
    client.sign_in(r#"{"id":"8"}"#).await;
    let other = client.sign_in_text(r#"{"id":"9"}"#);
    client.send(&other).await;
    assert_eq!(client.next_json().await["event"], "pusher:error");
    client.sign_in(r#"{"id":"8"}"#).await;
    client.close().await;
    receiver.expect(&["+@8", "-@8"]).await;
}

/// What the receiver is told of everything when the endpoint asks for these events.
async fn check(events: &str, want: &[&str]) {
    let receiver = Receiver::start().await;
    let webhook = webhook_of(&receiver.url(), events, "");
    let sections = "webhooks: {vacated_delay: 100ms}";
    let server = Process::start(&config_of(sections, &["subscription_count: true"], &webhook));
    do_everything(&server).await;
    told_in_any_order(&receiver, want).await;
    let mut after = server.client().await;
    after.subscribe("cache-z").await;
    let got = receiver.events();
    assert!(got.len() <= want.len() + 3, "{got:?}");
}

#[tokio::test]
async fn the_group_existence_is_occupied_and_vacated() {
    check("existence", &["+cache-a", "+presence-a", "-cache-a", "-presence-a"]).await;
}

#[tokio::test]
async fn the_group_presence_is_the_members() {
    check("presence", &["+presence-a/7", "-presence-a/7"]).await;
}

#[tokio::test]
async fn the_groups_client_cache_and_subscription_count_are_one_event_each() {
    check("client", &[r#"!presence-a client-x {"a": 1}"#]).await;
    check("cache", &["?cache-a"]).await;
    check("subscription_count", &["=cache-a 1", "=cache-a 0"]).await;
}

#[tokio::test]
async fn all_five_groups_are_everything_of_pushers_and_nothing_of_users() {
    check(
        "existence, presence, client, cache, subscription_count",
        &[
            "+cache-a",
            "+presence-a",
            "+presence-a/7",
            "-cache-a",
            "-presence-a",
            "-presence-a/7",
            "?cache-a",
            "=cache-a 1",
            "=cache-a 0",
            r#"!presence-a client-x {"a": 1}"#,
        ],
    )
    .await;
}

#[tokio::test]
async fn soketis_spelling_asks_for_the_same() {
    let receiver = Receiver::start().await;
    let webhook = format!(
        r#"[{{url: "{}", event_types: [channel_occupied, member_added, cache_miss], filter: {{channel_name_starts_with: "presence-", channel_name_ends_with: "-x"}}}}]"#,
        receiver.url()
    );
    let server = Process::start(&config("", &webhook));
    let mut client = server.client().await;
    for channel in ["presence-a", "cache-x", "presence-cache-x"] {
        let user = channel.starts_with("presence-").then_some("7");
        client.subscribe_as(channel, user).await;
        if channel.contains("cache") {
            assert_eq!(client.next_json().await["event"], "pusher:cache_miss");
        }
    }
    let told = ["+presence-cache-x", "+presence-cache-x/7", "?presence-cache-x"];
    receiver.expect(&told).await;
}

#[tokio::test]
async fn an_endpoint_that_filters_channels_is_told_of_users_whatever_the_filter() {
    let receiver = Receiver::start().await;
    let webhook = webhook_of(
        &receiver.url(),
        "channel_occupied, user_online",
        ", channels: {prefix: private-}",
    );
    let server = Process::start(&config("", &webhook));
    let mut client = signed_in(&server, "7").await;
    client.subscribe("news").await;
    client.subscribe("private-a").await;
    told_in_any_order(&receiver, &["+@7", "+private-a"]).await;
}

#[tokio::test]
async fn client_events_name_their_sender() {
    let receiver = Receiver::start().await;
    let server = server(&receiver, "client_event");
    let mut client = server.client().await;
    client.subscribe("private-a").await;
    client.subscribe_as("presence-a", Some("7")).await;
    client
        .send(r#"{"event":"client-x","channel":"private-a","data":"text","user_id":"8"}"#)
        .await;
    receiver.expect_requests(1).await;
    client
        .send(r#"{"event":"client-y","channel":"presence-a","data":{"a": [1]}}"#)
        .await;
    let requests = receiver.expect_requests(2).await;
    let id = &client.socket_id;
    for (request, want) in requests.iter().zip([
        format!(
            r#""events":[{{"name":"client_event","channel":"private-a","event":"client-x","data":"text","socket_id":"{id}"}}]}}"#
        ),
        format!(
            r#""events":[{{"name":"client_event","channel":"presence-a","event":"client-y","data":"{{\"a\": [1]}}","socket_id":"{id}","user_id":"7"}}]}}"#
        ),
    ]) {
        assert!(request.body.ends_with(&want), "{}", request.body);
    }
}

#[tokio::test]
async fn without_batches_every_event_has_its_own_request() {
    let receiver = Receiver::start().await;
    let other = Receiver::start().await;
    let webhook = format!(
        r#"[{{url: "{}", events: [existence, presence], batch: false}}, {{url: "{}", events: [existence, presence]}}]"#,
        receiver.url(),
        other.url()
    );
    let server = Process::start(&config("webhooks: {batch_window: 300ms}", &webhook));
    let mut client = server.client().await;
    client.subscribe("first").await;
    receiver.expect(&["+first"]).await;
    for at in 0..10 {
        client.subscribe(&format!("c{at}")).await;
    }
    client.subscribe_as("presence-a", Some("7")).await;
    receiver.expect_requests(13).await;
    for request in receiver.requests() {
        assert_eq!(request.events().len(), 1, "{}", request.body);
        assert!(request.is_signed());
    }
    let mut got = receiver.events();
    got.sort_unstable();
    let got: Vec<&str> = got.iter().map(String::as_str).collect();
    told_in_any_order(&other, &got).await;
    assert!(other.requests().len() < 13);
}
