//! The rest of the HTTP API: what is deprecated, what is ours, and what is refused (PROTOCOL.md
//! sections 5.1, 5.3, 5.4 and 5.10).

use md5::{Digest, Md5};
use serde_json::{Value, json};

use super::{event, plain_server, three_apps};
use crate::harness::{APP_ID, KEY, Process, SECRET, eventually, hmac_hex, now_s, signed_query};

/// A signed POST to `/events` with these header lines besides and a body of any bytes.
async fn post_bytes(server: &Process, path: &str, parameters: &str, headers: &str, body: &[u8]) -> (u16, String) {
    let path = format!("/apps/{APP_ID}{path}");
    let md5 = hex::encode(Md5::digest(body));
    let query = format!(
        "auth_key={KEY}&auth_timestamp={}&auth_version=1.0&body_md5={md5}{parameters}",
        now_s()
    );
    let signature = hmac_hex(SECRET, &format!("POST\n{path}\n{query}"));
    let mut request = format!(
        "POST {path}?{query}&auth_signature={signature} HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n{headers}Connection: close\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    let got = server.api().raw_bytes(&request).await;
    (got.status, got.body)
}

async fn trigger_keyed(server: &Process, key: &str, data: &str) -> (u16, String) {
    let body = json!({ "name": "e", "channel": "a", "data": data, "idempotency_key": key });
    let got = server.api().post("/events", &body.to_string()).await;
    (got.status, got.body)
}

fn ok() -> (u16, String) {
    (200, "{}".into())
}

#[tokio::test]
async fn the_deprecated_publish_takes_its_body_as_the_data() {
    let server = plain_server();
    let mut client = server.client().await;
    client.subscribe("a").await;
    let mut other = server.client().await;
    other.subscribe("a").await;
    for data in ["plain ä", r#"{"a": 1}"#, ""] {
        let got = server
            .api()
            .post_with("/channels/a/events", &[("name", "e")], data)
            .await;
        assert_eq!((got.status, got.body.as_str()), (200, "{}"));
        client.expect(&event("e", data, "a")).await;
    }
    let parameters = [("name", "f"), ("socket_id", client.socket_id.as_str())];
    let got = server.api().post_with("/channels/a/events", &parameters, "1").await;
    assert_eq!(got.status, 200);
    server.api().trigger("a", "marker", "").await;
    client.expect(&event("marker", "", "a")).await;
}

#[tokio::test]
async fn the_deprecated_publish_refuses_what_is_wrong() {
    let server = plain_server();
    let got = server.api().post_with("/channels/a/events", &[], "1").await;
    let want = "Expected name parameter to be a string\n";
    assert_eq!((got.status, got.body.as_str()), (400, want));
    let got = post_bytes(&server, "/channels/a/events", "&name=e", "", b"\xFF\xFE").await;
    assert_eq!(got, (400, "The data of this event is not UTF-8\n".into()));
    let got = server
        .api()
        .post_with("/channels/a/events", &[("name", "e")], &"x".repeat(10_241))
        .await;
    assert_eq!(got.status, 413);
    let got = server
        .api()
        .post_with("/channels/a!/events", &[("name", "e")], "1")
        .await;
    assert_eq!(got.status, 400, "{got:?}");
    let got = server.api().get("/channels/a/events", &[]).await;
    assert_eq!(
        (got.status, got.body.as_str()),
        (405, "Method not allowed on this path\n")
    );
}

#[tokio::test]
async fn stats_tell_the_connections_and_on_presence_channels_the_users() {
    let server = plain_server();
    let mut first = server.client().await;
    first.subscribe("a").await;
    first.subscribe_as("presence-a", Some("1")).await;
    let mut second = server.client().await;
    second.subscribe_as("presence-a", Some("1")).await;
    for (channel, want) in [
        ("a", json!({ "occupied": true, "connection_count": 1 })),
        (
            "presence-a",
            json!({ "occupied": true, "connection_count": 2, "user_count": 1 }),
        ),
        ("nobody", json!({ "occupied": false, "connection_count": 0 })),
    ] {
        let got = server.api().get(&format!("/channels/{channel}/stats"), &[]).await;
        assert_eq!((got.status, got.json()), (200, want), "{channel}");
    }
}

#[tokio::test]
async fn the_connections_of_an_app_are_counted_without_those_of_others() {
    let server = three_apps();
    let count = || async { server.api().get("/connections", &[]).await.body };
    assert_eq!(count().await, r#"{"connections":0}"#);
    let first = server.client().await;
    let _second = server.client().await;
    let _other = crate::harness::Client::connect_to(server.port, "/app/other-key").await;
    assert_eq!(count().await, r#"{"connections":2}"#);
    first.reset();
    eventually("one to be gone", || async { count().await == r#"{"connections":1}"# }).await;
}

#[tokio::test]
async fn a_trigger_without_a_body_has_its_parameters_in_the_query() {
    let server = plain_server();
    let mut client = server.client().await;
    client.subscribe("a").await;
    client.subscribe_as("presence-b", Some("1")).await;
    let path = format!("/apps/{APP_ID}/events");
    let query = format!(
        "auth_key={KEY}&auth_timestamp={}&auth_version=1.0&channels[]=a&channels[]=presence-b&data=1&info=user_count&name=e",
        now_s()
    );
    let signature = hmac_hex(SECRET, &format!("POST\n{path}\n{query}"));
    let target = format!("{path}?{query}&auth_signature={signature}");
    let got = server.api().raw("POST", &target, "").await;
    let want = json!({ "channels": { "a": {}, "presence-b": { "user_count": 1 } } });
    assert_eq!((got.status, got.json()), (200, want));
    let mut channels = [client.next_json().await, client.next_json().await].map(|frame| frame["channel"].to_string());
    channels.sort_unstable();
    assert_eq!(channels, [r#""a""#, r#""presence-b""#]);
    let one = [("channel", "a"), ("data", "2"), ("name", "f")];
    let got = server.api().post_with("/events", &one, "").await;
    assert_eq!((got.status, got.body.as_str()), (200, "{}"));
    client.expect(&event("f", "2", "a")).await;
    for (parameters, want) in [
        (
            &[("channel", "a"), ("data", "2")][..],
            "Expected name parameter to be a string\n",
        ),
        (
            &[("channel", "a"), ("name", "f")],
            "Expected data parameter to be a string\n",
        ),
        (
            &[("data", "2"), ("name", "f")],
            "Missing required parameter: channels\n",
        ),
    ] {
        let got = server.api().post_with("/events", parameters, "").await;
        assert_eq!((got.status, got.body.as_str()), (400, want));
    }
}

#[tokio::test]
async fn a_compressed_body_is_refused_with_415() {
    let server = plain_server();
    let body = br#"{"name":"e","channel":"a","data":"1"}"#;
    for encoding in ["gzip", "deflate", "br"] {
        let headers = format!("Content-Encoding: {encoding}\r\n");
        let got = post_bytes(&server, "/events", "", &headers, body).await;
        let want =
            format!("Compressed request bodies are not supported: send it without Content-Encoding, not {encoding}\n");
        assert_eq!(got, (415, want));
    }
    let got = post_bytes(&server, "/events", "", "Content-Encoding: identity\r\n", body).await;
    assert_eq!(got, ok());
}

#[tokio::test]
async fn a_trigger_with_the_key_of_an_earlier_one_answers_the_same_and_publishes_nothing() {
    let server = plain_server();
    let mut client = server.client().await;
    client.subscribe("a").await;
    assert_eq!(trigger_keyed(&server, "k1", "1").await, ok());
    client.expect(&event("e", "1", "a")).await;
    for data in ["1", "other"] {
        assert_eq!(trigger_keyed(&server, "k1", data).await, ok());
    }
    assert_eq!(trigger_keyed(&server, "k2", "2").await, ok());
    client.expect(&event("e", "2", "a")).await;
}

#[tokio::test]
async fn of_many_triggers_with_one_key_at_once_one_is_published() {
    let server = plain_server();
    let mut client = server.client().await;
    client.subscribe("a").await;
    let calls = (0..20).map(|_| trigger_keyed(&server, "k", "1"));
    for (status, body) in futures_util::future::join_all(calls).await {
        assert!(
            matches!((status, body.as_str()), (200, "{}") | (409, _)),
            "{status} {body}"
        );
    }
    client.expect(&event("e", "1", "a")).await;
    server.api().trigger("a", "marker", "").await;
    client.expect(&event("marker", "", "a")).await;
}

#[tokio::test]
async fn the_answer_to_a_repeated_trigger_is_that_of_the_first_even_if_the_counts_changed() {
    let server = plain_server();
    let mut client = server.client().await;
    client.subscribe_as("presence-a", Some("1")).await;
    let body = json!({
        "name": "e", "channel": "presence-a", "data": "1", "info": "user_count", "idempotency_key": "k",
    })
    .to_string();
    let first = server.api().post("/events", &body).await;
    assert_eq!(first.body, r#"{"channels":{"presence-a":{"user_count":1}}}"#);
    let mut second = server.client().await;
    second.subscribe_as("presence-a", Some("2")).await;
    assert_eq!(server.api().post("/events", &body).await.body, first.body);
}

#[tokio::test]
async fn keys_of_one_app_are_not_those_of_another() {
    let server = three_apps();
    assert_eq!(trigger_keyed(&server, "k", "1").await, ok());
    let mut client = crate::harness::Client::connect_to(server.port, "/app/other-key").await;
    client.subscribe("a").await;
    let path = "/apps/2/events";
    let body = json!({ "name": "e", "channel": "a", "data": "2", "idempotency_key": "k" }).to_string();
    let query = signed_query("POST", path, &[], &body, "other-key", "other-secret", now_s());
    let got = server.api().raw("POST", &format!("{path}?{query}"), &body).await;
    assert_eq!(got.status, 200);
    client.expect(&event("e", "2", "a")).await;
}

#[tokio::test]
async fn the_events_of_a_batch_have_keys_of_their_own() {
    let server = plain_server();
    let mut client = server.client().await;
    client.subscribe("a").await;
    let entry = |data: &str, key: &str| json!({ "name": "e", "channel": "a", "data": data, "idempotency_key": key });
    let post = |entries: Vec<Value>| {
        let body = json!({ "batch": entries }).to_string();
        async { server.api().post("/batch_events", &{ body }).await }
    };
    let got = post(vec![entry("1", "k1"), entry("2", "k2"), entry("again", "k1")]).await;
    assert_eq!((got.status, got.body.as_str()), (200, "{}"));
    client.expect(&event("e", "1", "a")).await;
    client.expect(&event("e", "2", "a")).await;
    let plain = json!({ "name": "e", "channel": "a", "data": "4" });
    let got = post(vec![entry("3", "k2"), plain, entry("5", "k3")]).await;
    assert_eq!((got.status, got.body.as_str()), (200, "{}"));
    client.expect(&event("e", "4", "a")).await;
    client.expect(&event("e", "5", "a")).await;
    client.expect_nothing().await;
}

#[tokio::test]
async fn a_key_is_1_to_128_bytes_of_text_and_a_refused_request_uses_none_up() {
    let server = plain_server();
    let (fits, longer) = ("k".repeat(128), "k".repeat(129));
    assert_eq!(trigger_keyed(&server, &fits, "1").await, ok());
    let text = "Invalid idempotency_key: idempotency_key is 129 bytes, limit is 128\n";
    assert_eq!(trigger_keyed(&server, &longer, "1").await, (400, text.into()));
    let text = "Invalid idempotency_key: idempotency_key is empty\n";
    assert_eq!(trigger_keyed(&server, "", "1").await, (400, text.into()));
    let body = r#"{"name":"e","channel":"a","data":"1","idempotency_key":7}"#;
    let got = server.api().post("/events", body).await;
    assert_eq!(
        (got.status, got.body.as_str()),
        (400, "Expected idempotency_key parameter to be a string\n")
    );
    assert_eq!(trigger_keyed(&server, "k", &"x".repeat(10_241)).await.0, 413);
    let mut client = server.client().await;
    client.subscribe("a").await;
    assert_eq!(trigger_keyed(&server, "k", "2").await, ok());
    client.expect(&event("e", "2", "a")).await;
}

#[tokio::test]
async fn unknown_paths_and_methods_are_answered_with_a_line_of_text() {
    let server = plain_server();
    let nothing = "Not found: no such path\n";
    let not_allowed = "Method not allowed on this path\n";
    for (method, path, status, want) in [
        ("POST", "/", 405, not_allowed),
        ("GET", "/apps", 404, nothing),
        ("POST", "/apps/1/nothing", 404, nothing),
        ("GET", "/apps/1/users/7", 404, nothing),
        ("GET", "/apps/1/events", 405, not_allowed),
        ("PUT", "/apps/1/batch_events", 405, not_allowed),
        ("POST", "/apps/1/channels", 405, not_allowed),
        ("DELETE", "/apps/1/channels/a", 405, not_allowed),
        ("POST", "/apps/1/channels/presence-a/users", 405, not_allowed),
        ("POST", "/apps/1/channels/a/stats", 405, not_allowed),
        ("POST", "/apps/1/connections", 405, not_allowed),
        ("GET", "/apps/1/users/7/terminate_connections", 405, not_allowed),
    ] {
        let got = server.api().raw(method, path, "").await;
        assert_eq!((got.status, got.body.as_str()), (status, want), "{method} {path}");
    }
}

#[tokio::test]
async fn what_is_new_must_be_signed_too() {
    let server = plain_server();
    for (method, path) in [
        ("POST", "/apps/1/channels/a/events"),
        ("GET", "/apps/1/channels/a/stats"),
        ("GET", "/apps/1/connections"),
        ("POST", "/apps/1/users/7/terminate_connections"),
    ] {
        let got = server.api().raw(method, path, "").await;
        assert_eq!(
            (got.status, got.body.as_str()),
            (401, "Missing parameter: auth_key\n"),
            "{method} {path}"
        );
    }
}
