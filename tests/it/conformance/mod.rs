//! The protocol, the HTTP API and the program, each rule against literal bytes.

mod authorized;
mod cache;
mod cli;
mod client_events;
pub(crate) mod clients;
mod close_codes;
mod counts;
mod drain;
mod encrypted;
mod fallbacks;
mod frames;
mod handshake;
mod http_auth;
mod http_batch;
mod http_channels;
mod http_events;
mod http_misc;
mod http_more;
mod http_occupancy;
mod keys;
mod limits;
mod limits_reached;
mod liveness;
mod more;
mod presence;
mod readme_walk;
mod slow_reader;
mod subscribe;
mod subscribe_auth;
mod user_webhooks;
mod users;
mod watchlist;

use super::harness::{Client, Process, Receiver, eventually};

/// A server of one app without webhooks, all settings at their defaults.
fn plain_server() -> Process {
    Process::start(&super::harness::config("", ""))
}

/// A server whose app tells how many are subscribed.
fn counting_server() -> Process {
    let count = ("VACANCY__APPS__0__SUBSCRIPTION_COUNT", "true");
    Process::start_with(&super::harness::config("", ""), &[count])
}

/// How many connections are subscribed to a channel.
async fn subscribed(server: &Process, channel: &str) -> u64 {
    let stats = server.api().get(&format!("/channels/{channel}/stats"), &[]).await;
    stats.json()["connection_count"].as_u64().expect("a number")
}

/// A server of three apps: `1` as always, `2` with a key and secret of its own and without client
/// events, `3` disabled.
fn three_apps() -> Process {
    Process::start(
        r#"
apps:
  - {id: "1", key: app-key, secret: app-secret}
  - {id: "2", key: other-key, secret: other-secret, client_events: false}
  - {id: "3", key: off-key, secret: off-secret, enabled: false}
"#,
    )
}

/// Waits until exactly these events were received; order is only promised within a channel.
async fn told_in_any_order(receiver: &Receiver, want: &[&str]) {
    let what = format!("the webhooks {want:?}");
    eventually(&what, || async { want.len() <= receiver.events().len() }).await;
    let mut got = receiver.events();
    got.sort_unstable();
    let mut want = want.to_vec();
    want.sort_unstable();
    assert_eq!(got, want);
}

/// A refusal that leaves the connection open, as its literal frame.
fn no_code_error(message: &str) -> String {
    format!(
        r#"{{"event":"pusher:error","data":{{"code":null,"message":{}}}}}"#,
        serde_json::Value::from(message)
    )
}

/// The messages about a refused subscription, in order: on the connection and on the channel.
fn refused_subscription(channel: &str, class: &str, status: u16, message: &str) -> [String; 2] {
    let data = format!(
        r#"{{"type":"{class}","error":{},"status":{status}}}"#,
        serde_json::Value::from(message)
    );
    let on_channel = format!(
        r#"{{"event":"pusher:subscription_error","data":{},"channel":{}}}"#,
        serde_json::Value::from(data),
        serde_json::Value::from(channel)
    );
    [no_code_error(message), on_channel]
}

/// Expects those as the next frames of a client.
async fn expect_refused(client: &mut Client, channel: &str, (class, status): (&str, u16), message: &str) {
    for frame in refused_subscription(channel, class, status, message) {
        client.expect(&frame).await;
    }
}

/// The confirmation of a public or private channel.
fn subscription_succeeded(channel: &str) -> String {
    format!(r#"{{"event":"pusher_internal:subscription_succeeded","data":"{{}}","channel":"{channel}"}}"#)
}

/// An event as subscribers get it.
fn event(name: &str, data: &str, channel: &str) -> String {
    format!(
        r#"{{"event":"{name}","data":{},"channel":"{channel}"}}"#,
        serde_json::Value::from(data)
    )
}

/// What a subscriber of an empty cache channel gets.
fn cache_miss(channel: &str) -> String {
    format!(r#"{{"event":"pusher:cache_miss","data":"{{}}","channel":"{channel}"}}"#)
}

/// How many are subscribed, as the subscribers are told.
fn subscription_count(channel: &str, count: usize) -> String {
    event(
        "pusher_internal:subscription_count",
        &format!(r#"{{"subscription_count":{count}}}"#),
        channel,
    )
}

/// Waits until a channel has subscribers, or none.
async fn occupied(server: &Process, channel: &str, is_occupied: bool) {
    let path = format!("/channels/{channel}");
    eventually("the channel to change", || async {
        server.api().get(&path, &[]).await.json()["occupied"] == is_occupied
    })
    .await;
}
