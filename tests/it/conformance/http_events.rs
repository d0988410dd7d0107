//! `POST /events` (PROTOCOL.md sections 5.3 and 5.5).

use serde_json::json;

use super::{counting_server, plain_server};
use crate::harness::{Api, Frame, KEY, Process, Raw, SECRET, now_s, signed_query};

/// This body to this path gives this answer.
pub(super) async fn check(api: Api, path: &str, body: &str, status: u16, want: &str) {
    let got = api.post(path, body).await;
    assert_eq!((got.status, got.body.as_str()), (status, want), "{body}");
    let kind = if status == 200 {
        "application/json"
    } else {
        "text/plain; charset=utf-8"
    };
    let header = format!("content-type: {kind}");
    assert!(
        got.head.to_lowercase().lines().any(|line| line == header),
        "{}",
        got.head
    );
}

#[tokio::test]
async fn an_event_reaches_every_subscriber_of_every_channel_named() {
    let server = plain_server();
    let mut first = server.client().await;
    let mut second = server.client().await;
    first.subscribe("a").await;
    first.subscribe("b").await;
    second.subscribe("b").await;
    let body = r#"{"name":"greeting","channels":["a","b","c","a"],"data":"{\"hello\":\"world\"}"}"#;
    check(server.api(), "/events", body, 200, "{}").await;
    let on = |channel| format!(r#"{{"event":"greeting","data":"{{\"hello\":\"world\"}}","channel":"{channel}"}}"#);
    // Order is promised within a channel only.
    let mut got = [first.next().await, first.next().await];
    got.sort_by_key(|frame| format!("{frame:?}"));
    assert_eq!(got, [Frame::Text(on("a")), Frame::Text(on("b"))]);
    second.expect(&on("b")).await;
    first.expect_nothing().await;
    second.expect_nothing().await;
}

#[tokio::test]
async fn a_single_channel_may_be_named_in_either_form() {
    let server = plain_server();
    let mut client = server.client().await;
    client.subscribe("a").await;
    let api = server.api();
    check(api, "/events", r#"{"name":"e","channel":"a","data":"1"}"#, 200, "{}").await;
    check(api, "/events", r#"{"name":"e","channels":["a"],"data":"2"}"#, 200, "{}").await;
    client.expect(r#"{"event":"e","data":"1","channel":"a"}"#).await;
    client.expect(r#"{"event":"e","data":"2","channel":"a"}"#).await;
}

#[tokio::test]
async fn data_is_passed_on_as_the_same_text() {
    let server = plain_server();
    let mut client = server.client().await;
    client.subscribe("a").await;
    for data in [
        "",
        "plain",
        "{ \"a\" : 1.0 }",
        "ä😀\u{2028}\u{0}\u{7f}/",
        "\"\\\"",
        "[1,",
        "null",
    ] {
        let body = json!({ "name": "e ü:", "channel": "a", "data": data }).to_string();
        check(server.api(), "/events", &body, 200, "{}").await;
        let event = client.next_json().await;
        assert_eq!(event, json!({ "event": "e ü:", "data": data, "channel": "a" }));
    }
}

#[tokio::test]
async fn the_connection_named_by_socket_id_gets_nothing() {
    let server = plain_server();
    let mut sender = server.client().await;
    let mut other = server.client().await;
    sender.subscribe("a").await;
    other.subscribe("a").await;
    let body = json!({ "name": "e", "channel": "a", "data": "x", "socket_id": sender.socket_id });
    check(server.api(), "/events", &body.to_string(), 200, "{}").await;
    other.expect(r#"{"event":"e","data":"x","channel":"a"}"#).await;
    sender.expect_nothing().await;
    let body = r#"{"name":"e","channel":"a","data":"x","socket_id":"123.456"}"#;
    check(server.api(), "/events", body, 200, "{}").await;
    sender.expect(r#"{"event":"e","data":"x","channel":"a"}"#).await;
}

#[tokio::test]
async fn events_of_one_publisher_arrive_in_order() {
    let server = plain_server();
    let mut clients = [server.client().await, server.client().await, server.client().await];
    for client in &mut clients {
        client.subscribe("a").await;
    }
    for at in 0..200 {
        server.api().trigger("a", "e", &at.to_string()).await;
    }
    for client in &mut clients {
        for at in 0..200 {
            client
                .expect(&format!(r#"{{"event":"e","data":"{at}","channel":"a"}}"#))
                .await;
        }
    }
}

#[tokio::test]
async fn info_tells_what_applies_of_each_channel_once() {
    let server = counting_server();
    let mut first = server.client().await;
    let mut second = server.client().await;
    first.subscribe_as("presence-a", Some("1")).await;
    first.subscribe("a").await;
    second.subscribe_as("presence-a", Some("1")).await;
    let body = r#"{"name":"e","channels":["a","presence-a","presence-b","a"],"data":"x","info":"user_count,subscription_count"}"#;
    let want = r#"{"channels":{"a":{"subscription_count":1},"presence-a":{"subscription_count":2,"user_count":1},"presence-b":{"subscription_count":0,"user_count":0}}}"#;
    check(server.api(), "/events", body, 200, want).await;
    let body = r#"{"name":"e","channel":"a","data":"x","info":"user_count"}"#;
    check(server.api(), "/events", body, 200, r#"{"channels":{"a":{}}}"#).await;
}

#[tokio::test]
async fn what_is_wrong_with_an_event_is_said_in_a_line_and_nothing_is_published() {
    let server = plain_server();
    let mut client = server.client().await;
    client.subscribe("a").await;
    let api = server.api();
    let e = "/events";
    check(
        api,
        e,
        r#"{"channel":"a","data":"x"}"#,
        400,
        "Expected name parameter to be a string\n",
    )
    .await;
    check(
        api,
        e,
        r#"{"name":7,"channel":"a","data":"x"}"#,
        400,
        "Expected name parameter to be a string\n",
    )
    .await;
    check(
        api,
        e,
        r#"{"name":"e","channel":"a"}"#,
        400,
        "Expected data parameter to be a string\n",
    )
    .await;
    check(
        api,
        e,
        r#"{"name":"e","channel":"a","data":{}}"#,
        400,
        "Expected data parameter to be a string\n",
    )
    .await;
    check(
        api,
        e,
        r#"{"name":"e","data":"x"}"#,
        400,
        "Missing required parameter: channels\n",
    )
    .await;
    check(
        api,
        e,
        r#"{"name":"e","data":"x","channels":[]}"#,
        400,
        "Missing required parameter: channels\n",
    )
    .await;
    check(
        api,
        e,
        r#"{"name":"e","channels":["a","a b"],"data":"x"}"#,
        400,
        "Invalid channel name \"a b\": channel name has forbidden character ' ', allowed are A-Z a-z 0-9 _ - = @ , . and ;\n",
    )
    .await;
    check(
        api,
        e,
        r#"{"name":"e","channel":"a","data":"x","socket_id":"nope"}"#,
        400,
        "Invalid socket_id: socket id must be two numbers joined by a dot, like 3363.1846347\n",
    )
    .await;
    check(
        api,
        e,
        r#"{"name":"e","channel":"a","data":"x","info":"cake"}"#,
        400,
        "info should be a comma separated list of attributes, unknown: cake\n",
    )
    .await;
    let long = json!({ "name": "x".repeat(201), "channel": "a", "data": "x" }).to_string();
    check(
        api,
        e,
        &long,
        400,
        "Invalid event name: event name is 201 characters, limit is 200\n",
    )
    .await;
    let long = json!({ "name": "e", "channel": "x".repeat(165), "data": "x" }).to_string();
    let want = format!(
        "Invalid channel name {:?}: channel name is 165 bytes, limit is 164\n",
        "x".repeat(165)
    );
    check(api, e, &long, 400, &want).await;
    check(api, e, "", 400, "Missing required parameter: channels\n").await;
    for body in ["{", "[]", "null", "\u{feff}{}"] {
        let got = api.post(e, body).await;
        assert_eq!(got.status, 400, "{body}");
        assert!(
            got.body.starts_with("Invalid JSON in the request body: "),
            "{}",
            got.body
        );
        assert_eq!(got.body.lines().count(), 1, "{}", got.body);
    }
    client.expect_nothing().await;
}

#[tokio::test]
async fn an_event_names_at_most_100_channels() {
    let server = plain_server();
    let body = |count: usize| {
        let channels: Vec<String> = (0..count).map(|at| format!("c{at}")).collect();
        json!({ "name": "e", "data": "x", "channels": channels }).to_string()
    };
    check(server.api(), "/events", &body(100), 200, "{}").await;
    check(
        server.api(),
        "/events",
        &body(101),
        400,
        "Too many channels (101 > 100)\n",
    )
    .await;
}

#[tokio::test]
async fn data_over_10_kb_is_413_counted_in_bytes_of_the_decoded_string() {
    const TOO_LARGE: &str = "The data content of this event exceeds the allowed maximum (10240 bytes), which is limits.event_data of the app\n";
    let server = plain_server();
    let api = server.api();
    let body = |data: String| json!({ "name": "e", "channel": "a", "data": data }).to_string();
    check(api, "/events", &body("x".repeat(10_240)), 200, "{}").await;
    check(api, "/events", &body("\"".repeat(10_240)), 200, "{}").await;
    check(api, "/events", &body("ä".repeat(5_120)), 200, "{}").await;
    check(api, "/events", &body("x".repeat(10_241)), 413, TOO_LARGE).await;
    check(api, "/events", &body("ä".repeat(5_121)), 413, TOO_LARGE).await;
    let batch = json!({ "batch": [{ "name": "e", "channel": "a", "data": "x".repeat(10_241) }] });
    check(api, "/batch_events", &batch.to_string(), 413, TOO_LARGE).await;
}

#[tokio::test]
async fn a_publish_past_the_backlog_is_503_with_retry_after_and_publishes_nothing() {
    // With one worker no channel can write before what came in one packet was handled.
    let config = crate::harness::config("server: {workers: 1, publish_backlog: 1KB}", "");
    let server = Process::start(&config);
    let mut client = server.client().await;
    client.subscribe("a").await;
    client.subscribe("b").await;
    let body = json!({ "name": "e", "channels": ["b", "a"], "data": "x".repeat(2_000) }).to_string();
    let query = signed_query("POST", "/apps/1/events", &[], &body, KEY, SECRET, now_s());
    let request = format!(
        "POST /apps/1/events?{query} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut raw = Raw::connect(server.port).await;
    raw.send(request.repeat(10).as_bytes()).await;
    let mut published = 0;
    for _ in 0..10 {
        let got = raw.response().await;
        if got.status == 200 {
            published += 1;
            continue;
        }
        assert_eq!(
            (got.status, got.body.as_str()),
            (503, "The server is over capacity, try again\n")
        );
        assert!(got.head.to_lowercase().contains("\r\nretry-after: 1"), "{}", got.head);
    }
    assert!((1..10).contains(&published), "{published}");
    for _ in 0..published {
        assert_eq!(client.next_json().await["channel"], "b");
        assert_eq!(client.next_json().await["channel"], "a");
    }
    server.api().trigger("a", "e", "small").await;
    client.expect(r#"{"event":"e","data":"small","channel":"a"}"#).await;
}
