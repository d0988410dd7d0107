//! Who is told of whom in a presence channel (PROTOCOL.md sections 2.6 and 2.7).

use super::plain_server;
use super::subscribed;
use crate::harness::{Client, KEY, Process, Raw, SECRET, client_text, eventually, hmac_hex};

const ROOM: &str = "presence-room";

/// Subscribes with this channel data and gives the confirmation's `data`.
async fn join(client: &mut Client, data: &str) -> String {
    let signature = hmac_hex(SECRET, &format!("{}:{ROOM}:{data}", client.socket_id));
    let text = serde_json::json!({
        "event": "pusher:subscribe",
        "data": { "channel": ROOM, "auth": format!("{KEY}:{signature}"), "channel_data": data },
    });
    client.send(&text.to_string()).await;
    let confirmation = client.next_json().await;
    assert_eq!(
        confirmation["event"], "pusher_internal:subscription_succeeded",
        "{confirmation}"
    );
    assert_eq!(confirmation["channel"], ROOM);
    confirmation["data"].as_str().expect("a string").to_owned()
}

async fn joined(server: &Process, data: &str) -> Client {
    let mut client = server.client().await;
    join(&mut client, data).await;
    client
}

async fn expect_added(client: &mut Client, user: &str) {
    client
        .expect(&format!(
            r#"{{"event":"pusher_internal:member_added","data":"{{\"user_id\":\"{user}\"}}","channel":"presence-room"}}"#
        ))
        .await;
}

async fn expect_removed(client: &mut Client, user: &str) {
    client
        .expect(&format!(
            r#"{{"event":"pusher_internal:member_removed","data":"{{\"user_id\":\"{user}\"}}","channel":"presence-room"}}"#
        ))
        .await;
}

