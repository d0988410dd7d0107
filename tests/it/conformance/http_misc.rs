//! What is common to all of the HTTP side: connections, CORS, paths, methods, sizes, health.

use serde_json::json;

use super::plain_server;
use crate::harness::{Process, Raw, Response, now_s, signed_query};

/// A signed request of the test app on a connection that stays open.
fn signed(method: &str, path: &str, body: &str) -> String {
    let path = format!("/apps/1{path}");
    let query = signed_query(method, &path, &[], body, "app-key", "app-secret", now_s());
    format!(
        "{method} {path}?{query} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

async fn answered(server: &Process, request: &str) -> Response {
    let mut raw = Raw::connect(server.port).await;
    raw.send(request.as_bytes()).await;
    raw.response().await
}

#[tokio::test]
async fn live_and_ready_answer_200() {
    let server = plain_server();
    let live = server.api().raw("GET", "/live", "").await;
    assert_eq!((live.status, live.body.as_str()), (200, "live\n"));
    let ready = server.api().raw("GET", "/ready", "").await;
    assert_eq!((ready.status, ready.body.as_str()), (200, "ready\n"));
}

#[tokio::test]
async fn whatever_a_load_balancer_asks_for_unless_told_otherwise_is_200() {
    let server = plain_server();
    for path in ["/", "/up", "/health", "/live", "/ready"] {
        for method in ["GET", "HEAD", "OPTIONS"] {
            let got = server.api().raw(method, path, "").await;
            assert_eq!(got.status, 200, "{method} {path}");
            assert_eq!(got.body.is_empty(), method == "HEAD", "{method} {path}");
        }
    }
    // HAProxy's `option httpchk`.
    let got = server.api().raw_bytes(b"OPTIONS / HTTP/1.0\r\n\r\n").await;
    assert_eq!(got.status, 200, "{got:?}");
}

#[tokio::test]
async fn a_websocket_that_a_proxy_has_made_a_plain_request_is_told_to_upgrade() {
    let server = plain_server();
    let got = server.api().raw("GET", "/app/app-key?protocol=7", "").await;
    assert_eq!((got.status, header(&got, "upgrade")), (426, Some("websocket")));
    assert!(got.body.contains("the headers Upgrade and Connection"), "{}", got.body);
}

#[tokio::test]
async fn a_connection_serves_many_requests_after_one_another() {
    let server = plain_server();
    let mut raw = Raw::connect(server.port).await;
    for at in 0..20 {
        let body = json!({ "name": "e", "channel": "a", "data": at.to_string() }).to_string();
        raw.send(signed("POST", "/events", &body).as_bytes()).await;
        let response = raw.response().await;
        assert_eq!((response.status, response.body.as_str()), (200, "{}"));
        raw.send(signed("GET", "/channels", "").as_bytes()).await;
        assert_eq!(raw.response().await.body, r#"{"channels":{}}"#);
        raw.send(signed("GET", "/channels/a/users", "").as_bytes()).await;
        assert_eq!(raw.response().await.status, 400);
        raw.send(b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert_eq!(raw.response().await.status, 404);
    }
}

#[tokio::test]
async fn requests_sent_at_once_are_answered_in_order() {
    let server = plain_server();
    let mut client = server.client().await;
    client.subscribe("a").await;
    let mut raw = Raw::connect(server.port).await;
    let mut requests = String::new();
    for at in 0..10 {
        let body = json!({ "name": "e", "channel": "a", "data": at.to_string() }).to_string();
        requests.push_str(&signed("POST", "/events", &body));
        requests.push_str(&signed("GET", "/channels/a", ""));
    }
    raw.send(requests.as_bytes()).await;
    for at in 0..10 {
        assert_eq!(raw.response().await.body, "{}");
        assert_eq!(raw.response().await.body, r#"{"occupied":true}"#);
        client
            .expect(&format!(r#"{{"event":"e","data":"{at}","channel":"a"}}"#))
            .await;
    }
}

#[tokio::test]
async fn a_body_in_chunks_or_after_a_100_continue_is_read() {
    let server = plain_server();
    let body = r#"{"name":"e","channel":"a","data":"x"}"#;
    let whole = signed("POST", "/events", body);
    let (head, _) = whole.split_once("\r\n\r\n").expect("a head");
    let chunked = head.replace(&format!("Content-Length: {}", body.len()), "Transfer-Encoding: chunked");
    let (first, rest) = body.split_at(10);
    let request = format!(
        "{chunked}\r\n\r\n{:x}\r\n{first}\r\n{:x}\r\n{rest}\r\n0\r\n\r\n",
        first.len(),
        rest.len()
    );
    assert_eq!(answered(&server, &request).await.body, "{}");

    let mut raw = Raw::connect(server.port).await;
    raw.send(format!("{head}\r\nExpect: 100-continue\r\n\r\n").as_bytes())
        .await;
    assert_eq!(raw.response().await.status, 100);
    raw.send(body.as_bytes()).await;
    let response = raw.response().await;
    assert_eq!((response.status, response.body.as_str()), (200, "{}"));
}

#[tokio::test]
async fn a_body_over_1_mb_is_413() {
    let server = plain_server();
    let text = "The request body exceeds the allowed maximum (1048576 bytes)\n";
    let body = "x".repeat(1_048_577);
    let got = server.api().post("/events", &body).await;
    assert_eq!((got.status, got.body.as_str()), (413, text));
    let body = " ".repeat(1_048_576);
    let got = server.api().post("/events", &body).await;
    assert_eq!(got.status, 400, "{}", got.body);
    let announced = "POST /apps/1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n";
    let got = answered(&server, announced).await;
    assert_eq!((got.status, got.body.as_str()), (413, text));
}

#[tokio::test]
async fn any_content_type_is_read_as_json() {
    let server = plain_server();
    let whole = signed("POST", "/events", r#"{"name":"e","channel":"a","data":"x"}"#);
    for kind in [
        "application/json; charset=utf-8",
        "text/plain",
        "application/x-www-form-urlencoded",
    ] {
        let request = whole.replacen("Host: x", &format!("Host: x\r\nContent-Type: {kind}"), 1);
        assert_eq!(answered(&server, &request).await.body, "{}", "{kind}");
    }
}

#[tokio::test]
async fn a_preflight_of_any_origin_is_allowed() {
    let server = plain_server();
    let request = "OPTIONS /apps/1/events HTTP/1.1\r\nHost: x\r\nOrigin: https://example.org\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type,x-pusher-library\r\n\r\n";
    let response = answered(&server, request).await;
    assert_eq!(response.status, 200);
    assert_eq!(
        header(&response, "access-control-allow-origin"),
        Some("https://example.org")
    );
    let methods = header(&response, "access-control-allow-methods").unwrap_or_default();
    assert!(methods.contains("POST") && methods.contains("GET"), "{methods}");
    let headers = header(&response, "access-control-allow-headers").unwrap_or_default();
    assert!(
        headers.contains("content-type") && headers.contains("x-pusher-library"),
        "{headers}"
    );
    assert_eq!(header(&response, "access-control-max-age"), Some("3600"));
}

#[tokio::test]
async fn answers_and_refusals_name_the_origin_that_asked() {
    let server = plain_server();
    for (request, status) in [
        (signed("GET", "/channels", ""), 200),
        ("GET /apps/1/channels HTTP/1.1\r\nHost: x\r\n\r\n".into(), 401),
        ("GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n".into(), 404),
    ] {
        let with_origin = request.replacen("Host: x", "Host: x\r\nOrigin: https://example.org", 1);
        let response = answered(&server, &with_origin).await;
        assert_eq!(response.status, status);
        assert_eq!(
            header(&response, "access-control-allow-origin"),
            Some("https://example.org")
        );
        let response = answered(&server, &request).await;
        assert_eq!(
            (response.status, header(&response, "access-control-allow-origin")),
            (status, None)
        );
    }
}

#[tokio::test]
async fn an_unknown_path_is_404_signed_or_not() {
    let server = plain_server();
    for path in [
        "/apps",
        "/apps/1",
        "/apps/1/nowhere",
        "/apps/1/channels/a/nowhere",
        "/app",
        "/favicon.ico",
    ] {
        let got = server.api().raw("GET", path, "").await;
        assert_eq!(
            (got.status, got.body.as_str()),
            (404, "Not found: no such path\n"),
            "{path}"
        );
    }
    for path in ["/nowhere", "/channels/a/b/c", "/users/1/terminate"] {
        let got = server.api().post(path, "{}").await;
        assert_eq!(
            (got.status, got.body.as_str()),
            (404, "Not found: no such path\n"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_wrong_method_is_405() {
    let server = plain_server();
    for (method, path) in [
        ("GET", "/apps/1/events"),
        ("PUT", "/apps/1/events"),
        ("GET", "/apps/1/batch_events"),
        ("POST", "/apps/1/channels"),
        ("DELETE", "/apps/1/channels/a"),
        ("POST", "/apps/1/channels/a/users"),
        ("POST", "/apps/1/occupancy"),
        ("POST", "/apps/1/occupancy/a"),
    ] {
        let got = server.api().raw(method, path, "").await;
        let text = "Method not allowed on this path\n";
        assert_eq!((got.status, got.body.as_str()), (405, text), "{method} {path}");
    }
    assert_eq!(server.api().raw("POST", "/live", "").await.status, 405);
    assert_eq!(server.api().raw("POST", "/ready", "").await.status, 405);
}

#[tokio::test]
async fn what_is_no_http_is_refused_and_the_server_lives_on() {
    let server = plain_server();
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"hello\r\n\r\n",
        b"GET /live HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"GET /live HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"\0\0\0\0\0\0\0\0\r\n\r\n",
    ] {
        let got = server.api().raw_bytes(bytes).await;
        assert_eq!(got.status, 400, "{bytes:?}");
    }
    assert_eq!(server.api().raw("GET", "/live", "").await.status, 200);
}
