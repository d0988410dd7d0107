//! Several keys of one app, for rotation (issue 4).

use std::time::SystemTime;

use super::subscription_succeeded;
use crate::harness::{
    APP_ID, Client, Frame, Process, Receiver, config_of, eventually, hmac_hex, now_s, signed_query, webhook,
};

const NEXT: &str = "keys: [{key: next-key, secret: next-secret, since: 2020-01-01}]";
const FUTURE: &str = "keys: [{key: next-key, secret: next-secret, since: 2999-01-01}]";
const OLD_KEY: [&str; 2] = ["app-key", "app-secret"];
const NEXT_KEY: [&str; 2] = ["next-key", "next-secret"];

async fn connect(server: &Process, key: &str) -> Client {
    Client::connect_to(server.port, &format!("/app/{key}?protocol=7")).await
}

fn subscription(client: &Client, channel: &str, [key, secret]: [&str; 2]) -> String {
    let signature = hmac_hex(secret, &format!("{}:{channel}", client.socket_id));
    format!(r#"{{"event":"pusher:subscribe","data":{{"channel":"{channel}","auth":"{key}:{signature}"}}}}"#)
}

async fn list_status(server: &Process, [key, secret]: [&str; 2]) -> u16 {
    let path = format!("/apps/{APP_ID}/channels");
    let query = signed_query("GET", &path, &[], "", key, secret, now_s());
    server.api().raw("GET", &format!("{path}?{query}"), "").await.status
}

/// A time in UTC, in the form of RFC 3339.
fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}

#[tokio::test]
async fn every_live_key_connects_and_signs_whichever_the_connection_came_with() {
    let server = Process::start(&config_of("", &[NEXT], ""));
    for connected_with in ["app-key", "next-key"] {
        let mut client = connect(&server, connected_with).await;
        for (channel, key) in [("private-a", OLD_KEY), ("private-b", NEXT_KEY)] {
            let text = subscription(&client, channel, key);
            client.send(&text).await;
            client.expect(&subscription_succeeded(channel)).await;
        }
    }
    for key in [OLD_KEY, NEXT_KEY] {
        assert_eq!(list_status(&server, key).await, 200, "{key:?}");
    }
}

#[tokio::test]
async fn clients_of_all_keys_are_in_the_same_channels() {
    let server = Process::start(&config_of("", &[NEXT], ""));
    let mut old = connect(&server, "app-key").await;
    let mut new = connect(&server, "next-key").await;
    old.subscribe("news").await;
    new.subscribe("news").await;
    server.api().trigger("news", "e", "1").await;
    assert_eq!(old.next_json().await["event"], "e");
    assert_eq!(new.next_json().await["event"], "e");
}

#[tokio::test]
async fn a_sign_in_is_signed_with_any_live_key() {
    let server = Process::start(&config_of("", &[NEXT], ""));
    let mut client = connect(&server, "app-key").await;
    let signature = hmac_hex("next-secret", &format!(r#"{}::user::{{"id":"7"}}"#, client.socket_id));
    client
        .send(&format!(
            r#"{{"event":"pusher:signin","data":{{"auth":"next-key:{signature}","user_data":"{{\"id\":\"7\"}}"}}}}"#
        ))
        .await;
    client
        .expect(r#"{"event":"pusher:signin_success","data":{"user_data":"{\"id\":\"7\"}"}}"#)
        .await;
}

#[tokio::test]
async fn the_secret_of_one_key_does_not_sign_for_another() {
    let server = Process::start(&config_of("", &[NEXT], ""));
    let mut client = connect(&server, "app-key").await;
    let text = subscription(&client, "private-a", ["app-key", "next-secret"]);
    client.send(&text).await;
    let got = client.next_json().await;
    let message = got["data"]["message"].as_str().expect("a text");
    assert!(message.starts_with("Invalid signature: "), "{message}");
    assert_eq!(list_status(&server, ["next-key", "app-secret"]).await, 401);
}

#[tokio::test]
async fn a_future_key_neither_connects_nor_signs() {
    let server = Process::start(&config_of("", &[FUTURE], ""));
    let mut client = Client::open(server.port, "/app/next-key?protocol=7").await;
    let text = "App key next-key does not exist on this server";
    assert_eq!(client.next().await, Frame::Close(4001, text.into()));
    let mut client = connect(&server, "app-key").await;
    let text = subscription(&client, "private-a", NEXT_KEY);
    client.send(&text).await;
    let got = client.next_json().await;
    assert_eq!(
        got["data"]["message"],
        "Invalid key in subscription auth data: 'next-key'"
    );
    assert_eq!(list_status(&server, NEXT_KEY).await, 401);
    assert_eq!(list_status(&server, OLD_KEY).await, 200);
}

#[tokio::test]
async fn a_key_becomes_live_at_its_moment_without_a_restart() {
    let since = SystemTime::now() + std::time::Duration::from_secs(3);
    let keys = format!(
        "keys: [{{key: next-key, secret: next-secret, since: \"{}\"}}]",
        rfc3339(since)
    );
    let server = Process::start(&config_of("", &[&keys], ""));
    assert_eq!(list_status(&server, NEXT_KEY).await, 401);
    eventually("the key to become live", || async {
        list_status(&server, NEXT_KEY).await == 200
    })
    .await;
    connect(&server, "next-key").await;
}

#[tokio::test]
async fn an_app_may_have_its_keys_in_the_list_only() {
    let server = Process::start(
        r#"
apps:
  - id: "1"
    keys:
      - {key: next-key, secret: next-secret, since: 2020-01-01}
      - {key: app-key, secret: app-secret}
"#,
    );
    for key in [OLD_KEY, NEXT_KEY] {
        assert_eq!(list_status(&server, key).await, 200, "{key:?}");
        connect(&server, key[0]).await;
    }
}

#[tokio::test]
async fn webhooks_are_signed_with_the_oldest_key() {
    let receiver = Receiver::start().await;
    let server = Process::start(&config_of("", &[NEXT], &webhook(&receiver.url())));
    let mut client = connect(&server, "next-key").await;
    client.subscribe("news").await;
    let request = &receiver.expect_requests(1).await[0];
    assert_eq!(request.lines("X-Pusher-Key"), ["X-Pusher-Key: app-key"]);
    assert!(request.is_signed_by("app-secret"));
}

#[tokio::test]
async fn a_key_that_is_not_live_yet_signs_no_webhook() {
    let receiver = Receiver::start().await;
    let config = format!(
        r#"
apps:
  - id: "1"
    keys:
      - {{key: far-key, secret: far-secret, since: 2999-01-01}}
      - {{key: app-key, secret: app-secret, since: 2021-01-01}}
      - {{key: old-key, secret: old-secret, since: 2020-01-01}}
    webhooks: {}
"#,
        webhook(&receiver.url())
    );
    let server = Process::start(&config);
    let mut client = connect(&server, "app-key").await;
    client.subscribe("news").await;
    let request = &receiver.expect_requests(1).await[0];
    assert_eq!(request.header("X-Pusher-Key"), Some("old-key"));
    assert!(request.is_signed_by("old-secret"));
}
