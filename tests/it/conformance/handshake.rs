//! From the upgrade request to `pusher:connection_established`, or to a refusal (PROTOCOL.md
//! sections 1.1 to 1.4 and 1.8).

use std::collections::HashSet;

use super::{plain_server, three_apps};
use crate::harness::{Client, Frame, Process, Raw, client_text, config, upgrade_request};

const PONG: &str = r#"{"event":"pusher:pong","data":"{}"}"#;
const PING: &str = r#"{"event":"pusher:ping","data":{}}"#;

/// Everything that a client gets on a path, until the server closes.
async fn refused(server: &Process, path: &str) -> Vec<Frame> {
    let mut client = Raw::connect(server.port).await;
    client.send(upgrade_request(path, "").as_bytes()).await;
    assert_eq!(client.response().await.status, 101, "{path}");
    client.drain().await
}

fn close(code: u16, reason: &str) -> Frame {
    Frame::Close(code, reason.into())
}

fn error(code: u16, message: &str) -> Frame {
    Frame::Text(format!(
        r#"{{"event":"pusher:error","data":{{"code":{code},"message":"{message}"}}}}"#
    ))
}

/// What a plain HTTP answer to an upgrade request is.
async fn answered(server: &Process, request: &str) -> (u16, String) {
    let mut client = Raw::connect(server.port).await;
    client.send(request.as_bytes()).await;
    let response = client.response().await;
    (response.status, response.body)
}

#[tokio::test]
async fn the_first_frame_tells_the_socket_id_and_the_activity_timeout() {
    let server = Process::start(&config("server: {activity_timeout: 30s}", ""));
    let mut client = Client::open(server.port, "/app/app-key?protocol=7").await;
    let Frame::Text(text) = client.next().await else {
        panic!("not a text");
    };
    let id = text.split("\\\"").nth(3).expect("a socket id").to_owned();
    assert_eq!(
        text,
        format!(
            r#"{{"event":"pusher:connection_established","data":"{{\"socket_id\":\"{id}\",\"activity_timeout\":30}}"}}"#
        )
    );
    let (left, right) = id.split_once('.').expect("two numbers");
    for number in [left, right] {
        assert!(
            !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()),
            "{id}"
        );
        assert!(number.parse::<u64>().expect("a number") <= 1 << 53, "{id}");
    }
}

