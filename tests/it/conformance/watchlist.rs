//! Who watches whom (PROTOCOL.md section 4.3).

use serde_json::json;

use super::plain_server;
use crate::harness::{Client, Process, config_of};

fn server() -> Process {
    Process::start(&config_of("", &["watchlist: true"], ""))
}

/// What a watcher is told: events as they stand in the data.
fn told(events: &str) -> String {
    let data = serde_json::Value::from(format!(r#"{{"events":[{events}]}}"#));
    format!(r#"{{"event":"pusher_internal:watchlist_events","data":{data}}}"#)
}

fn online(users: &str) -> String {
    told(&format!(r#"{{"name":"online","user_ids":[{users}]}}"#))
}

fn offline(users: &str) -> String {
    told(&format!(r#"{{"name":"offline","user_ids":[{users}]}}"#))
}

async fn signed_in(server: &Process, user_data: &str) -> Client {
    let mut client = server.client().await;
    client.sign_in(user_data).await;
    client
}

#[tokio::test]
async fn who_signs_in_is_told_who_of_the_watchlist_is_online_and_who_is_not() {
    let server = server();
    let _a = signed_in(&server, r#"{"id":"a"}"#).await;
    let _b = signed_in(&server, r#"{"id":"b"}"#).await;
    let mut watcher = signed_in(&server, r#"{"id":"w","watchlist":["c","b","d","a"]}"#).await;
    let both = r#"{"name":"online","user_ids":["b","a"]},{"name":"offline","user_ids":["c","d"]}"#;
    watcher.expect(&told(both)).await;
    watcher.expect_nothing().await;
}

#[tokio::test]
async fn an_empty_group_is_left_out_and_an_empty_watchlist_makes_no_event() {
    let server = server();
    let mut a = signed_in(&server, r#"{"id":"a"}"#).await;
    a.expect_nothing().await;
    let mut empty = signed_in(&server, r#"{"id":"e","watchlist":[]}"#).await;
    empty.expect_nothing().await;
    let mut of_a = signed_in(&server, r#"{"id":"w","watchlist":["a"]}"#).await;
    of_a.expect(&online(r#""a""#)).await;
    let mut of_b = signed_in(&server, r#"{"id":"v","watchlist":["b"]}"#).await;
    of_b.expect(&offline(r#""b""#)).await;
    let mut itself = signed_in(&server, r#"{"id":"i","watchlist":["i"]}"#).await;
    itself.expect(&online(r#""i""#)).await;
    itself.expect_nothing().await;
}

#[tokio::test]
async fn every_watcher_is_told_who_comes_and_goes() {
    let server = server();
    let mut watchers = Vec::new();
    for id in ["v", "w"] {
        let mut watcher = signed_in(&server, &format!(r#"{{"id":"{id}","watchlist":["a"]}}"#)).await;
        watcher.expect(&offline(r#""a""#)).await;
        watchers.push(watcher);
    }
    let mut stranger = signed_in(&server, r#"{"id":"s"}"#).await;
    let a = signed_in(&server, r#"{"id":"a"}"#).await;
    for watcher in &mut watchers {
        watcher.expect(&online(r#""a""#)).await;
    }
    a.close().await;
    for watcher in &mut watchers {
        watcher.expect(&offline(r#""a""#)).await;
        watcher.expect_nothing().await;
    }
    stranger.expect_nothing().await;
}

#[tokio::test]
async fn a_user_is_online_from_the_first_connection_to_the_end_of_the_last() {
    let server = server();
    let mut watcher = signed_in(&server, r#"{"id":"w","watchlist":["a"]}"#).await;
    watcher.expect(&offline(r#""a""#)).await;
    let first = signed_in(&server, r#"{"id":"a"}"#).await;
    watcher.expect(&online(r#""a""#)).await;
    let second = signed_in(&server, r#"{"id":"a"}"#).await;
    first.close().await;
    watcher.expect_nothing().await;
    second.reset();
    watcher.expect(&offline(r#""a""#)).await;
    watcher.expect_nothing().await;
}

#[tokio::test]
async fn a_presence_membership_is_not_being_online() {
    let server = server();
    let mut member = server.client().await;
    member.subscribe_as("presence-x", Some("a")).await;
    let mut watcher = signed_in(&server, r#"{"id":"w","watchlist":["a"]}"#).await;
    watcher.expect(&offline(r#""a""#)).await;
}

#[tokio::test]
async fn signing_in_again_replaces_the_watchlist() {
    let server = server();
    let mut watcher = signed_in(&server, r#"{"id":"w","watchlist":["a"]}"#).await;
    watcher.expect(&offline(r#""a""#)).await;
    watcher.sign_in(r#"{"id":"w","watchlist":["b"]}"#).await;
    watcher.expect(&offline(r#""b""#)).await;
    let _a = signed_in(&server, r#"{"id":"a"}"#).await;
    let _b = signed_in(&server, r#"{"id":"b"}"#).await;
    watcher.expect(&online(r#""b""#)).await;
    watcher.expect_nothing().await;
}

/// The ids `u0` to `u{count - 1}`, and what is told when the first `limit` of them are watched.
async fn check_limit(server: &Process, count: usize, limit: usize) {
    let ids: Vec<String> = (0..count).map(|at| format!("u{at}")).collect();
    let user_data = json!({ "id": "w", "watchlist": ids }).to_string();
    let mut watcher = signed_in(server, &user_data).await;
    let watched = &ids[..limit];
    watcher
        .expect(&offline(&format!(r#""{}""#, watched.join(r#"",""#))))
        .await;
    let text = format!(
        "Watchlist limit exceeded, only the first {limit} ids are watched: {}",
        watched.join(", ")
    );
    watcher
        .expect(&format!(
            r#"{{"event":"pusher:error","data":{{"code":4302,"message":"{text}"}}}}"#
        ))
        .await;
    let last = format!(r#"{{"id":"u{}"}}"#, count - 1);
    let _beyond = signed_in(server, &last).await;
    watcher.expect_nothing().await;
    let _within = signed_in(server, &format!(r#"{{"id":"u{}"}}"#, limit - 1)).await;
    watcher.expect(&online(&format!(r#""u{}""#, limit - 1))).await;
}

#[tokio::test]
async fn of_more_than_100_the_first_are_watched_and_4302_names_them() {
    check_limit(&server(), 101, 100).await;
}

#[tokio::test]
async fn the_limit_of_the_watchlist_can_be_set() {
    let server = Process::start(&config_of("", &["watchlist: true", "limits: {watchlist: 2}"], ""));
    check_limit(&server, 3, 2).await;
    let mut watcher = signed_in(&server, r#"{"id":"v","watchlist":["x","y"]}"#).await;
    watcher.expect(&offline(r#""x","y""#)).await;
    watcher.expect_nothing().await;
}

#[tokio::test]
async fn one_who_stands_there_twice_counts_once() {
    let server = server();
    let mut watcher = signed_in(&server, r#"{"id":"w","watchlist":["a","b","a"]}"#).await;
    watcher.expect(&offline(r#""a","b""#)).await;
    watcher.expect_nothing().await;
}

#[tokio::test]
async fn without_the_setting_nothing_is_told() {
    let server = plain_server();
    let mut watcher = signed_in(&server, r#"{"id":"w","watchlist":["a"]}"#).await;
    let a = signed_in(&server, r#"{"id":"a"}"#).await;
    watcher.expect_nothing().await;
    a.close().await;
    watcher.expect_nothing().await;
}