#[tokio::test]
async fn the_confirmation_lists_each_user_once_with_its_info_or_null() {
    let server = plain_server();
    let _first = joined(&server, r#"{"user_id":"1","user_info":{"name":"A"}}"#).await;
    let _again = joined(&server, r#"{"user_id":"1","user_info":{"name":"A"}}"#).await;
    let mut second = server.client().await;
    assert_eq!(
        join(&mut second, r#"{"user_id":"2"}"#).await,
        r#"{"presence":{"count":2,"ids":["1","2"],"hash":{"1":{"name":"A"},"2":null}}}"#
    );
    second.expect_nothing().await;
}

#[tokio::test]
async fn a_new_user_is_told_to_the_others_and_not_to_itself() {
    let server = plain_server();
    let mut first = joined(&server, r#"{"user_id":"1"}"#).await;
    let mut second = joined(&server, r#"{"user_id":"2","user_info":{"name":"B","n":[1,null]}}"#).await;
    first
        .expect(r#"{"event":"pusher_internal:member_added","data":"{\"user_id\":\"2\",\"user_info\":{\"name\":\"B\",\"n\":[1,null]}}","channel":"presence-room"}"#)
        .await;
    second.expect_nothing().await;
    first.expect_nothing().await;
}

#[tokio::test]
async fn a_user_without_info_is_told_without_the_key() {
    let server = plain_server();
    let mut first = joined(&server, r#"{"user_id":"1"}"#).await;
    let _second = joined(&server, r#"{"user_id":"2","user_info":null}"#).await;
    expect_added(&mut first, "2").await;
}

#[tokio::test]
async fn a_numeric_user_id_becomes_a_string_everywhere() {
    let server = plain_server();
    let mut first = joined(&server, r#"{"user_id":"1"}"#).await;
    let mut second = server.client().await;
    assert_eq!(
        join(&mut second, r#"{"user_id":10,"user_info":{}}"#).await,
        r#"{"presence":{"count":2,"ids":["1","10"],"hash":{"1":null,"10":{}}}}"#
    );
    first
        .expect(r#"{"event":"pusher_internal:member_added","data":"{\"user_id\":\"10\",\"user_info\":{}}","channel":"presence-room"}"#)
        .await;
    let users = server.api().get("/channels/presence-room/users", &[]).await;
    assert_eq!(users.body, r#"{"users":[{"id":"1"},{"id":"10"}]}"#);
    let _same = joined(&server, r#"{"user_id":"10"}"#).await;
    first.expect_nothing().await;
    second.close().await;
    first.expect_nothing().await;
}

#[tokio::test]
async fn a_user_of_several_connections_is_added_with_the_first_and_removed_with_the_last() {
    let server = plain_server();
    let mut watcher = joined(&server, r#"{"user_id":"w"}"#).await;
    let mut first = joined(&server, r#"{"user_id":"u"}"#).await;
    expect_added(&mut watcher, "u").await;
    let mut second = joined(&server, r#"{"user_id":"u"}"#).await;
    let third = joined(&server, r#"{"user_id":"u"}"#).await;
    first.expect_nothing().await;
    first.unsubscribe(ROOM).await;
    first.expect_nothing().await;
    third.close().await;
    second.expect_nothing().await;
    eventually("two connections to be left", || async {
        subscribed(&server, ROOM).await == 2
    })
    .await;
    watcher.expect_nothing().await;
    second.unsubscribe(ROOM).await;
    expect_removed(&mut watcher, "u").await;
    watcher.expect_nothing().await;
}

#[tokio::test]
async fn a_second_connection_replaces_the_info_of_its_user_and_nobody_is_told() {
    let server = plain_server();
    let mut first = joined(&server, r#"{"user_id":"1","user_info":{"n":1}}"#).await;
    let mut second = server.client().await;
    let roster = join(&mut second, r#"{"user_id":"1","user_info":{"n":2}}"#).await;
    assert_eq!(roster, r#"{"presence":{"count":1,"ids":["1"],"hash":{"1":{"n":2}}}}"#);
    first.expect_nothing().await;
}

#[tokio::test]
async fn a_member_is_removed_on_unsubscribe_close_reset_and_a_broken_frame() {
    let server = plain_server();
    let mut watcher = joined(&server, r#"{"user_id":"w"}"#).await;
    let raw = async |user: &str| {
        let mut raw = Raw::connect(server.port).await;
        let upgrade = crate::harness::upgrade_request("/app/app-key?protocol=7", "");
        raw.send(upgrade.as_bytes()).await;
        assert_eq!(raw.response().await.status, 101);
        let crate::harness::Frame::Text(greeting) = raw.next().await else {
            panic!("no greeting");
        };
        let id = greeting.split("\\\"").nth(3).expect("a socket id").to_owned();
        let data = format!(r#"{{"user_id":"{user}"}}"#);
        let signature = hmac_hex(SECRET, &format!("{id}:{ROOM}:{data}"));
        let text = serde_json::json!({
            "event": "pusher:subscribe",
            "data": { "channel": ROOM, "auth": format!("{KEY}:{signature}"), "channel_data": data },
        });
        raw.send(&client_text(&text.to_string())).await;
        raw.next().await;
        raw
    };

    let mut leaver = joined(&server, r#"{"user_id":"unsubscribes"}"#).await;
    expect_added(&mut watcher, "unsubscribes").await;
    leaver.unsubscribe(ROOM).await;
    expect_removed(&mut watcher, "unsubscribes").await;

    let leaver = joined(&server, r#"{"user_id":"closes"}"#).await;
    expect_added(&mut watcher, "closes").await;
    leaver.close().await;
    expect_removed(&mut watcher, "closes").await;

    let leaver = raw("resets").await;
    expect_added(&mut watcher, "resets").await;
    leaver.reset();
    expect_removed(&mut watcher, "resets").await;

    let leaver = raw("hangs-up").await;
    expect_added(&mut watcher, "hangs-up").await;
    drop(leaver);
    expect_removed(&mut watcher, "hangs-up").await;

    let mut leaver = raw("breaks").await;
    expect_added(&mut watcher, "breaks").await;
    leaver.send(&[0xFF, 0xFF]).await;
    expect_removed(&mut watcher, "breaks").await;
    watcher.expect_nothing().await;
    assert_eq!(server.complaints(), [""; 0], "a client's end is no trouble");
}

#[tokio::test]
async fn a_member_that_leaves_and_joins_again_is_told_each_time() {
    let server = plain_server();
    let mut watcher = joined(&server, r#"{"user_id":"w"}"#).await;
    let mut client = server.client().await;
    for _ in 0..20 {
        join(&mut client, r#"{"user_id":"u"}"#).await;
        client.unsubscribe(ROOM).await;
        expect_added(&mut watcher, "u").await;
        expect_removed(&mut watcher, "u").await;
    }
    watcher.expect_nothing().await;
}

#[tokio::test]
async fn one_connection_is_a_member_of_many_channels_and_leaves_them_all_with_its_end() {
    let server = plain_server();
    let mut watcher = server.client().await;
    let mut client = server.client().await;
    for at in 0..20 {
        let channel = format!("presence-{at}");
        watcher.subscribe_as(&channel, Some("w")).await;
        client.subscribe_as(&channel, Some("u")).await;
        let added = watcher.next_json().await;
        assert_eq!(
            (&added["event"], &added["channel"]),
            (&"pusher_internal:member_added".into(), &channel.into())
        );
    }
    client.close().await;
    let mut left = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let removed = watcher.next_json().await;
        assert_eq!(removed["event"], "pusher_internal:member_removed");
        left.insert(removed["channel"].to_string());
    }
    assert_eq!(left.len(), 20);
    watcher.expect_nothing().await;
}

#[tokio::test]
async fn user_ids_of_any_characters_are_escaped_in_json() {
    let server = plain_server();
    let mut watcher = joined(&server, r#"{"user_id":"w"}"#).await;
    let mut client = server.client().await;
    let roster = join(&mut client, r#"{"user_id":"a\"b\\ \u0001😀/"}"#).await;
    let roster: serde_json::Value = serde_json::from_str(&roster).expect("JSON");
    let id = "a\"b\\ \u{1}😀/";
    assert_eq!(roster["presence"]["ids"][0], id);
    assert!(roster["presence"]["hash"][id].is_null());
    let added = watcher.next_json().await;
    let data: serde_json::Value = serde_json::from_str(added["data"].as_str().expect("a string")).expect("JSON");
    assert_eq!(data["user_id"], id);
}

#[tokio::test]
async fn a_roster_of_more_than_64_kb_arrives_whole() {
    const MEMBERS: usize = 80;
    let server = plain_server();
    let info = "x".repeat(1_000);
    let mut clients = Vec::new();
    for at in 0..MEMBERS {
        let data = format!(r#"{{"user_id":"{at:03}","user_info":{{"about":"{info}"}}}}"#);
        clients.push(joined(&server, &data).await);
    }
    let mut last = server.client().await;
    let roster = join(&mut last, r#"{"user_id":"last"}"#).await;
    assert!(64 * 1_024 < roster.len(), "{}", roster.len());
    let roster: serde_json::Value = serde_json::from_str(&roster).expect("JSON");
    assert_eq!(roster["presence"]["count"], MEMBERS + 1);
    assert_eq!(roster["presence"]["ids"].as_array().map(Vec::len), Some(MEMBERS + 1));
    for at in 0..MEMBERS {
        assert_eq!(roster["presence"]["hash"][format!("{at:03}")]["about"], info.as_str());
    }
}