#[tokio::test]
async fn the_activity_timeout_is_120_seconds_unless_set() {
    let server = plain_server();
    let mut client = Client::open(server.port, "/app/app-key").await;
    let frame = client.next_json().await;
    let data = frame["data"].as_str().expect("a string");
    assert!(data.ends_with(r#","activity_timeout":120}"#), "{data}");
}

#[tokio::test]
async fn socket_ids_are_never_given_twice() {
    let server = plain_server();
    let mut clients = Vec::new();
    for _ in 0..60 {
        clients.push(server.client().await);
    }
    let ids: HashSet<&str> = clients.iter().map(|client| client.socket_id.as_str()).collect();
    assert_eq!(ids.len(), 60);
}

#[tokio::test]
async fn protocols_4_to_7_are_spoken_and_none_is_taken_as_7() {
    let server = plain_server();
    for query in [
        "?protocol=4",
        "?protocol=5&client=java-client&version=2.0",
        "?protocol=6&client=Pysher",
        "?protocol=7&client=js&version=8.6.0&flash=false&unknown=1",
        "?protocol=",
        "?client=x",
        "",
    ] {
        let mut client = Client::open(server.port, &format!("/app/app-key{query}")).await;
        let frame = client.next_json().await;
        assert_eq!(frame["event"], "pusher:connection_established", "{query}");
        client.expect_nothing().await;
    }
}

#[tokio::test]
async fn a_newer_protocol_is_closed_with_4007() {
    let server = plain_server();
    for version in ["8", "70"] {
        let got = refused(&server, &format!("/app/app-key?protocol={version}")).await;
        assert_eq!(got, [close(4007, "Unsupported protocol version")], "{version}");
    }
}

#[tokio::test]
async fn an_older_protocol_is_told_4007_as_an_error_and_closed_with_it() {
    let server = plain_server();
    for version in ["3", "1", "0", "-1"] {
        let got = refused(&server, &format!("/app/app-key?protocol={version}")).await;
        let text = "Unsupported protocol version";
        assert_eq!(got, [error(4007, text), close(4007, text)], "{version}");
    }
}

#[tokio::test]
async fn a_protocol_that_is_no_number_is_closed_with_4006() {
    let server = plain_server();
    for version in ["abc", "7.0", "7x", "%20"] {
        let got = refused(&server, &format!("/app/app-key?protocol={version}")).await;
        assert_eq!(got, [close(4006, "Invalid version string format")], "{version}");
    }
}

#[tokio::test]
async fn an_unknown_key_is_closed_with_4001_and_named() {
    let server = plain_server();
    let text = "App key no-such-key does not exist on this server";
    let got = refused(&server, "/app/no-such-key?protocol=7").await;
    assert_eq!(got, [close(4001, text)]);
    let got = refused(&server, "/app/no-such-key?protocol=6").await;
    assert_eq!(got, [close(4001, text)]);
}

#[tokio::test]
async fn protocol_5_and_4_are_told_the_error_before_the_close() {
    let server = three_apps();
    let text = "App key X does not exist on this server";
    for version in [4, 5] {
        let got = refused(&server, &format!("/app/X?protocol={version}")).await;
        assert_eq!(got, [error(4001, text), close(4001, text)]);
    }
    let got = refused(&server, "/app/off-key?protocol=5").await;
    assert_eq!(got, [error(4003, "App is disabled"), close(4003, "App is disabled")]);
}

#[tokio::test]
async fn a_disabled_app_is_closed_with_4003() {
    let server = three_apps();
    let got = refused(&server, "/app/off-key?protocol=7").await;
    assert_eq!(got, [close(4003, "App is disabled")]);
}

#[tokio::test]
async fn a_key_of_any_length_makes_a_close_reason_of_at_most_123_bytes() {
    let server = plain_server();
    let got = refused(&server, &format!("/app/{}?protocol=7", "k".repeat(500))).await;
    let [Frame::Close(4001, reason)] = got.as_slice() else {
        panic!("{got:?}");
    };
    assert!(reason.starts_with("App key kkk"), "{reason}");
    assert!(reason.len() <= 123, "{reason}");
}

#[tokio::test]
async fn the_answer_is_the_101_of_the_rfc_and_offers_no_extension() {
    let server = plain_server();
    let mut client = Raw::connect(server.port).await;
    let offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
    client.send(upgrade_request("/app/app-key", offer).as_bytes()).await;
    assert_eq!(
        client.response().await.head,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    );
}

#[tokio::test]
async fn a_sub_protocol_of_ours_is_echoed_and_no_other() {
    let server = plain_server();
    let check = async |offered: &str, want: Option<&str>| {
        let mut client = Raw::connect(server.port).await;
        let header = format!("Sec-WebSocket-Protocol: {offered}\r\n");
        client.send(upgrade_request("/app/app-key", &header).as_bytes()).await;
        let response = client.response().await;
        assert_eq!(response.status, 101);
        let echoed = response
            .head
            .lines()
            .find_map(|line| line.strip_prefix("Sec-WebSocket-Protocol: "));
        assert_eq!(echoed, want, "{offered}");
    };
    check("pusher-channels-protocol-7", Some("pusher-channels-protocol-7")).await;
    check("chat, pusher-channels-protocol-6", Some("pusher-channels-protocol-6")).await;
    check("chat", None).await;
    check("pusher-channels-protocol-", None).await;
    check("xpusher-channels-protocol-7", None).await;
}

#[tokio::test]
async fn browsers_forms_of_the_upgrade_headers_are_understood() {
    let server = plain_server();
    let request = "GET /app/app-key HTTP/1.1\r\nhost: x\r\nupgrade: WebSocket\r\nconnection: keep-alive, Upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\norigin: https://example.org\r\n\r\n";
    assert_eq!(answered(&server, request).await.0, 101);
}

#[tokio::test]
async fn an_upgrade_of_another_path_is_404() {
    let server = plain_server();
    for path in ["/", "/apple", "/live", "/apps/1/channels", "/other/app/app-key"] {
        let (status, body) = answered(&server, &upgrade_request(path, "")).await;
        assert_eq!(
            (status, body.as_str()),
            (404, "no such path, clients connect to /app/{key}\n"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn an_upgrade_below_app_that_names_no_key_is_closed_with_4005() {
    let server = plain_server();
    for path in ["/app", "/app/", "/app/a/b"] {
        let mut client = Client::open(server.port, path).await;
        let want = Frame::Close(4005, "Path not found, clients connect to /app/{key}".into());
        assert_eq!(client.next().await, want, "{path}");
    }
}

#[tokio::test]
async fn an_upgrade_that_is_none_is_400_or_405_in_plain_http() {
    let server = plain_server();
    let good = upgrade_request("/app/app-key", "");
    let check = async |request: String, want: u16| {
        let (status, body) = answered(&server, &request).await;
        assert_eq!(status, want, "{request}");
        assert!(body.ends_with('\n') && 1 < body.len(), "{body}");
    };
    check(good.replace("GET ", "POST "), 405).await;
    check(good.replace("Sec-WebSocket-Version: 13\r\n", ""), 400).await;
    check(good.replace("Version: 13", "Version: 12"), 400).await;
    check(good.replace("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""), 400).await;
    check(good.replace("Connection: Upgrade", "Connection: keep-alive"), 400).await;
}

#[tokio::test]
async fn an_upgrade_to_http_2_is_ignored() {
    let server = plain_server();
    let request = "GET /live HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n";
    assert_eq!(answered(&server, request).await, (200, "live\n".into()));
}

#[tokio::test]
async fn bytes_sent_together_with_the_upgrade_request_are_read() {
    let server = plain_server();
    let mut client = Raw::connect(server.port).await;
    let mut bytes = upgrade_request("/app/app-key?protocol=6", "").into_bytes();
    bytes.extend(client_text(PING));
    bytes.extend(client_text(r#"{"event":"pusher:subscribe","data":{"channel":"news"}}"#));
    client.send(&bytes).await;
    assert_eq!(client.response().await.status, 101);
    assert!(matches!(client.next().await, Frame::Text(text) if text.contains("connection_established")));
    client.expect(PONG).await;
    client
        .expect(r#"{"event":"pusher_internal:subscription_succeeded","data":"{}","channel":"news"}"#)
        .await;
}

#[tokio::test]
async fn a_connection_may_become_a_websocket_after_requests_and_byte_by_byte() {
    let server = plain_server();
    let mut client = Raw::connect(server.port).await;
    client.send(b"GET /live HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(client.response().await.body, "live\n");
    let mut bytes = upgrade_request("/app/app-key?protocol=7", "").into_bytes();
    bytes.extend(client_text(PING));
    for byte in bytes {
        client.send(&[byte]).await;
    }
    assert_eq!(client.response().await.status, 101);
    assert!(matches!(client.next().await, Frame::Text(text) if text.contains("connection_established")));
    client.expect(PONG).await;
}
